//! Reads a document whole and compares it with the copy.

use std::{sync::Arc, time::Duration};

use entity::{base_event, deadline, provider};
use futures_util::TryStreamExt;
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use super::{
    SyncError,
    churn_guard::ChurnGuard,
    guard,
    identity::ItemIds,
    report::Stopwatch,
    summary::{CopiedHashes, FeedComparison, FeedSummary, SpooledFeed},
};
use crate::{
    progress::{ProgressCounter, ProgressStage},
    provider::{
        entry::ProviderEntry,
        fetch::FetchedDocument,
        format::{Conventions, ReadMonth},
    },
};

/// Syncs of this process that read and write at the same time: each holds a summary of its feed and one of the pool's five connections,
/// and other syncs need connections to open their runs. Waiting for a provider takes no slot.
static SYNC_SLOTS: Semaphore = Semaphore::const_new(3);

/// Waits for a slot to read and write a feed.
pub(super) async fn acquire_slot() -> Result<SemaphorePermit<'static>, SyncError> {
    SYNC_SLOTS.acquire().await.map_err(SyncError::Slot)
}

/// A document that was read whole and compared with the copy.
pub(super) struct ComparedFeed {
    pub(super) feed: Arc<SpooledFeed>,
    pub(super) summary: Arc<FeedSummary>,
    pub(super) comparison: FeedComparison,
    /// Why the feed is not trusted, if so.
    pub(super) refusal: Option<SyncError>,
    /// Compares the ids of events while the changes are read; `None` for a delta and for a first load.
    pub(super) churn_guard: Option<ChurnGuard>,
    pub(super) parse: Duration,
    pub(super) diff: Duration,
}

/// Compares a document with the copy. A delta has no opinion on base events that it does not contain.
pub(super) async fn compare(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    provider: &provider::Model,
    (document, is_delta, month): (FetchedDocument, bool, ReadMonth),
    progress: &ProgressCounter,
) -> Result<ComparedFeed, SyncError> {
    let mut watch = Stopwatch::start();
    let fetching_ids = ItemIds::fetch(database, provider.id, provider.identity_slug());
    let feed = Arc::new(SpooledFeed {
        spool: document.spool,
        pages: document.pages,
        format: entry.format,
        conventions: build_conventions(entry, provider, month),
        ids: deadline::within(deadline::BULK, database, fetching_ids).await?,
    });
    progress.begin(ProgressStage::Reading, None);
    let timed_summary = async { (summarize(&feed).await, watch.lap()) };
    let fetching = deadline::within(deadline::BULK, database, fetch_hashes(database, provider.id));
    let ((summary, parse), copied) = tokio::join!(timed_summary, fetching);
    let (summary, copied) = (summary?, copied?);
    let events_before = if is_delta { 0 } else { usize::try_from(provider.event_count).unwrap_or(0) };
    let mut refusal = guard::check(entry, &summary, events_before).err();
    let unidentified = usize::try_from(provider.unidentified_count).unwrap_or(0);
    let compared = tokio::task::spawn_blocking(move || summary.compare(&copied, unidentified)).await;
    let (summary, mut comparison) = compared.map_err(SyncError::Panic)?;
    let mut churn_guard = None;
    if is_delta {
        comparison.removed.clear();
    } else {
        let counting = ChurnGuard::count(database, entry, provider, &summary, &comparison);
        churn_guard = deadline::within(deadline::BULK, database, counting).await?;
        refusal = refusal.or_else(|| churn_guard.as_ref()?.decide().err());
    }
    Ok(ComparedFeed { feed, summary: Arc::new(summary), comparison, refusal, churn_guard, parse, diff: watch.lap() })
}

/// How the feed of a provider is read.
pub(super) fn build_conventions(entry: &ProviderEntry, provider: &provider::Model, month: ReadMonth) -> Conventions {
    let digits = u8::try_from(provider.currency_digits).unwrap_or(entry.currency.digits());
    Conventions {
        time_zone: entry.time_zone,
        currency: entry.currency.clone().with_digits(digits),
        category_map: entry.category_map.clone(),
        id_from: entry.id_from.clone(),
        origin: entry.url.origin(),
        month,
    }
}

async fn summarize(feed: &Arc<SpooledFeed>) -> Result<FeedSummary, SyncError> {
    let feed = feed.clone();
    let summary = tokio::task::spawn_blocking(move || feed.summarize()).await.map_err(SyncError::Panic)??;
    if let Some(first) = summary.warnings.listed.first() {
        tracing::warn!(
            sync.warnings = summary.warnings.count,
            first = first.reason,
            "the feed has warnings; `marquee-worker lint` lists them"
        );
    }
    Ok(summary)
}

/// The content hash of each base event in a provider's copy, ordered by id.
async fn fetch_hashes(database: &DatabaseConnection, provider_id: i32) -> Result<CopiedHashes, DbErr> {
    let rows = base_event::Entity::find()
        .select_only()
        .columns([base_event::Column::Id, base_event::Column::ContentHash])
        .filter(base_event::COLUMN.provider_id.eq(provider_id))
        .into_tuple::<(Uuid, Option<i64>)>();
    // As a stream: the driver's rows are ten times as large as the tuples.
    let mut copied: CopiedHashes = rows.stream(database).await?.try_collect().await?;
    copied.sort_unstable_by_key(|(id, _)| *id);
    Ok(copied)
}
