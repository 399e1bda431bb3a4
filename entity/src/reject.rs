//! `reject`: one item of a feed that could not be taken.

use sea_orm::entity::prelude::*;

/// One reject.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reject")]
pub struct Model {
    /// The run that met it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sync_run_id: i64,
    /// Its place among the rejects of the run, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// Line of the document where the item begins, from 1.
    pub line: i64,
    /// Column of that line, from 1, in characters.
    #[sea_orm(column_name = "column_number")]
    pub column: i64,
    /// The provider's id of the base event, if it could be read.
    pub base_event_source_id: Option<String>,
    /// The provider's id of the event, if the item is one and it could be read.
    pub event_source_id: Option<String>,
    /// What is wrong and what would be right.
    pub reason: String,
    /// The item as it stands in the feed, cut to a limit.
    pub raw: String,
}

impl ActiveModelBehavior for ActiveModel {}
