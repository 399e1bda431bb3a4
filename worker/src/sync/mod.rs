//! One sync: brings the copy of one provider's catalogue to what its feed says now.
//!
//! A sync is a reconciler. It takes no input but whose feed it is, does the same however often it is called, and needs no
//! memory of the last time but the copy itself. The way of the data:
//!
//! ```text
//! fetch -> read (items and rejects) -> guard -> one transaction: compare, write, raise the version, close the run
//! ```
//!
//! Up to the transaction nothing is written but the run's own row; a feed goes in whole or not at all. This room knows nothing
//! of schedules (`schedule` does) or of HTTP and XML (`provider` does).

mod chunks;
mod diff;
mod fingerprint;
pub mod identity;
mod ledger;
pub mod register;
mod report;
mod write;

use std::{path::PathBuf, time::Instant};

use entity::{provider, sync_run};
use sea_orm::{DatabaseConnection, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait};

use self::diff::Origin;
pub use self::report::{Counts, Report};
use crate::provider::{
    entry::ProviderEntry,
    fetch::{self, Document, FetchError},
    format::{Conventions, DocumentError},
    item::Feed,
};

/// Below this many rejects the share of rejects is not looked at: a feed of three is not refused for one bad item.
const REJECTS_FLOOR: usize = 10;

/// Where the document comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The provider's URL.
    Provider(fetch::Client),
    /// A file, as if the provider had sent it.
    File(PathBuf),
}

/// Why a run failed. Display is for the ledger and for clients; causes are for the log.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// There is no document.
    #[error("{0}")]
    Fetch(#[source] FetchError),
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[source] std::io::Error),
    /// The document cannot be trusted.
    #[error("{0}")]
    Document(#[from] DocumentError),
    /// Too much of the feed is faulty for the rest to be believed.
    #[error("{rejects} of {items} items are rejects, over the share of {allowed_share} that is allowed; the first: {first}")]
    TooManyRejects {
        /// How many are.
        rejects: usize,
        /// Of how many.
        items: usize,
        /// The limit.
        allowed_share: f64,
        /// What is wrong with the first.
        first: String,
    },
    /// The parser died, which is a fault of ours.
    #[error("the feed could not be read because of a fault in Marquee")]
    Reader(#[source] tokio::task::JoinError),
    /// The copy could not be written.
    #[error("the database could not be read or written")]
    Database(#[from] DbErr),
}

impl SyncError {
    /// A stable word for the ledger.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.code(),
            Self::File(_) => "unreadable_file",
            Self::Document(error) => error.code(),
            Self::TooManyRejects { .. } => "too_many_rejects",
            Self::Reader(_) => "internal",
            Self::Database(_) => "database",
        }
    }

    fn http_status(&self) -> Option<u16> {
        match self {
            Self::Fetch(error) => error.http_status(),
            _ => None,
        }
    }
}

/// Runs one sync and enters it in the ledger.
///
/// # Errors
///
/// When the copy is not what the feed says now: it is as it was before, and the ledger says why, unless it is the database
/// that is away.
pub async fn sync(database: &DatabaseConnection, entry: &ProviderEntry, source: &Source) -> Result<Report, SyncError> {
    let started = Instant::now();
    let outcome = entered(database, entry, source).await;
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &outcome {
        Ok(Report { run_id, state, bytes, counts }) => tracing::info!(
            provider = entry.slug,
            sync.run = run_id,
            sync.state = state.name(),
            sync.duration_ms = duration_ms,
            sync.bytes = bytes,
            sync.fetched = counts.fetched,
            sync.inserted = counts.inserted,
            sync.updated = counts.updated,
            sync.unchanged = counts.unchanged,
            sync.left = counts.left,
            sync.rejected = counts.rejected,
            "sync ended"
        ),
        Err(error) => tracing::warn!(
            provider = entry.slug,
            sync.duration_ms = duration_ms,
            sync.reason = error.code(),
            error = telemetry::with_causes(error),
            "sync failed, the copy is as it was"
        ),
    }
    outcome
}

async fn entered(database: &DatabaseConnection, entry: &ProviderEntry, source: &Source) -> Result<Report, SyncError> {
    let provider = register::register(database, entry).await?;
    let run = ledger::begin(database, provider.id).await?;
    let outcome = attempt(database, entry, source, &provider, &run).await;
    if let Err(error) = &outcome
        && let Err(unwritten) = ledger::fail(database, &run, error).await
    {
        tracing::error!(
            provider = entry.slug,
            sync.run = run.id,
            error = telemetry::with_causes(&unwritten),
            "the ledger could not be written"
        );
    }
    outcome
}

async fn attempt(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    source: &Source,
    provider: &provider::Model,
    run: &sync_run::Model,
) -> Result<Report, SyncError> {
    let document = obtain(entry, source).await?;
    let feed = read(entry, &document).await?;
    if let Err(refusal) = guard(entry, &feed) {
        ledger::keep_rejects(database, run, &feed.rejects, &document.bytes).await?;
        return Err(refusal);
    }

    // A write lock from the start: SQLite cannot raise a reader's to a writer's when another writer came between.
    let options = TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
    let transaction = database.begin_with_options(options).await?;
    let origin =
        Origin { provider_id: provider.id, slug: &entry.slug, taken_at: run.started_at, last_taken_at: provider.last_success_at };
    let counts = write::apply(&transaction, origin, &feed).await?;
    ledger::keep_rejects(&transaction, run, &feed.rejects, &document.bytes).await?;
    let bytes = document.bytes.len();
    let state = ledger::succeed(&transaction, run, (document.http_status, bytes), counts).await?;
    transaction.commit().await?;
    Ok(Report { run_id: run.id, state, bytes, counts })
}

async fn obtain(entry: &ProviderEntry, source: &Source) -> Result<Document, SyncError> {
    match source {
        Source::Provider(client) => {
            fetch::fetch(client, &entry.url, entry.answer_timeout, entry.max_body_bytes).await.map_err(SyncError::Fetch)
        }
        Source::File(path) => {
            let size = tokio::fs::metadata(path).await.map_err(SyncError::File)?.len();
            if size > entry.max_body_bytes {
                return Err(SyncError::Fetch(FetchError::TooLarge { limit_bytes: entry.max_body_bytes }));
            }
            let bytes = tokio::fs::read(path).await.map_err(SyncError::File)?.into();
            Ok(Document { bytes, http_status: None })
        }
    }
}

async fn read(entry: &ProviderEntry, document: &Document) -> Result<Feed, SyncError> {
    let format = entry.format;
    let conventions = Conventions { time_zone: entry.time_zone, currency: entry.currency.clone() };
    let bytes = document.bytes.clone();
    let feed = tokio::task::spawn_blocking(move || format.read(&bytes, &conventions)).await.map_err(SyncError::Reader)?;
    Ok(feed?)
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits than the 2^53 items that a float counts")]
fn guard(entry: &ProviderEntry, feed: &Feed) -> Result<(), SyncError> {
    let rejects = feed.rejects.len();
    let items = feed.event_count() + rejects;
    let within_share = rejects as f64 <= entry.max_rejects_share * items as f64;
    match feed.rejects.first() {
        Some(first) if rejects >= REJECTS_FLOOR && !within_share => {
            Err(SyncError::TooManyRejects { rejects, items, allowed_share: entry.max_rejects_share, first: first.reason.clone() })
        }
        _ => Ok(()),
    }
}
