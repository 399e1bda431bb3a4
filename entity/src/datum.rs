//! `datum`: what was given to the probe that proves a deployment.

use sea_orm::entity::prelude::*;

use crate::UtcInstant;

/// The kind of the job that acquires a datum; the rest of its key is the datum's number.
pub const JOB_KIND: &str = "datum";

/// One datum.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "datum")]
pub struct Model {
    /// Rises with each datum.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What it says.
    pub data: String,
    /// When it was accepted.
    pub accepted_at: UtcInstant,
    /// When a worker acquired it.
    pub processed_at: Option<UtcInstant>,
}

impl ActiveModelBehavior for ActiveModel {}
