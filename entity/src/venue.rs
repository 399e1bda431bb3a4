//! `venue`: where events take place.

use sea_orm::entity::prelude::*;

/// One venue, known per provider.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "venue")]
pub struct Model {
    /// UUIDv5 of (provider slug, the provider's id).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose it is.
    pub provider_id: i32,
    /// The provider's own id of it.
    pub source_id: String,
    /// What it is called.
    pub name: String,
    /// The name as it is looked up: see [`folded`](crate::folded).
    pub folded_name: String,
    /// Degrees north of the equator, -90 to 90 (WGS 84).
    pub latitude: f64,
    /// Degrees east of Greenwich, -180 to 180 (WGS 84).
    pub longitude: f64,
    /// The [`Direction`](crate::sphere::Direction) of that point, by which distances are compared.
    pub direction_x: f64,
    /// Its second part.
    pub direction_y: f64,
    /// Its third part.
    pub direction_z: f64,
    /// UN/LOCODE-style code of the place it lies in.
    pub place_code: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
