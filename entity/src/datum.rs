//! `datum`: data posted to the deployment probe.

use sea_orm::entity::prelude::*;

use crate::UtcInstant;

/// One datum.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "datum")]
pub struct Model {
    /// Ascending.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The posted text.
    pub data: String,
    /// When it was accepted.
    pub accepted_at: UtcInstant,
    /// When a worker processed it.
    pub processed_at: Option<UtcInstant>,
}

impl ActiveModelBehavior for ActiveModel {}
