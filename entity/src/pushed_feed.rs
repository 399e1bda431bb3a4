//! `pushed_feed`: documents that providers have pushed, from their acceptance to their end.
//!
//! The job of one is `in_order`: documents of a provider are applied as they were accepted.

use sea_orm::entity::prelude::*;

use crate::{UtcInstant, job::NewJob, sync_run};

/// The kind of the job that applies a document; its payload is that of a sync.
pub const JOB_KIND: &str = "push";
/// Attempts at one document: only what is ours to mend, or the end of a worker, makes a second one necessary.
const ATTEMPTS: i32 = 10;

/// What a document says of what it does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Mode {
    /// It is the whole catalogue: what it does not hold has left.
    #[sea_orm(string_value = "snapshot")]
    Snapshot,
    /// It holds what changed: base events that it does not hold are as they were.
    #[sea_orm(string_value = "delta")]
    Delta,
}

/// One document.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pushed_feed")]
pub struct Model {
    /// Rises with each document.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Whose.
    pub provider_id: i32,
    /// The job that applies it.
    pub job_id: i64,
    /// Its run in the ledger; none if it is only rehearsed.
    pub sync_run_id: Option<i64>,
    /// What it says of what it does not hold.
    pub mode: Mode,
    /// How it is compressed: `gzip`, `br`, `zstd` or nothing.
    pub coding: String,
    /// What was sent; gone once it is settled.
    pub body: Option<Vec<u8>>,
    /// A hash of it without its coding, and of how it was to be applied.
    pub body_hash: String,
    /// The `Idempotency-Key` that it came with.
    pub idempotency_key: Option<String>,
    /// When it was accepted.
    pub accepted_at: UtcInstant,
    /// When it was applied, or refused for good.
    pub settled_at: Option<UtcInstant>,
    /// What a rehearsal found, JSON.
    pub outcome: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

/// The job that applies one document of a provider. `what_for` tells it from the provider's other jobs.
#[must_use]
pub fn job(slug: &str, what_for: &str) -> NewJob {
    NewJob {
        kind: JOB_KIND.to_owned(),
        key: format!("{JOB_KIND}/{slug}/{what_for}"),
        max_attempts: ATTEMPTS,
        in_order: true,
        ..sync_run::job(slug, what_for)
    }
}
