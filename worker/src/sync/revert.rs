//! `marquee-worker revert`: restores what one sync run has changed, as a new release.
//!
//! A run can be reverted while its previous rows are stored, and as long as no later run has changed the same base events, venues or
//! performers. All of it is one transaction.

use std::{collections::HashSet, io};

use entity::{
    begin_write, daily_total, database_now, deadline,
    job::{self, Claim},
    key_chunks, performer, provider,
    release::Cause,
    sync_run, undo, venue,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect,
};

use super::{
    SyncError,
    changes::fetch_copied,
    diff::FeedOrigin,
    record::{ChangeRecorder, PreviousRows, PublishedRelease},
    write::CopyWriter,
};

/// Why a run cannot be reverted. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RevertError {
    /// The run does not exist.
    #[error("sync run {0} does not exist; `/sync-runs` lists the runs")]
    UnknownRun(i64),
    /// The previous state is not stored.
    #[error(
        "the previous state of sync run {0} is not stored: the run changed nothing, was the first load of its provider, was reverted \
         already, is too old, or ended before a takedown or a `rekey`"
    )]
    NotStored(i64),
    /// Later runs have changed the same items.
    #[error(
        "later runs have changed the same items; first revert, in this order: {}",
        runs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    Overtaken {
        /// Those runs, newest first.
        runs: Vec<i64>,
    },
    /// The lease of the provider was lost.
    #[error("another process syncs the provider now; nothing was changed")]
    LeaseLost,
    /// The stored state cannot be decoded.
    #[error("the previous state of the run cannot be read")]
    Unreadable(#[source] io::Error),
    /// The copy could not be written.
    #[error(transparent)]
    Write(#[from] SyncError),
    /// The database failed.
    #[error("the database could not be read or written")]
    Database(#[from] DbErr),
}

/// What an undo did.
#[derive(Debug)]
pub struct RevertReport {
    /// Events with their previous content.
    pub restored: usize,
    /// Events that the run had created.
    pub removed: usize,
    /// The version of the release.
    pub release: i64,
    /// How many changes of each kind were logged, as JSON.
    pub changes: String,
}

/// The run to revert, with its provider.
///
/// # Errors
///
/// When the run does not exist, or the database is unavailable.
pub async fn find_run(database: &DatabaseConnection, run_id: i64) -> Result<(sync_run::Model, provider::Model), RevertError> {
    let finding = sync_run::Entity::find_by_id(run_id).find_also_related(provider::Entity).one(database);
    match deadline::within(deadline::SHORT, database, finding).await? {
        Some((run, Some(provider))) => Ok((run, provider)),
        _ => Err(RevertError::UnknownRun(run_id)),
    }
}

/// Reverts a run, under the lease of its provider. Without a lease it is a dry run, which is rolled back.
///
/// # Errors
///
/// When the run cannot be reverted. Nothing is changed then.
pub async fn revert(
    database: &DatabaseConnection,
    run: &sync_run::Model,
    lease: Option<&Claim>,
) -> Result<RevertReport, RevertError> {
    let transaction = begin_write(database).await?;
    let locking = provider::Entity::find_by_id(run.provider_id).lock_exclusive().one(&transaction);
    let provider = deadline::within(deadline::BULK, &transaction, locking).await?.ok_or(RevertError::UnknownRun(run.id))?;
    let parts = deadline::within(deadline::BULK, &transaction, fetch_parts(&transaction, run)).await?;
    check_order(&transaction, run, &parts).await?;
    let (report, published) = restore(&transaction, run, &provider, parts).await?;
    let Some(lease) = lease else {
        transaction.rollback().await?;
        return Ok(report);
    };
    if !job::queue::finish(&transaction, lease).await? {
        transaction.rollback().await?;
        return Err(RevertError::LeaseLost);
    }
    transaction.commit().await?;
    published.count();
    tracing::info!(
        sync_run.id = run.id,
        revert.restored = report.restored,
        revert.removed = report.removed,
        release.version = report.release,
        "sync run reverted"
    );
    Ok(report)
}

async fn fetch_parts(transaction: &DatabaseTransaction, run: &sync_run::Model) -> Result<Vec<undo::Model>, DbErr> {
    undo::Entity::find().filter(undo::COLUMN.sync_run_id.eq(run.id)).order_by_asc(undo::Column::Part).all(transaction).await
}

/// Refuses to revert items that a later run has changed.
async fn check_order(transaction: &DatabaseTransaction, run: &sync_run::Model, parts: &[undo::Model]) -> Result<(), RevertError> {
    if parts.is_empty() {
        return Err(RevertError::NotStored(run.id));
    }
    let mut items = HashSet::new();
    for part in parts {
        items.extend(decode(part)?.list_items());
    }
    let later = undo::Entity::find()
        .filter(undo::COLUMN.provider_id.eq(run.provider_id))
        .filter(undo::COLUMN.sync_run_id.gt(run.id))
        .select_only()
        .columns([undo::Column::SyncRunId, undo::Column::Part])
        .order_by_desc(undo::Column::SyncRunId)
        .into_tuple::<(i64, i32)>();
    let mut runs: Vec<i64> = Vec::new();
    // One by one: together they may be larger than memory.
    for key in later.all(transaction).await? {
        let Some(part) = undo::Entity::find_by_id(key).one(transaction).await? else { continue };
        if runs.last() != Some(&key.0) && decode(&part)?.list_items().any(|item| items.contains(&item)) {
            runs.push(key.0);
        }
    }
    if runs.is_empty() { Ok(()) } else { Err(RevertError::Overtaken { runs }) }
}

fn decode(part: &undo::Model) -> Result<PreviousRows, RevertError> {
    PreviousRows::decode(&part.previous).map_err(RevertError::Unreadable)
}

async fn restore(
    transaction: &DatabaseTransaction,
    run: &sync_run::Model,
    provider: &provider::Model,
    parts: Vec<undo::Model>,
) -> Result<(RevertReport, PublishedRelease), RevertError> {
    let now = database_now(transaction).await?;
    let origin = FeedOrigin { provider_id: provider.id, fetched_at: now, last_fetched_at: None };
    let mut recorder = ChangeRecorder::of_undo(provider, now);
    let mut writer = CopyWriter::new(origin);
    let mut body_hash = None;
    let (mut restored, mut removed, mut listed) = (0, 0, i64::from(provider.event_count));
    let (mut new_venues, mut new_performers) = (Vec::new(), Vec::new());
    for part in &parts {
        let rows = decode(part)?;
        body_hash = body_hash.or(rows.body_hash);
        new_venues.extend_from_slice(&rows.new_venues);
        new_performers.extend_from_slice(&rows.new_performers);
        let base_events = rows.list_base_events();
        let copied = deadline::within(deadline::BULK, transaction, fetch_copied(transaction, base_events)).await?;
        let mut changes = rows.into_changes(&copied, now)?;
        restored += changes.changed_events.len();
        removed += changes.deleted_events.len();
        listed += changes.count_listed_difference(&copied);
        recorder.add(transaction, &copied, &mut changes).await?;
        writer.write(transaction, changes).await?;
    }
    for ids in key_chunks(new_venues) {
        recorder.remove_venues(&venue::delete_unused(transaction, ids).await?);
    }
    for ids in key_chunks(new_performers) {
        recorder.remove_performers(&performer::delete_unused(transaction, ids).await?);
    }
    let published = recorder.publish(transaction, (Cause::Revert, Some(run.id))).await?;
    undo::Entity::delete_many().filter(undo::COLUMN.sync_run_id.eq(run.id)).exec(transaction).await?;
    refuse_document(transaction, provider, body_hash, (&published, listed)).await?;
    let changes = published.describe_changes();
    Ok((RevertReport { restored, removed, release: published.release.version, changes }, published))
}

/// Refuses a document from now on, and requests the next one in full: the document of the copy, because the provider has the reverted
/// content in it. A copy to which deltas were applied is not that of one document. Then it is the document of the reverted run.
async fn refuse_document(
    transaction: &DatabaseTransaction,
    provider: &provider::Model,
    body_hash: Option<i64>,
    (published, listed): (&PublishedRelease, i64),
) -> Result<(), DbErr> {
    let columns = provider::ActiveModel {
        event_count: Set(i32::try_from(listed).unwrap_or(i32::MAX)),
        etag: Set(None),
        last_modified: Set(None),
        body_hash: Set(None),
        reverted_body_hash: Set(provider.body_hash.or(body_hash).or(provider.reverted_body_hash)),
        ..provider.clone().into_active_model()
    };
    columns.update(transaction).await?;
    daily_total::set_last_release(transaction, [provider.id], &published.release).await
}

/// Accepts the refused document of a provider again.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn accept_document(database: &DatabaseConnection, slug: &str) -> Result<(), DbErr> {
    provider::Entity::update_many()
        .col_expr(provider::Column::RevertedBodyHash, None::<i64>.into())
        .filter(provider::COLUMN.slug.eq(slug))
        .exec(database)
        .await?;
    Ok(())
}
