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
//! than a survey of it and what is being read or written. This room knows nothing of schedules (`schedule` does) or of HTTP and
//! XML (`provider` does).

mod chunks;
mod diff;
mod dry_run;
mod error;
mod fingerprint;
mod guard;
pub mod identity;
pub(crate) mod ledger;
pub(crate) mod metrics;
pub(crate) mod pushed;
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

use entity::{begin_write, job, provider, pushed_feed, sync_run};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QuerySelect};
use tokio::sync::Semaphore;

use self::{
    diff::Origin,
    report::Stopwatch,
    survey::{Comparison, Document, Survey},
};
pub use self::{
    dry_run::dry_run,
    error::SyncError,
    report::{Counts, Durations, Report},
};
use crate::{
    progress::{Progress, Stage},
    provider::{
        entry::ProviderEntry,
        fetch::{self, FetchOutcome, Validators},
        format::Conventions,
        spool::{self, SpoolError},
    },
};

/// Syncs of this process that may read and write at the same time: each holds a survey of its feed and a connection of the pool's
/// five, and the others must be able to enter their runs meanwhile. Neither waiting for a provider nor hearing that nothing has changed
/// takes a turn.
static TURNS: Semaphore = Semaphore::const_new(3);

/// Where the document comes from.
#[derive(Clone, Debug)]
pub enum FeedSource {
    /// The provider's URL.
    Provider(fetch::FeedClient),
    /// A file, as if the provider had sent it.
    File(PathBuf),
    /// What the provider has pushed.
    Pushed(Box<pushed_feed::Model>),
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
    source: &FeedSource,
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
    source: &FeedSource,
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
            metrics::count_run(slug, report.state, "", took);
            metrics::count_events(slug, report.bytes, &report.counts, &report.durations);
        }
        Err(error) => metrics::count_run(slug, sync_run::RunState::Failed, error.code(), took),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// All that a sync is given.
struct Syncing<'a> {
    database: &'a DatabaseConnection,
    entry: &'a ProviderEntry,
    source: &'a FeedSource,
    lease: &'a job::Claim,
    progress: &'a Progress,
}

impl Syncing<'_> {
    /// Runs it, entered in the ledger; its number is missing if not even that could be done.
    async fn entered(&self) -> (Option<i64>, Result<Report, SyncError>) {
        let Self { database, entry, lease, .. } = *self;
        let begun = async {
            let provider = register::register(database, entry).await?;
            let known_run = self.pushed().and_then(|pushed| pushed.sync_run_id);
            let run = ledger::begin(database, provider.id, lease, known_run).await?;
            Ok::<_, SyncError>((provider, run))
        };
        let (provider, run) = match begun.await {
            Ok(begun) => begun,
            Err(error) => return (None, Err(error)),
        };
        let outcome = self.attempt(&provider, &run).await;
        if let Err(error) = &outcome
            && let Err(unwritten) = self.close(&run, error).await
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

    /// Closes a run that failed; that of a push waits instead, if the push is tried again: whoever pushed was told of this run.
    async fn close(&self, run: &sync_run::Model, error: &SyncError) -> Result<(), DbErr> {
        if self.pushed().is_some() && error.is_retryable() {
            ledger::requeue(self.database, run).await
        } else {
            ledger::fail(self.database, run, error).await
        }
    }

    fn pushed(&self) -> Option<&pushed_feed::Model> {
        match self.source {
            FeedSource::Pushed(pushed) => Some(pushed),
            FeedSource::Provider(_) | FeedSource::File(_) => None,
        }
    }

    fn is_delta(&self) -> bool {
        self.pushed().is_some_and(pushed::is_delta)
    }

    async fn attempt(&self, provider: &provider::Model, run: &sync_run::Model) -> Result<Report, SyncError> {
        let Self { database, entry, .. } = *self;
        if provider.currency != entry.currency.code() {
            return Err(SyncError::CurrencyChanged { copied_in: provider.currency.clone() });
        }
        if let Some(pushed) = self.pushed() {
            pushed::check_order(database, pushed).await?;
        }
        let last = reading::last_document(entry, provider);
        let mut watch = Stopwatch::start();
        let answer = self.obtain(&last.validators).await?;
        let mut durations = Durations { fetch: watch.lap(), ..Durations::default() };
        let document = match answer {
            FetchOutcome::Modified(document) => document,
            FetchOutcome::NotModified { fresh_for } => {
                let transaction = self.begin(provider).await?;
                let report = ledger::not_modified(&transaction, run, provider, durations).await?;
                self.commit(transaction).await?;
                return Ok(Report { fresh_for, ..report });
            }
        };
        let copied = ledger::Copied::new(&document, reading::reading_hash(entry));
        let fresh_for = document.fresh_for;
        if last.body_hash == Some(copied.body_hash) && !self.is_delta() {
            let transaction = self.begin(provider).await?;
            let report = ledger::same_body(&transaction, run, provider, &copied, durations).await?;
            self.commit(transaction).await?;
            return Ok(Report { fresh_for, ..report });
        }
        let _turn = TURNS.acquire().await.map_err(SyncError::Turn)?;
        let _waited = watch.lap();
        let compared = compared(database, entry, provider, (document, self.is_delta()), self.progress).await?;
        let Compared { document, survey, comparison, refusal, parse, diff } = compared;
        (durations.parse, durations.diff) = (parse, diff);
        if let Some(refusal) = refusal {
            ledger::keep_rejects(database, run, &survey.rejects.kept, &document.spool).await?;
            return Err(refusal);
        }
        let _compared = watch.lap();

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
        let report = if self.is_delta() {
            ledger::added(&transaction, run, provider, &copied, counts, durations).await?
        } else {
            ledger::copied(&transaction, run, &copied, counts, durations).await?
        };
        self.commit(transaction).await?;
        Ok(Report { fresh_for, ..report })
    }

    /// Begins to write the copy, unless another run has changed it since the provider's row was read: this one's document may be
    /// the older.
    async fn begin(&self, provider: &provider::Model) -> Result<DatabaseTransaction, SyncError> {
        let transaction = begin_write(self.database).await?;
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
        if let Some(pushed) = self.pushed() {
            pushed::complete(&transaction, pushed.id, None).await?;
        }
        if !job::queue::finish(&transaction, self.lease).await? {
            transaction.rollback().await?;
            return Err(SyncError::LeaseLost);
        }
        Ok(transaction.commit().await?)
    }

    async fn obtain(&self, known: &Validators) -> Result<FetchOutcome, SyncError> {
        let Self { entry, progress, .. } = *self;
        match self.source {
            FeedSource::Provider(client) => {
                let request = fetch::FetchRequest {
                    url: entry.url.expose(),
                    validators: known,
                    response_timeout: entry.response_timeout,
                    limit_bytes: entry.max_body_bytes,
                    allow_private_addresses: entry.allow_private_addresses,
                };
                fetch::fetch(client, &request, progress).await.map_err(SyncError::Fetch)
            }
            FeedSource::File(path) => {
                let spool = spool::copy_file(path, entry.max_body_bytes).await.map_err(|error| match error {
                    SpoolError::Unreadable(error) => SyncError::File(error),
                    other => SyncError::Fetch(other.into()),
                })?;
                let validators = Validators::default();
                Ok(FetchOutcome::Modified(fetch::FetchedDocument {
                    spool: spool.into(),
                    http_status: None,
                    validators,
                    fresh_for: None,
                }))
            }
            FeedSource::Pushed(pushed) => Ok(FetchOutcome::Modified(pushed::document(entry, pushed).await?)),
        }
    }
}

/// A document that was read whole and held against the copy.
struct Compared {
    document: Arc<Document>,
    survey: Arc<Survey>,
    comparison: Comparison,
    /// Why it is not to be believed, if it is not.
    refusal: Option<SyncError>,
    parse: Duration,
    diff: Duration,
}

async fn compared(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    provider: &provider::Model,
    (document, is_delta): (fetch::FetchedDocument, bool),
    progress: &Progress,
) -> Result<Compared, SyncError> {
    let mut watch = Stopwatch::start();
    let document = Arc::new(Document {
        spool: document.spool,
        format: entry.format,
        conventions: Conventions { time_zone: entry.time_zone, currency: entry.currency.clone() },
        slug: entry.slug.clone(),
    });
    progress.begin(Stage::Reading, None);
    let survey_timed = async { (survey(&document).await, watch.lap()) };
    let ((survey, parse), known) = tokio::join!(survey_timed, write::known_hashes(database, provider.id));
    let (survey, known) = (survey?, known?);
    // A delta says nothing of what it does not hold, and so cannot have lost it.
    let events_before = if is_delta { 0 } else { usize::try_from(provider.event_count).unwrap_or(0) };
    let refusal = guard::check(entry, &survey, events_before).err();
    let compared = tokio::task::spawn_blocking(move || survey.compare(&known)).await;
    let (survey, mut comparison) = compared.map_err(SyncError::Reader)?;
    if is_delta {
        comparison.vanished.clear();
    }
    Ok(Compared { document, survey: Arc::new(survey), comparison, refusal, parse, diff: watch.lap() })
}

async fn survey(document: &Arc<Document>) -> Result<Survey, SyncError> {
    let document = document.clone();
    let survey = tokio::task::spawn_blocking(move || document.survey()).await.map_err(SyncError::Reader)?;
    Ok(survey?)
}
