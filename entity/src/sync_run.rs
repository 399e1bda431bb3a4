//! `sync_run`: the ledger, one row for each attempt to copy one provider.

use sea_orm::{ActiveValue::Set, entity::prelude::*};

use crate::{UtcInstant, job::NewJob};

/// The kind of the job that copies one provider's catalogue once.
pub const JOB_KIND: &str = "sync";
/// Attempts at one job: with the pauses between them that is minutes, and after them the next tick is the retry.
const ATTEMPTS: i32 = 5;

/// Where a sync run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum RunState {
    /// Accepted, not begun.
    #[sea_orm(string_value = "queued")]
    Queued,
    /// Begun, not ended; or its worker was killed.
    #[sea_orm(string_value = "running")]
    Running,
    /// The feed was taken and something in the copy changed.
    #[sea_orm(string_value = "succeeded")]
    Succeeded,
    /// The feed was taken and the copy already said the same.
    #[sea_orm(string_value = "unchanged")]
    Unchanged,
    /// The copy is as it was before; the row says why.
    #[sea_orm(string_value = "failed")]
    Failed,
}

impl RunState {
    /// The state's name in tables, JSON and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// One sync run. The counts are of events, and all 0 until the run has ended well.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_run")]
pub struct Model {
    /// Rises with each run of the deployment.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Whose catalogue.
    pub provider_id: i32,
    /// Where it stands.
    pub state: RunState,
    /// When it began.
    pub started_at: UtcInstant,
    /// When it ended.
    pub ended_at: Option<UtcInstant>,
    /// The status of the provider's answer, if there was one.
    pub http_status: Option<i16>,
    /// Size of the document, decompressed.
    pub bytes: Option<i64>,
    /// Events that the feed holds, rejected ones not counted.
    pub fetched: i32,
    /// Events that no copy held before.
    pub inserted: i32,
    /// Events that changed, or came back.
    pub updated: i32,
    /// Events that say what they said before.
    pub unchanged: i32,
    /// Events that the copy before held and this feed does not.
    pub left: i32,
    /// Items of the feed that could not be taken.
    pub rejected: i32,
    /// A stable word for why it failed.
    pub reason_code: Option<String>,
    /// The same in a sentence, for people.
    pub reason: Option<String>,
    /// The job that it is an attempt of; the job is gone once it is done.
    pub job_id: Option<i64>,
    /// The tick of the provider's schedule that it answers, if it is the first to.
    pub tick_at: Option<UtcInstant>,
    /// How long the document took to be read.
    pub parse_ms: Option<i32>,
    /// How long it took to be compared with the copy.
    pub diff_ms: Option<i32>,
    /// How long the changes took to be written.
    pub write_ms: Option<i32>,
    /// Whose catalogue.
    #[sea_orm(belongs_to, from = "provider_id", to = "id")]
    pub provider: BelongsTo<super::provider::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

/// The lane of a provider: one sync of it at a time in the whole deployment.
#[must_use]
pub fn lane(slug: &str) -> String {
    format!("{JOB_KIND}/{slug}")
}

/// A job that copies a provider's catalogue now. `what_for` tells it from the provider's other jobs.
#[must_use]
pub fn job(slug: &str, what_for: &str) -> NewJob {
    NewJob {
        kind: JOB_KIND.to_owned(),
        key: format!("{JOB_KIND}/{slug}/{what_for}"),
        lane: lane(slug),
        // A slug has no character that JSON would write otherwise.
        payload: format!("{{\"provider\":\"{slug}\"}}"),
        run_at: None,
        max_attempts: ATTEMPTS,
        in_order: false,
    }
}

/// A run of a job, in this state from now on.
#[must_use]
pub fn of_job(provider_id: i32, job_id: i64, state: RunState) -> ActiveModel {
    ActiveModel {
        provider_id: Set(provider_id),
        state: Set(state),
        started_at: Set(UtcInstant::now()),
        fetched: Set(0),
        inserted: Set(0),
        updated: Set(0),
        unchanged: Set(0),
        left: Set(0),
        rejected: Set(0),
        job_id: Set(Some(job_id)),
        ..Default::default()
    }
}
