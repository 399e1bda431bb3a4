//! Reads a document whole and compares it with the copy.

use std::{sync::Arc, time::Duration};

use entity::{deadline, provider};
use sea_orm::DatabaseConnection;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    SyncError,
    churn_guard::ChurnGuard,
    copied::CopiedRows,
    guard,
    identity::ItemIds,
    last_document,
    report::Stopwatch,
    summary::{FeedComparison, FeedSummary, SpooledFeed},
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

/// Compares a document with the copy. A delta has no opinion on base events that it does not contain. Every element is parsed if it
/// `is_full`.
pub(super) async fn compare(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    provider: &provider::Model,
    (document, is_delta, is_full, month): (FetchedDocument, bool, bool, ReadMonth),
    progress: &ProgressCounter,
) -> Result<ComparedFeed, SyncError> {
    let mut watch = Stopwatch::start();
    let fetching_ids = ItemIds::fetch(database, provider.id, provider.identity_slug());
    let reading_hash = last_document::reading_hash(entry, month);
    let is_read_the_same = !is_full && provider.reading_hash == Some(reading_hash);
    let fetching_rows = CopiedRows::fetch(database, provider.id, (reading_hash, is_read_the_same));
    let fetching = async { tokio::try_join!(fetching_ids, fetching_rows) };
    let (ids, copied) = deadline::within(deadline::BULK, database, fetching).await?;
    let feed = Arc::new(SpooledFeed {
        spool: document.spool,
        pages: document.pages,
        format: entry.format,
        conventions: build_conventions(entry, provider, month),
        ids,
        copied,
    });
    progress.begin(ProgressStage::Reading, None);
    let summary = summarize(&feed).await?;
    let parse = watch.lap();
    let events_before = if is_delta { 0 } else { usize::try_from(provider.event_count).unwrap_or(0) };
    let mut refusal = guard::check(entry, &summary, events_before).err();
    let unidentified = usize::try_from(provider.unidentified_count).unwrap_or(0);
    let comparing = feed.clone();
    let compared = tokio::task::spawn_blocking(move || summary.compare(&comparing.copied.rows, unidentified)).await;
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
