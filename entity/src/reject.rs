//! `reject`: one item of a feed that could not be accepted, or a detail of an accepted item.

use sea_orm::entity::prelude::*;

/// What a row reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Severity {
    /// The item was rejected.
    #[sea_orm(string_value = "error")]
    Error,
    /// The item was accepted without a detail.
    #[sea_orm(string_value = "warning")]
    Warning,
}

impl Severity {
    /// The name in tables and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One reject or warning.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reject")]
pub struct Model {
    /// The sync run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sync_run_id: i64,
    /// The position among the rejects and then the warnings of the run, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// Line of the document on which the item begins, from 1.
    pub line: i64,
    /// Column in that line, from 1, in characters.
    #[sea_orm(column_name = "column_number")]
    pub column: i64,
    /// The provider's id of the base event, if it could be parsed.
    pub base_event_source_id: Option<String>,
    /// The provider's id of the event, if the item is an event and its id could be parsed.
    pub event_source_id: Option<String>,
    /// What is wrong and what is accepted.
    pub reason: String,
    /// The source text of the item, truncated.
    pub raw: String,
    /// Whether the item was rejected, or accepted without a detail.
    pub severity: Severity,
}

impl ActiveModelBehavior for ActiveModel {}
