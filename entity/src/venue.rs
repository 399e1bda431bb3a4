//! `venue`: a location of events.

use sea_orm::{ExprTrait, QuerySelect, QueryTrait, entity::prelude::*, sea_query::Expr};

use crate::{event, name_word};

/// One venue of one provider.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "venue")]
pub struct Model {
    /// UUIDv5 of (provider slug, the provider's id).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The provider.
    pub provider_id: i32,
    /// The provider's id of it.
    pub source_id: String,
    /// Its name.
    pub name: String,
    /// The name for lookups, see [`fold_name`](crate::fold_name()).
    pub folded_name: String,
    /// Degrees north of the equator, -90 to 90 (WGS 84).
    pub latitude: f64,
    /// Degrees east of Greenwich, -180 to 180 (WGS 84).
    pub longitude: f64,
    /// The x component of its [`Direction`](crate::sphere::Direction), with which distances are compared.
    pub direction_x: f64,
    /// The y component.
    pub direction_y: f64,
    /// The z component.
    pub direction_z: f64,
    /// UN/LOCODE-style code of its place.
    pub place_code: Option<String>,
    /// Whether its coordinates are known. If not, they are 0, and its direction is at no point of the earth.
    pub located: bool,
    /// The [`GeoCell`](crate::GeoCell) of its coordinates.
    pub cell: Option<i64>,
    /// ISO 3166-1 alpha-2 code of the country.
    pub country: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Region, state or province.
    pub region: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Street and number.
    pub address: Option<String>,
    /// IANA name of its time zone.
    pub time_zone: Option<String>,
    /// The city for lookups, see [`fold_name`](crate::fold_name()).
    pub folded_city: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

/// Deletes those of these venues that no event has, and returns them.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn delete_unused(transaction: &impl ConnectionTrait, ids: Vec<Uuid>) -> Result<Vec<Model>, DbErr> {
    let users = event::Entity::find()
        .select_only()
        .column(event::Column::VenueId)
        .filter(Expr::col((event::Entity, event::Column::VenueId)).equals((Entity, Column::Id)))
        .into_query();
    let unused = Entity::find().filter(COLUMN.id.is_in(ids)).filter(Expr::exists(users).not()).all(transaction).await?;
    let ids: Vec<Uuid> = unused.iter().map(|venue| venue.id).collect();
    name_word::delete(transaction, ids.clone()).await?;
    Entity::delete_many().filter(COLUMN.id.is_in(ids)).exec(transaction).await?;
    Ok(unused)
}
