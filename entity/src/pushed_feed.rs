//! `pushed_feed`: feeds that providers have pushed, from acceptance to completion.

use sea_orm::entity::prelude::*;

use crate::UtcInstant;

/// What a pushed feed means for base events that it does not contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Mode {
    /// The feed is the whole catalogue: anything else has been removed.
    #[sea_orm(string_value = "snapshot")]
    Snapshot,
    /// The feed contains changes: other base events are unchanged.
    #[sea_orm(string_value = "delta")]
    Delta,
}

/// One pushed feed.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pushed_feed")]
pub struct Model {
    /// Ascending in the order of acceptance.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The provider.
    pub provider_id: i32,
    /// The job that applies it.
    pub job_id: i64,
    /// Its run in the ledger; `None` for a dry run.
    pub sync_run_id: Option<i64>,
    /// What it means for base events that it does not contain.
    pub mode: Mode,
    /// The content encoding of `body`: `gzip`, `br`, `zstd` or empty.
    pub coding: String,
    /// The request body; `None` once the feed is completed.
    pub body: Option<Vec<u8>>,
    /// A hash of the decoded body and of the options of the request.
    pub body_hash: String,
    /// The `Idempotency-Key` of the request.
    pub idempotency_key: Option<String>,
    /// When it was accepted.
    pub accepted_at: UtcInstant,
    /// When it was applied or finally rejected.
    pub settled_at: Option<UtcInstant>,
    /// The result of a dry run as JSON.
    pub outcome: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
