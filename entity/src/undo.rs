//! `undo`: the previous state of what a sync run has changed, for `marquee-worker revert`.

use sea_orm::entity::prelude::*;

/// A part of the previous state of one sync run.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "undo")]
pub struct Model {
    /// The sync run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sync_run_id: i64,
    /// The position among the parts of the run, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub part: i32,
    /// The provider.
    pub provider_id: i32,
    /// The previous rows, in a form that only `worker` knows.
    pub previous: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}
