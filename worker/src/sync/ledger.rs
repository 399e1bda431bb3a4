//! The ledger: each run is entered before it begins and closed however it ends, so that one that was killed shows.

use std::{io, time::Duration};

use entity::{
    UtcInstant, begin_write,
    job::{self, JobKind, PushJob},
    provider, reject, sync_run,
    sync_run::RunState,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, ExprTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use super::{
    SyncError,
    chunks::chunks,
    report::{Counts, Durations, Report},
};
use crate::provider::{
    fetch::{FetchedDocument, Validators},
    format::Locator,
    item::{Reject, RejectSubject},
    spool::Spool,
};

/// The status of an answer without a document because the copy is the newest.
const NOT_MODIFIED: u16 = 304;
/// Runs that are kept of each provider: a day of one every ten seconds, over a year of one an hour.
const RUNS_KEPT: u64 = 10_000;
/// Runs of each provider whose rejects are kept: whoever mends a feed looks at the newest.
const RUNS_WITH_REJECTS: u64 = 100;
/// How much of a reject's raw text is kept: enough to recognise it.
const RAW_CHARACTERS: usize = 2_000;

/// Begins the run that was entered with the job, or enters another if this is not the job's first attempt; a `known_run` is begun again
/// each time. Whoever holds the lease is the only one at work, so a run that says otherwise is a dead worker's.
pub(super) async fn begin(
    database: &DatabaseConnection,
    provider_id: i32,
    lease: &job::Claim,
    known_run: Option<i64>,
) -> Result<sync_run::Model, SyncError> {
    let transaction = begin_write(database).await?;
    if !job::queue::is_held(&transaction, lease).await? {
        transaction.rollback().await?;
        return Err(SyncError::LeaseLost);
    }
    close_abandoned(&transaction, provider_id, lease).await?;
    let waiting = match known_run {
        Some(id) => sync_run::Entity::find_by_id(id),
        None => sync_run::select_queued(provider_id, lease.id),
    };
    let waiting = waiting.one(&transaction).await?;
    let run = match waiting {
        Some(waiting) => {
            let begun = sync_run::ActiveModel {
                state: Set(RunState::Running),
                started_at: Set(UtcInstant::now()),
                ended_at: Set(None),
                reason_code: Set(None),
                reason: Set(None),
                ..waiting.into_active_model()
            };
            begun.update(&transaction).await?
        }
        None => sync_run::ActiveModel::of_job(provider_id, lease.id, RunState::Running).insert(&transaction).await?,
    };
    transaction.commit().await?;
    Ok(run)
}

/// Enters a run that a job will begin, in the transaction that enqueues the job.
pub(crate) async fn insert_queued(
    transaction: &impl ConnectionTrait,
    provider_id: i32,
    job_id: i64,
    tick: Option<UtcInstant>,
) -> Result<(), DbErr> {
    let queued =
        sync_run::ActiveModel { tick_at: Set(tick), ..sync_run::ActiveModel::of_job(provider_id, job_id, RunState::Queued) };
    queued.insert(transaction).await?;
    Ok(())
}

/// Closes what a dead worker left open, and the runs whose job was given up before they began.
async fn close_abandoned(transaction: &impl ConnectionTrait, provider_id: i32, lease: &job::Claim) -> Result<(), DbErr> {
    let live = job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::COLUMN.lane.eq(lease.lane.as_str()))
        .filter(job::COLUMN.state.ne(job::JobState::Dead))
        .into_query();
    let pushes = job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::COLUMN.lane.eq(lease.lane.as_str()))
        .filter(job::COLUMN.state.ne(job::JobState::Dead))
        .filter(job::COLUMN.kind.eq(PushJob::KIND))
        .into_query();
    let is_abandoned = sync_run::Column::State
        .eq(RunState::Running)
        // That of a push is begun again with its job.
        .and(sync_run::Column::JobId.not_in_subquery(pushes))
        .or(sync_run::Column::State.eq(RunState::Queued).and(sync_run::Column::JobId.not_in_subquery(live)));
    sync_run::Entity::update_many()
        .col_expr(sync_run::Column::State, RunState::Failed.into())
        .col_expr(sync_run::Column::EndedAt, UtcInstant::now().into())
        .col_expr(sync_run::Column::ReasonCode, "abandoned".into())
        .col_expr(
            sync_run::Column::Reason,
            "its worker ended, or was away for longer than its lease; nothing of it was kept".into(),
        )
        .filter(sync_run::COLUMN.provider_id.eq(provider_id))
        .filter(is_abandoned)
        .exec(transaction)
        .await?;
    Ok(())
}

/// A document that is in the copy, and by what it will be known again.
#[derive(Debug)]
pub(super) struct Copied {
    http_status: Option<u16>,
    validators: Validators,
    bytes: u64,
    pub(super) body_hash: i64,
    reading_hash: i64,
}

impl Copied {
    pub(super) fn new(document: &FetchedDocument, reading_hash: i64) -> Self {
        let FetchedDocument { spool, http_status, validators, fresh_for: _ } = document;
        let (bytes, body_hash) = (spool.len(), spool.hash());
        Self { http_status: *http_status, validators: validators.clone(), bytes, body_hash, reading_hash }
    }
}

/// Closes a run whose feed went in, in the transaction that changed the copy.
pub(super) async fn copied(
    transaction: &impl ConnectionTrait,
    run: &sync_run::Model,
    copied: &Copied,
    counts: Counts,
    durations: Durations,
) -> Result<Report, DbErr> {
    let fresh = provider::ActiveModel {
        event_count: Set(column(counts.fetched)),
        reject_count: Set(column(counts.rejected)),
        ..known_by(copied)
    };
    let changed = counts.inserted + counts.updated + counts.left > 0;
    let state = if changed { RunState::Succeeded } else { RunState::Unchanged };
    let report = Report { run_id: run.id, state, bytes: copied.bytes, counts, durations, fresh_for: None };
    succeed(transaction, run, fresh, copied.http_status, report).await
}

/// Closes a run whose delta went in, in the transaction that changed the copy: it is no document's any more.
pub(super) async fn added(
    transaction: &impl ConnectionTrait,
    run: &sync_run::Model,
    provider: &provider::Model,
    delta: &Copied,
    counts: Counts,
    durations: Durations,
) -> Result<Report, DbErr> {
    let events = usize::try_from(provider.event_count).unwrap_or(0) + counts.inserted;
    let fresh = provider::ActiveModel {
        event_count: Set(column(events.saturating_sub(counts.left))),
        etag: Set(None),
        last_modified: Set(None),
        body_hash: Set(None),
        ..Default::default()
    };
    let changed = counts.inserted + counts.updated + counts.left > 0;
    let state = if changed { RunState::Succeeded } else { RunState::Unchanged };
    let report = Report { run_id: run.id, state, bytes: delta.bytes, counts, durations, fresh_for: None };
    succeed(transaction, run, fresh, None, report).await
}

/// Closes a run that got the very bytes of the copy.
pub(super) async fn same_body(
    database: &impl ConnectionTrait,
    run: &sync_run::Model,
    provider: &provider::Model,
    copied: &Copied,
    durations: Durations,
) -> Result<Report, DbErr> {
    let counts = counts_of(provider);
    let report = Report { run_id: run.id, state: RunState::Unchanged, bytes: copied.bytes, counts, durations, fresh_for: None };
    succeed(database, run, known_by(copied), copied.http_status, report).await
}

/// Closes a run that heard that the copy is the newest.
pub(super) async fn not_modified(
    database: &impl ConnectionTrait,
    run: &sync_run::Model,
    provider: &provider::Model,
    durations: Durations,
) -> Result<Report, DbErr> {
    let report =
        Report { run_id: run.id, state: RunState::Unchanged, bytes: 0, counts: counts_of(provider), durations, fresh_for: None };
    succeed(database, run, Default::default(), Some(NOT_MODIFIED), report).await
}

fn known_by(copied: &Copied) -> provider::ActiveModel {
    let Validators { etag, last_modified } = copied.validators.clone();
    provider::ActiveModel {
        etag: Set(etag),
        last_modified: Set(last_modified),
        body_hash: Set(Some(copied.body_hash)),
        reading_hash: Set(Some(copied.reading_hash)),
        ..Default::default()
    }
}

/// The counts of a feed that was not read because it is the copy's. What could not be taken of it stands with the run that read it.
fn counts_of(provider: &provider::Model) -> Counts {
    let [events, rejected] = [provider.event_count, provider.reject_count].map(|count| usize::try_from(count).unwrap_or(0));
    Counts { fetched: events, unchanged: events, rejected, ..Counts::default() }
}

async fn succeed(
    database: &impl ConnectionTrait,
    run: &sync_run::Model,
    fresh: provider::ActiveModel,
    http_status: Option<u16>,
    report: Report,
) -> Result<Report, DbErr> {
    let Report { state, bytes, counts, durations, .. } = report;
    let has_document = http_status != Some(NOT_MODIFIED);
    let closed = sync_run::ActiveModel {
        state: Set(state),
        ended_at: Set(Some(UtcInstant::now())),
        http_status: Set(http_status.and_then(|status| i16::try_from(status).ok())),
        bytes: Set(has_document.then(|| i64::try_from(bytes).unwrap_or(i64::MAX))),
        fetched: Set(column(counts.fetched)),
        inserted: Set(column(counts.inserted)),
        updated: Set(column(counts.updated)),
        unchanged: Set(column(counts.unchanged)),
        left: Set(column(counts.left)),
        rejected: Set(column(counts.rejected)),
        parse_ms: Set(Some(milliseconds(durations.parse))),
        diff_ms: Set(Some(milliseconds(durations.diff))),
        write_ms: Set(Some(milliseconds(durations.write))),
        ..run.clone().into_active_model()
    };
    closed.update(database).await?;
    let fresh = provider::ActiveModel {
        id: Set(run.provider_id),
        last_success_at: Set(Some(run.started_at)),
        failures: Set(0),
        pause_until: Set(None),
        pause_reason: Set(None),
        ..fresh
    };
    fresh.update(database).await?;
    forget_old_runs(database, run.provider_id).await?;
    Ok(report)
}

/// Closes a run that failed. What is written is for the operator's eyes and for clients': no text of a database or a driver.
pub(super) async fn fail(database: &DatabaseConnection, run: &sync_run::Model, error: &SyncError) -> Result<(), DbErr> {
    let closed = sync_run::ActiveModel {
        state: Set(RunState::Failed),
        ended_at: Set(Some(UtcInstant::now())),
        http_status: Set(error.http_status().and_then(|status| i16::try_from(status).ok())),
        reason_code: Set(Some(error.code().to_owned())),
        reason: Set(Some(error.to_string())),
        ..Default::default()
    };
    // Another worker that took over has closed it already.
    let still_running = sync_run::Entity::update_many()
        .set(closed)
        .filter(sync_run::COLUMN.id.eq(run.id))
        .filter(sync_run::COLUMN.state.eq(RunState::Running));
    still_running.exec(database).await?;
    forget_old_runs(database, run.provider_id).await
}

/// Lets a run wait again that met a fault of ours.
pub(super) async fn requeue(database: &DatabaseConnection, run: &sync_run::Model) -> Result<(), DbErr> {
    sync_run::Entity::update_many()
        .col_expr(sync_run::Column::State, RunState::Queued.into())
        .filter(sync_run::COLUMN.id.eq(run.id))
        .filter(sync_run::COLUMN.state.eq(RunState::Running))
        .exec(database)
        .await?;
    Ok(())
}

/// Enters what a run could not take.
pub(super) async fn keep_rejects(
    database: &impl ConnectionTrait,
    run: &sync_run::Model,
    rejects: &[Reject],
    document: &Spool,
) -> Result<(), SyncError> {
    let mut locator = Locator::new(document);
    let rows: Result<Vec<reject::ActiveModel>, io::Error> =
        (0..).zip(rejects).map(|(position, reject)| reject_row(run.id, position, reject, &mut locator, document)).collect();
    for chunk in chunks(rows.map_err(SyncError::Spool)?) {
        reject::Entity::insert_many(chunk).exec_without_returning(database).await?;
    }
    Ok(())
}

fn reject_row(
    sync_run_id: i64,
    position: i32,
    reject: &Reject,
    locator: &mut Locator<'_>,
    document: &Spool,
) -> io::Result<reject::ActiveModel> {
    let (base_event_source_id, event_source_id) = match reject.subject.clone() {
        RejectSubject::BaseEvent(base_event) => (base_event, None),
        RejectSubject::Event { base_event, event } => (Some(base_event), event),
    };
    let start = reject.span.start as u64;
    let (line, column) = locator.locate(start)?;
    // A character has four bytes at most.
    let raw = document.read(start..start + reject.span.len().min(4 * RAW_CHARACTERS) as u64)?;
    let row = reject::Model {
        sync_run_id,
        position,
        line: i64::try_from(line).unwrap_or(i64::MAX),
        column: i64::try_from(column).unwrap_or(i64::MAX),
        base_event_source_id,
        event_source_id,
        reason: reject.reason.clone(),
        raw: String::from_utf8_lossy(&raw).chars().take(RAW_CHARACTERS).collect(),
    };
    Ok(row.into_active_model())
}

/// Cuts the ledger of a provider to its length.
async fn forget_old_runs(database: &impl ConnectionTrait, provider_id: i32) -> Result<(), DbErr> {
    // With each run that ends one goes over each bound.
    if let Some(id) = run_behind(database, provider_id, RUNS_WITH_REJECTS).await? {
        reject::Entity::delete_many().filter(reject::COLUMN.sync_run_id.eq(id)).exec(database).await?;
    }
    if let Some(id) = run_behind(database, provider_id, RUNS_KEPT).await? {
        sync_run::Entity::delete_many()
            .filter(sync_run::COLUMN.provider_id.eq(provider_id))
            .filter(sync_run::COLUMN.id.lte(id))
            .exec(database)
            .await?;
    }
    Ok(())
}

/// The newest run of a provider that has this many newer ones.
async fn run_behind(database: &impl ConnectionTrait, provider_id: i32, newer: u64) -> Result<Option<i64>, DbErr> {
    sync_run::Entity::find()
        .select_only()
        .column(sync_run::Column::Id)
        .filter(sync_run::COLUMN.provider_id.eq(provider_id))
        .order_by_desc(sync_run::Column::Id)
        .offset(newer)
        .limit(1)
        .into_tuple()
        .one(database)
        .await
}

fn column(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
