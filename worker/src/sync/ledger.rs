//! The ledger: each run is entered before it begins and closed however it ends, so that one that was killed shows.

use std::time::Duration;

use entity::{UtcInstant, provider, reject, sync_run, sync_run::State};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect,
};

use super::{
    SyncError,
    chunks::chunks,
    report::{Counts, Report},
};
use crate::provider::{
    fetch::{Document, Validators},
    format::Locator,
    item::{Reject, Subject},
};

/// The status of an answer without a document because the copy is the newest.
const NOT_MODIFIED: u16 = 304;
/// A run that says that it is running for longer than this was killed: no answer may take longer than ten minutes, and no write
/// comes near the rest.
const ABANDONED_AFTER: Duration = Duration::from_secs(30 * 60);
/// Runs that are kept of each provider: a day of one every ten seconds, over a year of one an hour.
const RUNS_KEPT: u64 = 10_000;
/// Runs of each provider whose rejects are kept: whoever mends a feed looks at the newest.
const RUNS_WITH_REJECTS: u64 = 100;
/// Rejects that are kept of each run; past them the reasons repeat, and the count is exact all the same.
const REJECTS_KEPT: usize = 1_000;
/// How much of a reject's raw text is kept: enough to recognise it.
const RAW_CHARACTERS: usize = 2_000;

/// Enters a run that begins now, and closes what a killed worker left open.
pub(super) async fn begin(database: &DatabaseConnection, provider_id: i32) -> Result<sync_run::Model, DbErr> {
    let now = UtcInstant::now();
    let abandoned_before = UtcInstant(now.0 - i64::try_from(ABANDONED_AFTER.as_micros()).unwrap_or(i64::MAX));
    sync_run::Entity::update_many()
        .col_expr(sync_run::Column::State, State::Failed.into())
        .col_expr(sync_run::Column::EndedAt, now.into())
        .col_expr(sync_run::Column::ReasonCode, "abandoned".into())
        .col_expr(sync_run::Column::Reason, "the worker ended in the middle of the run; nothing of it was kept".into())
        .filter(sync_run::COLUMN.provider_id.eq(provider_id))
        .filter(sync_run::COLUMN.state.eq(State::Running))
        .filter(sync_run::COLUMN.started_at.lt(abandoned_before))
        .exec(database)
        .await?;
    let run = sync_run::ActiveModel {
        provider_id: Set(provider_id),
        state: Set(State::Running),
        started_at: Set(now),
        fetched: Set(0),
        inserted: Set(0),
        updated: Set(0),
        unchanged: Set(0),
        left: Set(0),
        rejected: Set(0),
        ..Default::default()
    };
    run.insert(database).await
}

/// A document that is in the copy, and by what it will be known again.
#[derive(Debug)]
pub(super) struct Copied<'a> {
    pub(super) document: &'a Document,
    pub(super) body_hash: i64,
    pub(super) reading_hash: i64,
}

/// Closes a run whose feed went in, in the transaction that changed the copy.
pub(super) async fn copied(
    transaction: &impl ConnectionTrait,
    run: &sync_run::Model,
    copied: &Copied<'_>,
    counts: Counts,
) -> Result<Report, DbErr> {
    let fresh = provider::ActiveModel {
        event_count: Set(column(counts.fetched)),
        reject_count: Set(column(counts.rejected)),
        ..known_by(copied)
    };
    let changed = counts.inserted + counts.updated + counts.left > 0;
    let state = if changed { State::Succeeded } else { State::Unchanged };
    succeed(
        transaction,
        run,
        fresh,
        state,
        (copied.document.http_status, usize::try_from(copied.document.spool.len()).ok()),
        counts,
    )
    .await
}

/// Closes a run that got the very bytes of the copy.
pub(super) async fn same_body(
    database: &impl ConnectionTrait,
    run: &sync_run::Model,
    provider: &provider::Model,
    copied: &Copied<'_>,
) -> Result<Report, DbErr> {
    let answer = (copied.document.http_status, usize::try_from(copied.document.spool.len()).ok());
    succeed(database, run, known_by(copied), State::Unchanged, answer, counts_of(provider)).await
}

/// Closes a run that heard that the copy is the newest.
pub(super) async fn not_modified(
    database: &impl ConnectionTrait,
    run: &sync_run::Model,
    provider: &provider::Model,
) -> Result<Report, DbErr> {
    succeed(database, run, Default::default(), State::Unchanged, (Some(NOT_MODIFIED), None), counts_of(provider)).await
}

fn known_by(copied: &Copied<'_>) -> provider::ActiveModel {
    let Validators { etag, last_modified } = copied.document.validators.clone();
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
    state: State,
    (http_status, bytes): (Option<u16>, Option<usize>),
    counts: Counts,
) -> Result<Report, DbErr> {
    let closed = sync_run::ActiveModel {
        state: Set(state),
        ended_at: Set(Some(UtcInstant::now())),
        http_status: Set(http_status.and_then(|status| i16::try_from(status).ok())),
        bytes: Set(bytes.and_then(|bytes| i64::try_from(bytes).ok())),
        fetched: Set(column(counts.fetched)),
        inserted: Set(column(counts.inserted)),
        updated: Set(column(counts.updated)),
        unchanged: Set(column(counts.unchanged)),
        left: Set(column(counts.left)),
        rejected: Set(column(counts.rejected)),
        ..run.clone().into_active_model()
    };
    closed.update(database).await?;
    let fresh = provider::ActiveModel { id: Set(run.provider_id), last_success_at: Set(Some(run.started_at)), ..fresh };
    fresh.update(database).await?;
    forget_old_runs(database, run.provider_id).await?;
    Ok(Report { run_id: run.id, state, bytes: bytes.unwrap_or(0), counts })
}

/// Closes a run that failed. What is written is for the operator's eyes and for clients': no text of a database or a driver.
pub(super) async fn fail(database: &DatabaseConnection, run: &sync_run::Model, error: &SyncError) -> Result<(), DbErr> {
    let closed = sync_run::ActiveModel {
        state: Set(State::Failed),
        ended_at: Set(Some(UtcInstant::now())),
        http_status: Set(error.http_status().and_then(|status| i16::try_from(status).ok())),
        reason_code: Set(Some(error.code().to_owned())),
        reason: Set(Some(error.to_string())),
        ..run.clone().into_active_model()
    };
    closed.update(database).await?;
    forget_old_runs(database, run.provider_id).await
}

/// Enters what a run could not take.
pub(super) async fn keep_rejects(
    database: &impl ConnectionTrait,
    run: &sync_run::Model,
    rejects: &[Reject],
    document: &[u8],
) -> Result<(), DbErr> {
    let mut locator = Locator::new(document);
    let rows: Vec<reject::ActiveModel> = (0..)
        .zip(rejects.iter().take(REJECTS_KEPT))
        .map(|(position, reject)| {
            let place = locator.locate(reject.span.start);
            reject_row(run.id, position, reject, place, document).into_active_model()
        })
        .collect();
    for chunk in chunks(rows) {
        reject::Entity::insert_many(chunk).exec_without_returning(database).await?;
    }
    Ok(())
}

fn reject_row(
    sync_run_id: i64,
    position: i32,
    reject: &Reject,
    (line, column): (usize, usize),
    document: &[u8],
) -> reject::Model {
    let (base_event_source_id, event_source_id) = match reject.subject.clone() {
        Subject::BaseEvent(base_event) => (base_event, None),
        Subject::Event { base_event, event } => (Some(base_event), event),
    };
    let raw = document.get(reject.span.clone()).unwrap_or_default();
    // A character has four bytes at most.
    let raw = &raw[..raw.len().min(4 * RAW_CHARACTERS)];
    reject::Model {
        sync_run_id,
        position,
        line: i64::try_from(line).unwrap_or(i64::MAX),
        column: i64::try_from(column).unwrap_or(i64::MAX),
        base_event_source_id,
        event_source_id,
        reason: reject.reason.clone(),
        raw: String::from_utf8_lossy(raw).chars().take(RAW_CHARACTERS).collect(),
    }
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
