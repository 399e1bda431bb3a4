//! One sync: brings the copy of one provider's catalogue to what its feed says now.
//!
//! A sync is a reconciler. It takes no input but whose feed it is, does the same however often it is called, and needs no
//! memory of the last time but the copy itself. The way of the data:
//!
//! ```text
//! fetch, unless it is not modified -> read, unless the bytes are the same -> guard
//!   -> one transaction: compare, write, raise the version, close the run
//! ```
//!
//! Up to the transaction nothing is written but the run's own row; a feed goes in whole or not at all. This room knows nothing
//! of schedules (`schedule` does) or of HTTP and XML (`provider` does).

mod chunks;
mod diff;
mod fingerprint;
mod guard;
pub mod identity;
mod ledger;
mod reading;
pub mod register;
mod report;
mod write;

use std::{path::PathBuf, time::Instant};

use bytes::Bytes;
use entity::{provider, sync_run};
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QuerySelect, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use tokio::sync::{AcquireError, Semaphore};

use self::diff::Origin;
pub use self::report::{Counts, Report};
use crate::{
    progress::Progress,
    provider::{
        entry::ProviderEntry,
        fetch::{self, Answer, Document, FetchError, Validators},
        format::{Conventions, DocumentError},
        item::Feed,
        spool::{self, SpoolError},
    },
};

/// Syncs of this process that may read and write at the same time: each holds a feed in memory and a connection of the pool's five,
/// and the others must be able to enter their runs meanwhile. Waiting for a provider takes no turn.
static TURNS: Semaphore = Semaphore::const_new(3);

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
    /// The feed holds so much less than the copy before that part of it was probably lost on the way.
    #[error(
        "{now} events after {before} before, a loss over the share of {allowed_share} that is allowed; \
         `marquee-worker sync SLUG --accept-shrink` takes it all the same"
    )]
    Shrunk {
        /// Events of the copy before.
        before: usize,
        /// Events of this feed.
        now: usize,
        /// The limit.
        allowed_share: f64,
    },
    /// Another run of the provider ended well while this one was under way.
    #[error("another run has taken a newer copy meanwhile; the next one goes on from there")]
    Superseded,
    /// The settings name another currency than the copy's, whose prices would mean something else.
    #[error("the copy's prices are in {copied_in}: a provider that changes its currency wants a new slug")]
    CurrencyChanged {
        /// The currency of the copy.
        copied_in: String,
    },
    /// The process is ending.
    #[error("the worker is ending")]
    Turn(#[source] AcquireError),
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
            Self::Shrunk { .. } => "shrunk",
            Self::Superseded => "superseded",
            Self::CurrencyChanged { .. } => "currency_changed",
            Self::Turn(_) | Self::Reader(_) => "internal",
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
    sync_with(database, entry, source, &Progress::none()).await
}

/// The same, telling how far it is.
///
/// # Errors
///
/// As [`sync`].
pub async fn sync_with(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    source: &Source,
    progress: &Progress,
) -> Result<Report, SyncError> {
    let started = Instant::now();
    let (run_id, outcome) = entered(database, entry, source, progress).await;
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &outcome {
        Ok(Report { state, bytes, counts, .. }) => tracing::info!(
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
            sync.run = run_id,
            sync.duration_ms = duration_ms,
            sync.reason = error.code(),
            error = telemetry::with_causes(error),
            "sync failed, the copy is as it was"
        ),
    }
    outcome
}

/// Runs one sync, entered in the ledger; its number is missing if not even that could be done.
async fn entered(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    source: &Source,
    progress: &Progress,
) -> (Option<i64>, Result<Report, SyncError>) {
    let begun = async {
        let provider = register::register(database, entry).await?;
        let run = ledger::begin(database, provider.id).await?;
        Ok::<_, DbErr>((provider, run))
    };
    let (provider, run) = match begun.await {
        Ok(begun) => begun,
        Err(error) => return (None, Err(error.into())),
    };
    let outcome = attempt(database, entry, source, progress, (&provider, &run)).await;
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
    (Some(run.id), outcome)
}

async fn attempt(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    source: &Source,
    progress: &Progress,
    (provider, run): (&provider::Model, &sync_run::Model),
) -> Result<Report, SyncError> {
    if provider.currency != entry.currency.code() {
        return Err(SyncError::CurrencyChanged { copied_in: provider.currency.clone() });
    }
    let last = reading::last_document(entry, provider);
    let answer = obtain(entry, source, &last.validators, progress).await?;
    let _turn = TURNS.acquire().await.map_err(SyncError::Turn)?;
    let Answer::Document(document) = answer else {
        let transaction = begin(database, provider).await?;
        let report = ledger::not_modified(&transaction, run, provider).await?;
        transaction.commit().await?;
        return Ok(report);
    };
    let body_hash = document.spool.hash();
    let copied = ledger::Copied { document: &document, body_hash, reading_hash: reading::reading_hash(entry) };
    if last.body_hash == Some(body_hash) {
        let transaction = begin(database, provider).await?;
        let report = ledger::same_body(&transaction, run, provider, &copied).await?;
        transaction.commit().await?;
        return Ok(report);
    }
    let bytes = document.spool.read(0..document.spool.len()).map_err(SyncError::File)?;
    let feed = read(entry, bytes.clone()).await?;
    let events_before = usize::try_from(provider.event_count).unwrap_or(0);
    if let Err(refusal) = guard::check(entry, &feed, events_before) {
        ledger::keep_rejects(database, run, &feed.rejects, &bytes).await?;
        return Err(refusal);
    }

    let transaction = begin(database, provider).await?;
    let origin =
        Origin { provider_id: provider.id, slug: &entry.slug, taken_at: run.started_at, last_taken_at: provider.last_success_at };
    let counts = write::apply(&transaction, origin, &feed).await?;
    ledger::keep_rejects(&transaction, run, &feed.rejects, &bytes).await?;
    let report = ledger::copied(&transaction, run, &copied, counts).await?;
    transaction.commit().await?;
    Ok(report)
}

/// Begins to write a provider's copy, unless another run has changed it since its row was read: this one's document may be the older.
async fn begin(database: &DatabaseConnection, provider: &provider::Model) -> Result<DatabaseTransaction, SyncError> {
    // A write lock from the start: SQLite cannot raise a reader's to a writer's when another writer came between.
    let options = TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
    let transaction = database.begin_with_options(options).await?;
    let locked = provider::Entity::find_by_id(provider.id).lock_exclusive().one(&transaction).await?;
    if locked.is_some_and(|locked| locked.last_success_at == provider.last_success_at) {
        Ok(transaction)
    } else {
        Err(SyncError::Superseded)
    }
}

async fn obtain(entry: &ProviderEntry, source: &Source, known: &Validators, progress: &Progress) -> Result<Answer, SyncError> {
    match source {
        Source::Provider(client) => {
            let request = fetch::Request {
                url: &entry.url,
                known,
                answer_timeout: entry.answer_timeout,
                limit_bytes: entry.max_body_bytes,
                allow_private_addresses: entry.allow_private_addresses,
            };
            fetch::fetch(client, &request, progress).await.map_err(SyncError::Fetch)
        }
        Source::File(path) => {
            let spool = spool::copy_file(path, entry.max_body_bytes).await.map_err(|error| match error {
                SpoolError::Unreadable(error) => SyncError::File(error),
                other => SyncError::Fetch(other.into()),
            })?;
            let validators = Validators::default();
            Ok(Answer::Document(Document { spool: spool.into(), http_status: None, validators, fresh_for: None }))
        }
    }
}

async fn read(entry: &ProviderEntry, bytes: Bytes) -> Result<Feed, SyncError> {
    let format = entry.format;
    let conventions = Conventions { time_zone: entry.time_zone, currency: entry.currency.clone() };
    let feed = tokio::task::spawn_blocking(move || format.read(&bytes, &conventions)).await.map_err(SyncError::Reader)?;
    Ok(feed?)
}
