//! One sync: brings the copy of one provider's catalogue to what its feed says now.
//!
//! A sync is a reconciler. It takes no input but whose feed it is, does the same however often it is called, and needs no
//! memory of the last time but the copy itself. The way of the data:
//!
//! ```text
//! fetch, unless it is not modified -> survey, unless the bytes are the same -> guard -> compare with the known hashes
//!   -> one transaction: read what differs again, write, raise the version, close the run
//! ```
//!
//! Up to the transaction nothing is written but the run's own row; a feed goes in whole or not at all. Of a feed no more is in memory
//! than a [`survey`] of it and what is being read or written. This room knows nothing of schedules (`schedule` does) or of HTTP and
//! XML (`provider` does).

mod chunks;
mod diff;
mod fingerprint;
mod guard;
pub mod identity;
pub(crate) mod ledger;
mod reading;
pub mod register;
mod report;
mod survey;
mod write;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use entity::{job, provider, sync_run};
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QuerySelect, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use tokio::sync::{AcquireError, Semaphore};

pub use self::report::{Counts, Durations, Report};
use self::{
    diff::Origin,
    report::Stopwatch,
    survey::{Document, Survey},
};
use crate::{
    metrics,
    progress::{Progress, Stage},
    provider::{
        entry::ProviderEntry,
        fetch::{self, Answer, FetchError, Validators},
        format::{Conventions, DocumentError, ReadError},
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
    /// Another worker does this job meanwhile: this one was away for longer than its lease.
    #[error("the lease ran out and another worker has taken over; nothing of this run was kept")]
    LeaseLost,
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
    /// The spool's file cannot be read or written.
    #[error("the document could not be kept on disk while it was read")]
    Spool(#[source] std::io::Error),
    /// The copy could not be written.
    #[error("the database could not be read or written")]
    Database(#[from] DbErr),
}

impl From<ReadError> for SyncError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Document(error) => Self::Document(error),
            ReadError::Spool(error) => Self::Spool(error),
        }
    }
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
            Self::LeaseLost => "lease_lost",
            Self::CurrencyChanged { .. } => "currency_changed",
            Self::Spool(_) => "spool",
            Self::Turn(_) | Self::Reader(_) => "internal",
            Self::Database(_) => "database",
        }
    }

    /// Whether the fault is ours and no provider's: what was tried may go well a moment later.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        let is_disk = matches!(self, Self::Fetch(FetchError::Disk(_)));
        is_disk || matches!(self, Self::Turn(_) | Self::Reader(_) | Self::Spool(_) | Self::Database(_) | Self::LeaseLost)
    }

    /// Whether the provider or its document is to blame.
    #[must_use]
    pub fn is_the_providers(&self) -> bool {
        let is_answer = matches!(self, Self::Fetch(_) | Self::Document(_) | Self::TooManyRejects { .. } | Self::Shrunk { .. });
        is_answer && !self.is_ours()
    }

    /// Whether the provider may answer well before its next tick.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Fetch(FetchError::Status { status, .. }) => *status == 429 || *status >= 500,
            Self::Fetch(error) => {
                matches!(
                    error,
                    FetchError::Unreachable(_) | FetchError::NotHttp(_) | FetchError::TimedOut(_) | FetchError::Broken(_)
                )
            }
            _ => false,
        }
    }

    fn http_status(&self) -> Option<u16> {
        match self {
            Self::Fetch(error) => error.http_status(),
            _ => None,
        }
    }
}

/// Runs one sync under the lease of its job and enters it in the ledger. A sync that goes well ends the job with it, in the same
/// transaction; after one that fails the job is the caller's still.
///
/// # Errors
///
/// When the copy is not what the feed says now: it is as it was before, and the ledger says why, unless it is the database
/// that is away.
pub async fn sync(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    source: &Source,
    lease: &job::Claim,
) -> Result<Report, SyncError> {
    sync_with(database, entry, source, lease, &Progress::none()).await
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
    lease: &job::Claim,
    progress: &Progress,
) -> Result<Report, SyncError> {
    let started = Instant::now();
    let (run_id, outcome) = Syncing { database, entry, source, lease, progress }.entered().await;
    let took = started.elapsed();
    let duration_ms = milliseconds(took);
    count(&entry.slug, &outcome, took);
    match &outcome {
        Ok(Report { state, bytes, counts, durations, .. }) => tracing::info!(
            provider = entry.slug,
            sync.run = run_id,
            sync.state = state.name(),
            sync.duration_ms = duration_ms,
            sync.fetch_ms = milliseconds(durations.fetch),
            sync.parse_ms = milliseconds(durations.parse),
            sync.diff_ms = milliseconds(durations.diff),
            sync.write_ms = milliseconds(durations.write),
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

fn count(slug: &str, outcome: &Result<Report, SyncError>, took: Duration) {
    match outcome {
        Ok(report) => {
            metrics::run_ended(slug, report.state, "", took);
            metrics::run_succeeded(slug, report.bytes, &report.counts, &report.durations);
        }
        Err(error) => metrics::run_ended(slug, sync_run::State::Failed, error.code(), took),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// All that a sync is given.
struct Syncing<'a> {
    database: &'a DatabaseConnection,
    entry: &'a ProviderEntry,
    source: &'a Source,
    lease: &'a job::Claim,
    progress: &'a Progress,
}

impl Syncing<'_> {
    /// Runs it, entered in the ledger; its number is missing if not even that could be done.
    async fn entered(&self) -> (Option<i64>, Result<Report, SyncError>) {
        let Self { database, entry, lease, .. } = *self;
        let begun = async {
            let provider = register::register(database, entry).await?;
            let run = ledger::begin(database, provider.id, lease).await?;
            Ok::<_, SyncError>((provider, run))
        };
        let (provider, run) = match begun.await {
            Ok(begun) => begun,
            Err(error) => return (None, Err(error)),
        };
        let outcome = self.attempt(&provider, &run).await;
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

    async fn attempt(&self, provider: &provider::Model, run: &sync_run::Model) -> Result<Report, SyncError> {
        let Self { database, entry, .. } = *self;
        if provider.currency != entry.currency.code() {
            return Err(SyncError::CurrencyChanged { copied_in: provider.currency.clone() });
        }
        let last = reading::last_document(entry, provider);
        let mut watch = Stopwatch::start();
        let answer = self.obtain(&last.validators).await?;
        let mut durations = Durations { fetch: watch.lap(), ..Durations::default() };
        let document = match answer {
            Answer::Document(document) => document,
            Answer::NotModified { fresh_for } => {
                let transaction = self.begin(provider).await?;
                let report = ledger::not_modified(&transaction, run, provider, durations).await?;
                self.commit(transaction).await?;
                return Ok(Report { fresh_for, ..report });
            }
        };
        let copied = ledger::Copied::new(&document, reading::reading_hash(entry));
        let fresh_for = document.fresh_for;
        if last.body_hash == Some(copied.body_hash) {
            let transaction = self.begin(provider).await?;
            let report = ledger::same_body(&transaction, run, provider, &copied, durations).await?;
            self.commit(transaction).await?;
            return Ok(Report { fresh_for, ..report });
        }
        let _turn = TURNS.acquire().await.map_err(SyncError::Turn)?;
        let _waited = watch.lap();
        let document = Arc::new(Document {
            spool: document.spool,
            format: entry.format,
            conventions: Conventions { time_zone: entry.time_zone, currency: entry.currency.clone() },
            slug: entry.slug.clone(),
        });
        self.progress.begin(Stage::Reading, None);
        let survey_timed = async { (survey(&document).await, watch.lap()) };
        let ((survey, parse), known) = tokio::join!(survey_timed, write::known_hashes(database, provider.id));
        durations.parse = parse;
        let (survey, known) = (survey?, known?);
        let events_before = usize::try_from(provider.event_count).unwrap_or(0);
        if let Err(refusal) = guard::check(entry, &survey, events_before) {
            ledger::keep_rejects(database, run, &survey.rejects.kept, &document.spool).await?;
            return Err(refusal);
        }
        let comparison = {
            let survey = survey.clone();
            tokio::task::spawn_blocking(move || survey.compare(&known)).await.map_err(SyncError::Reader)?
        };
        durations.diff = watch.lap();

        let transaction = self.begin(provider).await?;
        let origin = Origin {
            provider_id: provider.id,
            slug: &entry.slug,
            taken_at: run.started_at,
            last_taken_at: provider.last_success_at,
        };
        let counts = write::apply(&transaction, origin, &document, &survey, comparison, self.progress).await?;
        ledger::keep_rejects(&transaction, run, &survey.rejects.kept, &document.spool).await?;
        durations.write = watch.lap();
        let report = ledger::copied(&transaction, run, &copied, counts, durations).await?;
        self.commit(transaction).await?;
        Ok(Report { fresh_for, ..report })
    }

    /// Begins to write the copy, unless another run has changed it since the provider's row was read: this one's document may be
    /// the older.
    async fn begin(&self, provider: &provider::Model) -> Result<DatabaseTransaction, SyncError> {
        // A write lock from the start: SQLite cannot raise a reader's to a writer's when another writer came between.
        let options =
            TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
        let transaction = self.database.begin_with_options(options).await?;
        let locked = provider::Entity::find_by_id(provider.id).lock_exclusive().one(&transaction).await?;
        if locked.is_some_and(|locked| locked.last_success_at == provider.last_success_at) {
            Ok(transaction)
        } else if job::queue::is_held(&transaction, self.lease).await? {
            Err(SyncError::Superseded)
        } else {
            Err(SyncError::LeaseLost)
        }
    }

    /// Ends the job together with what was done for it; nothing is done if the job is another worker's by now.
    async fn commit(&self, transaction: DatabaseTransaction) -> Result<(), SyncError> {
        if !job::queue::finish(&transaction, self.lease).await? {
            transaction.rollback().await?;
            return Err(SyncError::LeaseLost);
        }
        Ok(transaction.commit().await?)
    }

    async fn obtain(&self, known: &Validators) -> Result<Answer, SyncError> {
        let Self { entry, progress, .. } = *self;
        match self.source {
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
                Ok(Answer::Document(fetch::Document { spool: spool.into(), http_status: None, validators, fresh_for: None }))
            }
        }
    }
}

async fn survey(document: &Arc<Document>) -> Result<Arc<Survey>, SyncError> {
    let document = document.clone();
    let survey = tokio::task::spawn_blocking(move || document.survey()).await.map_err(SyncError::Reader)?;
    Ok(Arc::new(survey?))
}
