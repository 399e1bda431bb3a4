//! `sync_run`: the ledger, with one row for each attempt to copy a provider.

use sea_orm::{ActiveValue::Set, QueryFilter, Select, entity::prelude::*, sea_query::Expr};

use crate::{UtcInstant, clock};

/// The reason code of a run that its worker did not close.
pub const ABANDONED: &str = "abandoned";
/// The reason of such a run.
const ABANDONED_REASON: &str = "the worker ended or lost its lease during the run; the copy is unchanged";

/// The state of a sync run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum RunState {
    /// Accepted, not started.
    #[sea_orm(string_value = "queued")]
    Queued,
    /// Started and not ended, or its worker was killed.
    #[sea_orm(string_value = "running")]
    Running,
    /// The feed was imported and changed the copy.
    #[sea_orm(string_value = "succeeded")]
    Succeeded,
    /// The feed was read and changed nothing.
    #[sea_orm(string_value = "unchanged")]
    Unchanged,
    /// The copy was not changed; the row has the reason.
    #[sea_orm(string_value = "failed")]
    Failed,
}

impl RunState {
    /// The name in tables, JSON and logs.
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

/// One sync run. The counts are of events, and 0 until the run succeeds.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_run")]
pub struct Model {
    /// Ascending over the whole deployment.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The provider.
    pub provider_id: i32,
    /// The state.
    pub state: RunState,
    /// When it started.
    pub started_at: UtcInstant,
    /// When it ended.
    pub ended_at: Option<UtcInstant>,
    /// The status of the provider's response, if there was one.
    pub http_status: Option<i16>,
    /// Size of the decompressed document.
    pub bytes: Option<i64>,
    /// Events in the feed, without rejected ones.
    pub fetched: i32,
    /// Events that were new.
    pub inserted: i32,
    /// Events that changed or reappeared.
    pub updated: i32,
    /// Events without changes.
    pub unchanged: i32,
    /// Events removed from the feed since the previous run.
    pub left: i32,
    /// Rejected items.
    pub rejected: i32,
    /// A stable code for the reason of a failure.
    pub reason_code: Option<String>,
    /// The reason of a failure as a sentence.
    pub reason: Option<String>,
    /// The job of which this is an attempt. The job is deleted when it is finished.
    pub job_id: Option<i64>,
    /// The tick of the provider's schedule that caused the run; `None` for retries and requested runs.
    pub tick_at: Option<UtcInstant>,
    /// Time to parse the document.
    pub parse_ms: Option<i32>,
    /// Time to compare it with the copy.
    pub diff_ms: Option<i32>,
    /// Time to write the changes.
    pub write_ms: Option<i32>,
    /// The version of its release; `None` if readers could see none of its changes.
    pub release: Option<i64>,
    /// How many changes of each kind it logged, as JSON: `{"price_changed":3}`.
    pub changes: Option<String>,
    /// Warnings about details that were ignored or changed.
    pub warned: i32,
    /// The provider.
    #[sea_orm(belongs_to, from = "provider_id", to = "id")]
    pub provider: BelongsTo<super::provider::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl ActiveModel {
    /// A run of a job that enters this state at an instant.
    #[must_use]
    pub fn of_job(provider_id: i32, job_id: i64, state: RunState, now: UtcInstant) -> Self {
        Self {
            provider_id: Set(provider_id),
            state: Set(state),
            started_at: Set(now),
            fetched: Set(0),
            inserted: Set(0),
            updated: Set(0),
            unchanged: Set(0),
            left: Set(0),
            rejected: Set(0),
            warned: Set(0),
            job_id: Set(Some(job_id)),
            ..Default::default()
        }
    }
}

/// Selects the run of a queued job.
pub fn select_queued(provider_id: i32, job_id: i64) -> Select<Entity> {
    Entity::find()
        .filter(COLUMN.provider_id.eq(provider_id))
        .filter(COLUMN.job_id.eq(job_id))
        .filter(COLUMN.state.eq(RunState::Queued))
}

/// Closes runs that their workers did not close.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn close_abandoned(database: &impl ConnectionTrait, are_abandoned: Expr) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::State, RunState::Failed.into())
        .col_expr(Column::EndedAt, clock::now(database))
        .col_expr(Column::ReasonCode, ABANDONED.into())
        .col_expr(Column::Reason, ABANDONED_REASON.into())
        .filter(are_abandoned)
        .exec(database)
        .await?;
    Ok(())
}
