//! The ledger: every run is recorded before it starts and closed when it ends, so that the run of a killed worker is visible.

use std::time::Duration;

use entity::{
    UtcInstant, begin_write, clock, daily_total, database_now,
    job::{self, JobKind, JobState, PushJob},
    provider, reject, sync_run,
    sync_run::RunState,
    undo,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Query, SimpleExpr, SubQueryStatement},
};

use super::{
    SyncError,
    feed_pages::{PageChanges, StoredPages},
    last_document,
    record::PublishedRelease,
    report::{Counts, Durations, SyncReport},
};
use crate::provider::{
    entry::ProviderEntry,
    fetch::{FetchedDocument, Validators},
    format::ReadMonth,
};

/// The status of a response without a document because the copy is current.
const NOT_MODIFIED: u16 = 304;
/// Runs retained for each provider: a day of one every ten seconds, or over a year of one an hour.
const MAX_RUNS: u64 = 10_000;
/// Runs of each provider with retained rejects: only the newest are useful to fix a feed.
const MAX_RUNS_WITH_REJECTS: u64 = 100;

/// Runs of each provider that can be reverted: the last 16 hours of one each minute.
const MAX_RUNS_WITH_UNDO: u64 = 1_000;

/// Starts the run that was recorded when the job was enqueued, or records another one for a later attempt. A `pushed_run` is started
/// again by each attempt. This worker holds the lease, so any other run that is still running was abandoned.
pub(super) async fn open(
    database: &DatabaseConnection,
    provider_id: i32,
    lease: &job::Claim,
    pushed_run: Option<i64>,
) -> Result<sync_run::Model, SyncError> {
    let transaction = begin_write(database).await?;
    if !job::queue::is_held(&transaction, lease).await? {
        transaction.rollback().await?;
        return Err(SyncError::LeaseLost);
    }
    close_abandoned(&transaction, provider_id, lease).await?;
    let queued = match pushed_run {
        Some(id) => sync_run::Entity::find_by_id(id),
        None => sync_run::select_queued(provider_id, lease.id),
    };
    let queued = queued.one(&transaction).await?;
    let now = database_now(&transaction).await?;
    let run = match queued {
        Some(queued) => {
            let started = sync_run::ActiveModel {
                state: Set(RunState::Running),
                started_at: Set(now),
                ended_at: Set(None),
                reason_code: Set(None),
                reason: Set(None),
                ..queued.into_active_model()
            };
            started.update(&transaction).await?
        }
        None => sync_run::ActiveModel::of_job(provider_id, lease.id, RunState::Running, now).insert(&transaction).await?,
    };
    transaction.commit().await?;
    Ok(run)
}

/// Records the run of a job in the transaction that enqueues the job.
pub(crate) async fn insert_queued(
    transaction: &impl ConnectionTrait,
    provider_id: i32,
    job_id: i64,
    tick: Option<UtcInstant>,
) -> Result<(), DbErr> {
    let now = database_now(transaction).await?;
    let queued = sync_run::ActiveModel::of_job(provider_id, job_id, RunState::Queued, now);
    let queued = sync_run::ActiveModel { tick_at: Set(tick), ..queued };
    queued.insert(transaction).await?;
    Ok(())
}

/// Closes the runs of dead workers, and the queued runs of dead jobs.
async fn close_abandoned(transaction: &impl ConnectionTrait, provider_id: i32, lease: &job::Claim) -> Result<(), DbErr> {
    let live = || {
        job::Entity::find()
            .select_only()
            .column(job::Column::Id)
            .filter(job::COLUMN.lane.eq(lease.lane.as_str()))
            .filter(job::COLUMN.state.ne(JobState::Dead))
    };
    let pushes = live().filter(job::COLUMN.kind.eq(PushJob::KIND)).into_query();
    let is_abandoned = sync_run::Column::State
        .eq(RunState::Running)
        // The run of a push is started again with its job.
        .and(sync_run::Column::JobId.not_in_subquery(pushes))
        .or(sync_run::Column::State.eq(RunState::Queued).and(sync_run::Column::JobId.not_in_subquery(live().into_query())));
    sync_run::close_abandoned(transaction, sync_run::Column::ProviderId.eq(provider_id).and(is_abandoned)).await
}

/// A document that was copied, and what identifies it.
#[derive(Debug)]
pub(super) struct CopiedDocument {
    http_status: Option<u16>,
    validators: Validators,
    bytes: u64,
    pub(super) body_hash: i64,
    reading_hash: i64,
    id_from: Option<String>,
    pages: PageChanges,
}

impl CopiedDocument {
    pub(super) fn new(document: &FetchedDocument, (entry, month): (&ProviderEntry, ReadMonth), stored: StoredPages<'_>) -> Self {
        let FetchedDocument { spool, http_status, validators, pages, fresh_for: _ } = document;
        Self {
            http_status: *http_status,
            validators: validators.clone(),
            bytes: spool.len(),
            body_hash: spool.hash(),
            reading_hash: last_document::reading_hash(entry, month),
            id_from: entry.id_from.as_ref().map(ToString::to_string),
            pages: PageChanges::new(stored, pages.clone(), Some(spool.clone())),
        }
    }

    /// Stores its pages instead of those of the previous document.
    pub(super) async fn store_pages(&self, transaction: &impl ConnectionTrait) -> Result<(), SyncError> {
        self.pages.write(transaction).await
    }

    /// The columns of a provider that identify the document of its copy.
    fn columns(&self) -> provider::ActiveModel {
        let Validators { etag, last_modified } = self.validators.clone();
        provider::ActiveModel {
            etag: Set(etag),
            last_modified: Set(last_modified),
            body_hash: Set(Some(self.body_hash)),
            reading_hash: Set(Some(self.reading_hash)),
            id_from: Set(self.id_from.clone()),
            ..Default::default()
        }
    }
}

/// What a run has written to the copy.
#[derive(Debug)]
pub(super) struct AppliedChanges {
    pub(super) counts: Counts,
    /// `None` if readers can see none of it.
    pub(super) published: Option<PublishedRelease>,
}

/// Closes a run that copied a whole feed, in the transaction that wrote the copy.
pub(super) async fn close_snapshot(
    transaction: &impl ConnectionTrait,
    run: &sync_run::Model,
    copied: &CopiedDocument,
    (applied, unidentified): (&AppliedChanges, usize),
    durations: Durations,
) -> Result<SyncReport, DbErr> {
    let AppliedChanges { counts, published } = applied;
    let (counts, published) = (*counts, published.as_ref());
    let columns = provider::ActiveModel {
        event_count: Set(to_column(counts.fetched)),
        unidentified_count: Set(to_column(unidentified)),
        reject_count: Set(to_column(counts.rejected)),
        loading_since: Set(None),
        reverted_body_hash: Set(None),
        ..copied.columns()
    };
    let report = build_report(run, counts, copied.bytes, durations);
    succeed(transaction, run, columns, copied.http_status, (report, published)).await
}

/// Closes a run that applied a delta, in the transaction that wrote the copy, which is then no longer the copy of one document.
pub(super) async fn close_delta(
    transaction: &impl ConnectionTrait,
    run: &sync_run::Model,
    provider: &provider::Model,
    delta: &CopiedDocument,
    applied: &AppliedChanges,
    durations: Durations,
) -> Result<SyncReport, DbErr> {
    let AppliedChanges { counts, published } = applied;
    let (counts, published) = (*counts, published.as_ref());
    let events = usize::try_from(provider.event_count).unwrap_or(0) + counts.inserted;
    let columns = provider::ActiveModel {
        event_count: Set(to_column(events.saturating_sub(counts.left))),
        etag: Set(None),
        last_modified: Set(None),
        body_hash: Set(None),
        id_from: Set(delta.id_from.clone()),
        ..Default::default()
    };
    succeed(transaction, run, columns, None, (build_report(run, counts, delta.bytes, durations), published)).await
}

/// Closes a run with the same document as the last copied one, byte by byte.
pub(super) async fn close_same_body(
    database: &impl ConnectionTrait,
    run: &sync_run::Model,
    provider: &provider::Model,
    copied: &CopiedDocument,
    durations: Durations,
) -> Result<SyncReport, DbErr> {
    let report = build_report(run, unchanged_counts(provider), copied.bytes, durations);
    succeed(database, run, copied.columns(), copied.http_status, (report, None)).await
}

/// Closes a run after the provider confirmed that the copy is current.
pub(super) async fn close_not_modified(
    database: &impl ConnectionTrait,
    run: &sync_run::Model,
    provider: &provider::Model,
    validators: Validators,
    durations: Durations,
) -> Result<SyncReport, DbErr> {
    let report = build_report(run, unchanged_counts(provider), 0, durations);
    let Validators { etag, last_modified } = validators;
    let columns = provider::ActiveModel { etag: Set(etag), last_modified: Set(last_modified), ..Default::default() };
    succeed(database, run, columns, Some(NOT_MODIFIED), (report, None)).await
}

fn build_report(run: &sync_run::Model, counts: Counts, bytes: u64, durations: Durations) -> SyncReport {
    SyncReport { run_id: run.id, state: counts.state(), bytes, counts, durations, fresh_for: None }
}

/// The counts of a feed that was not read because it is unchanged. Its rejects are stored with the run that read it.
fn unchanged_counts(provider: &provider::Model) -> Counts {
    let [events, rejected] = [provider.event_count, provider.reject_count].map(|count| usize::try_from(count).unwrap_or(0));
    Counts { fetched: events, unchanged: events, rejected, ..Counts::default() }
}

async fn succeed(
    database: &impl ConnectionTrait,
    run: &sync_run::Model,
    columns: provider::ActiveModel,
    http_status: Option<u16>,
    (report, published): (SyncReport, Option<&PublishedRelease>),
) -> Result<SyncReport, DbErr> {
    let SyncReport { state, bytes, counts, durations, .. } = report;
    let has_document = http_status != Some(NOT_MODIFIED);
    let closed = sync_run::ActiveModel {
        state: Set(state),
        http_status: Set(http_status.and_then(|status| i16::try_from(status).ok())),
        bytes: Set(has_document.then(|| i64::try_from(bytes).unwrap_or(i64::MAX))),
        fetched: Set(to_column(counts.fetched)),
        inserted: Set(to_column(counts.inserted)),
        updated: Set(to_column(counts.updated)),
        unchanged: Set(to_column(counts.unchanged)),
        left: Set(to_column(counts.left)),
        rejected: Set(to_column(counts.rejected)),
        warned: Set(to_column(counts.warned)),
        parse_ms: Set(Some(to_milliseconds(durations.parse))),
        diff_ms: Set(Some(to_milliseconds(durations.diff))),
        write_ms: Set(Some(to_milliseconds(durations.write))),
        release: Set(published.map(|published| published.release.version)),
        changes: Set(published.map(PublishedRelease::describe_changes)),
        ..run.clone().into_active_model()
    };
    let closing = sync_run::Entity::update_many().set(closed).col_expr(sync_run::Column::EndedAt, clock::now(database));
    closing.filter(sync_run::COLUMN.id.eq(run.id)).exec(database).await?;
    let columns = provider::ActiveModel {
        last_success_at: Set(Some(run.started_at)),
        failures: Set(0),
        pause_until: Set(None),
        pause_reason: Set(None),
        paused_at: Set(None),
        ..columns
    };
    let mut update = provider::Entity::update_many().set(columns);
    if let Some(published) = published {
        update = daily_total::with_last_release(update, &published.release);
    }
    update.filter(provider::COLUMN.id.eq(run.provider_id)).exec(database).await?;
    purge_old_runs(database, run.provider_id).await?;
    Ok(report)
}

/// A run that failed, and why. The reason is shown to clients and never contains the message of a database or a driver.
#[derive(Debug)]
pub(super) struct FailedRun {
    id: i64,
    provider_id: i32,
    http_status: Option<i16>,
    reason_code: &'static str,
    reason: String,
    is_database_error: bool,
}

impl FailedRun {
    pub(super) fn new(run: &sync_run::Model, error: &SyncError) -> Self {
        Self {
            id: run.id,
            provider_id: run.provider_id,
            http_status: error.http_status().and_then(|status| i16::try_from(status).ok()),
            reason_code: error.code(),
            reason: error.to_string(),
            is_database_error: matches!(error, SyncError::Database(_)),
        }
    }

    /// Closes the run. If the database was unavailable for longer than the lease, a worker that took over may have closed it without the
    /// reason.
    pub(super) async fn close(&self, database: &DatabaseConnection) -> Result<(), DbErr> {
        let closed = sync_run::ActiveModel {
            state: Set(RunState::Failed),
            ended_at: Set(Some(database_now(database).await?)),
            http_status: Set(self.http_status),
            reason_code: Set(Some(self.reason_code.to_owned())),
            reason: Set(Some(self.reason.clone())),
            ..Default::default()
        };
        let is_abandoned = || sync_run::Column::ReasonCode.eq(sync_run::ABANDONED);
        let is_open = Condition::any()
            .add(sync_run::Column::State.eq(RunState::Running))
            .add_option(self.is_database_error.then(is_abandoned));
        sync_run::Entity::update_many()
            .set(closed)
            .filter(sync_run::COLUMN.id.eq(self.id))
            .filter(is_open)
            .exec(database)
            .await?;
        purge_old_runs(database, self.provider_id).await
    }
}

/// Queues a run again after an error of our own.
pub(super) async fn requeue(database: &DatabaseConnection, run: &sync_run::Model) -> Result<(), DbErr> {
    sync_run::Entity::update_many()
        .col_expr(sync_run::Column::State, RunState::Queued.into())
        .filter(sync_run::COLUMN.id.eq(run.id))
        .filter(sync_run::COLUMN.state.eq(RunState::Running))
        .exec(database)
        .await?;
    Ok(())
}

/// Deletes the runs, rejects and previous states of a provider beyond its limits.
async fn purge_old_runs(database: &impl ConnectionTrait, provider_id: i32) -> Result<(), DbErr> {
    // Each run that ends moves at most one beyond each limit.
    let limits = [MAX_RUNS_WITH_REJECTS, MAX_RUNS_WITH_UNDO, MAX_RUNS];
    let [with_rejects, with_undo, last] = find_runs_behind(database, provider_id, limits).await?;
    if let Some(id) = with_rejects {
        reject::Entity::delete_many().filter(reject::COLUMN.sync_run_id.eq(id)).exec(database).await?;
    }
    if let Some(id) = with_undo {
        undo::Entity::delete_many().filter(undo::COLUMN.sync_run_id.eq(id)).exec(database).await?;
    }
    if let Some(id) = last {
        sync_run::Entity::delete_many()
            .filter(sync_run::COLUMN.provider_id.eq(provider_id))
            .filter(sync_run::COLUMN.id.lte(id))
            .exec(database)
            .await?;
    }
    Ok(())
}

/// The newest runs of a provider that have these numbers of newer ones.
async fn find_runs_behind(database: &impl ConnectionTrait, provider_id: i32, newer: [u64; 3]) -> Result<[Option<i64>; 3], DbErr> {
    let mut query = Query::select();
    for (number, alias) in newer.into_iter().zip(["a", "b", "c"]) {
        let run = sync_run::Entity::find()
            .select_only()
            .column(sync_run::Column::Id)
            .filter(sync_run::COLUMN.provider_id.eq(provider_id))
            .order_by_desc(sync_run::Column::Id)
            .offset(number)
            .limit(1)
            .into_query();
        query.expr_as(SimpleExpr::SubQuery(None, Box::new(SubQueryStatement::SelectStatement(run))), alias);
    }
    let row = database.query_one(&query).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the database returned no row".to_owned()))?;
    Ok([row.try_get("", "a")?, row.try_get("", "b")?, row.try_get("", "c")?])
}

fn to_column(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn to_milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
