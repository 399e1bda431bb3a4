//! The flow of one sync, recorded in the ledger and logged once.

use std::time::{Duration, Instant};

use entity::{
    base_event, begin_write, chunks, deadline,
    job::{self, JobKind, PushJob},
    provider,
    release::Cause,
    sync_run,
};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect};
use tokio::time::sleep;
use tracing::Instrument;

use super::{
    SyncError,
    changes::FeedChanges,
    compare::{self, ComparedFeed},
    copied::store_elements,
    diff::FeedOrigin,
    feed_pages::{PageChanges, StoredPages},
    first_load,
    last_document::{self, LastDocument},
    ledger, metrics,
    price_guard::PriceGuard,
    pushed,
    record::{ChangeRecorder, publish_first_load},
    register,
    report::{Durations, Stopwatch, SyncReport},
    save_rejects::save_rejects,
    source::FeedSource,
    write::{self, CopyWriter},
};
use crate::{
    database::{WRITE_PAUSE, record_when_available},
    progress::ProgressCounter,
    provider::{
        entry::ProviderEntry,
        fetch::{FetchOutcome, FetchedDocument},
        format::ReadMonth,
        id_from::{self, IdFrom},
    },
};

/// Runs one sync under the lease of its job and records it in the ledger. A successful sync removes the job in its transaction; after a
/// failed one the caller still holds it.
///
/// # Errors
///
/// When the copy could not be made equal to the feed. It is unchanged, and the ledger has the reason unless the database is unavailable.
pub async fn sync(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    source: &FeedSource,
    lease: &job::Claim,
) -> Result<SyncReport, SyncError> {
    let progress = &ProgressCounter::none();
    SyncAttempt { database, entry, source, lease, progress, is_command: false, is_full: false }.run().await
}

/// [`sync`] of a command, with a progress counter. It does not wait for a database that is unavailable. If it `is_full`, the document is
/// requested and compared also if it is unchanged.
///
/// # Errors
///
/// As [`sync`].
pub async fn sync_with_progress(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    source: &FeedSource,
    lease: &job::Claim,
    (progress, is_full): (&ProgressCounter, bool),
) -> Result<SyncReport, SyncError> {
    SyncAttempt { database, entry, source, lease, progress, is_command: true, is_full }.run().await
}

/// Refuses a provider with a catalogue that was removed for legal reasons.
pub(super) fn require_admitted(provider: &provider::Model) -> Result<(), SyncError> {
    if provider.purged_at.is_some() { Err(SyncError::ProviderPurged) } else { Ok(()) }
}

/// Refuses to read ids from another property than those of the copy.
pub(super) async fn require_same_ids(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    provider: &provider::Model,
) -> Result<(), SyncError> {
    let configured = entry.id_from.as_ref().map(IdFrom::as_str);
    let copied_from = provider.id_from.as_deref();
    if configured == copied_from || provider.last_success_at.is_none() {
        return Ok(());
    }
    let copied = base_event::Entity::find().filter(base_event::COLUMN.provider_id.eq(provider.id));
    if copied.one(database).await?.is_none() {
        return Ok(());
    }
    let [copied_from, configured] = [copied_from, configured].map(id_from::describe);
    Err(SyncError::IdFromChanged { copied_from, configured })
}

fn count(slug: &str, outcome: &Result<SyncReport, SyncError>, duration: Duration) {
    match outcome {
        Ok(report) => {
            metrics::count_run(slug, report.state, "", duration);
            metrics::count_events(slug, report.bytes, &report.counts, &report.durations);
        }
        Err(error) => metrics::count_run(slug, sync_run::RunState::Failed, error.code(), duration),
    }
}

fn log(outcome: &Result<SyncReport, SyncError>, duration: Duration) {
    let duration_ms = milliseconds(duration);
    match outcome {
        Ok(SyncReport { state, bytes, counts, durations, .. }) => tracing::info!(
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
            sync.warned = counts.warned,
            "sync completed"
        ),
        Err(error) => tracing::warn!(
            sync.state = sync_run::RunState::Failed.name(),
            sync.duration_ms = duration_ms,
            sync.reason = error.code(),
            error = telemetry::with_causes(error),
            "sync failed"
        ),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The inputs of a sync.
struct SyncAttempt<'a> {
    database: &'a DatabaseConnection,
    entry: &'a ProviderEntry,
    source: &'a FeedSource,
    lease: &'a job::Claim,
    progress: &'a ProgressCounter,
    is_command: bool,
    is_full: bool,
}

impl SyncAttempt<'_> {
    async fn run(self) -> Result<SyncReport, SyncError> {
        let started = Instant::now();
        let (run, outcome) = match self.within_deadline(self.open()).await {
            Ok((provider, run)) => {
                tracing::Span::current().record("sync_run.id", run.id);
                // The futures of all steps together do not fit into the stack of a thread in debug builds.
                let outcome = Box::pin(self.copy(&provider, &run)).await;
                (Some(run), outcome)
            }
            Err(error) => (None, Err(error)),
        };
        let duration = started.elapsed();
        count(&self.entry.slug, &outcome, duration);
        log(&outcome, duration);
        if let (Some(run), Err(error)) = (&run, &outcome)
            && let Err(unwritten) = self.record_failure(run, error).await
        {
            tracing::error!(error = telemetry::with_causes(&unwritten), "the run could not be closed in the ledger");
        }
        outcome
    }

    async fn open(&self) -> Result<(provider::Model, sync_run::Model), SyncError> {
        let provider = register::register(self.database, self.entry).await.map_err(DbErr::from)?;
        let pushed_run = self.source.pushed().and_then(|feed| feed.sync_run_id);
        let run = ledger::open(self.database, provider.id, self.lease, pushed_run).await?;
        Ok((provider, run))
    }

    /// Closes a failed run as soon as the database is available. The run of a push that is retried waits instead, because its client was
    /// given the id.
    async fn record_failure(&self, run: &sync_run::Model, error: &SyncError) -> Result<(), DbErr> {
        let failed = ledger::FailedRun::new(run, error);
        if self.is_command {
            return deadline::within(deadline::SHORT, self.database, failed.close(self.database)).await;
        }
        if self.source.pushed().is_some() {
            let is_retried = error.is_retryable() && self.lease.attempt < PushJob::MAX_ATTEMPTS;
            let record = || async {
                if is_retried { ledger::requeue(self.database, run).await } else { failed.close(self.database).await }
            };
            return record_when_available(self.database, "failed run", record).await;
        }
        // As a task, which continues if another worker takes over: each attempt to poll has its own run.
        let database = self.database.clone();
        let recording = async move { record_when_available(&database, "failed run", || failed.close(&database)).await };
        tokio::spawn(recording.in_current_span()).await.map_err(|panic| DbErr::Custom(panic.to_string()))?
    }

    /// Runs statements of the sync. The longest of them writes many rows.
    async fn within_deadline<T>(&self, statements: impl Future<Output = Result<T, SyncError>>) -> Result<T, SyncError> {
        deadline::within(deadline::BULK, self.database, statements).await
    }

    fn is_delta(&self) -> bool {
        self.source.pushed().is_some_and(pushed::is_delta)
    }

    async fn copy(&self, provider: &provider::Model, run: &sync_run::Model) -> Result<SyncReport, SyncError> {
        let Self { database, entry, .. } = *self;
        require_admitted(provider)?;
        if provider.currency != entry.currency.code() {
            return Err(SyncError::CurrencyChanged { copied_in: provider.currency.clone() });
        }
        self.within_deadline(require_same_ids(database, entry, provider)).await?;
        if let Some(feed) = self.source.pushed() {
            self.within_deadline(pushed::check_order(database, feed)).await?;
        }
        let month = ReadMonth::of(run.started_at);
        let last = if self.is_full { LastDocument::default() } else { last_document::find(entry, provider, month) };
        let finding = async { Ok(StoredPages::find(database, provider.id, last.body_hash.is_some()).await?) };
        let stored = self.within_deadline(finding).await?;
        let mut watch = Stopwatch::start();
        let fetched = self.source.fetch(entry, &last.validators, &stored, self.progress).await?;
        let durations = Durations { fetch: watch.lap(), ..Durations::default() };
        let document = match fetched {
            FetchOutcome::Modified(document) => document,
            FetchOutcome::NotModified { validators, fresh_for, pages } => {
                let close = async {
                    let transaction = self.begin(provider).await?;
                    PageChanges::new(stored, pages, None).write(&transaction).await?;
                    let report = ledger::close_not_modified(&transaction, run, provider, validators, durations).await?;
                    self.commit(transaction).await?;
                    Ok(SyncReport { fresh_for, ..report })
                };
                return self.within_deadline(close).await;
            }
        };
        let fresh_for = document.fresh_for;
        let copied = ledger::CopiedDocument::new(&document, (entry, month), stored);
        if provider.reverted_body_hash == Some(copied.body_hash) {
            return Err(SyncError::RevertedDocument);
        }
        let report = if last.body_hash == Some(copied.body_hash) && !self.is_delta() {
            let close = async {
                let transaction = self.begin(provider).await?;
                copied.store_pages(&transaction).await?;
                let report = ledger::close_same_body(&transaction, run, provider, &copied, durations).await?;
                self.commit(transaction).await?;
                Ok(report)
            };
            self.within_deadline(close).await?
        } else {
            Box::pin(self.apply(provider, run, document, &copied, durations)).await?
        };
        Ok(SyncReport { fresh_for, ..report })
    }

    /// Compares a document with the copy, and writes what differs.
    async fn apply(
        &self,
        provider: &provider::Model,
        run: &sync_run::Model,
        document: FetchedDocument,
        copied: &ledger::CopiedDocument,
        mut durations: Durations,
    ) -> Result<SyncReport, SyncError> {
        let Self { database, entry, progress, .. } = *self;
        let _slot = compare::acquire_slot().await?;
        let compared = compare::compare(
            database,
            entry,
            provider,
            (document, self.is_delta(), self.is_full, ReadMonth::of(run.started_at)),
            progress,
        )
        .await?;
        let ComparedFeed { feed, summary, mut comparison, refusal, churn_guard, parse, diff } = compared;
        let learned = std::mem::take(&mut comparison.learned);
        (durations.parse, durations.diff) = (parse, diff);
        if let Some(refusal) = refusal {
            self.within_deadline(save_rejects(database, run, &summary, &feed)).await?;
            return Err(refusal);
        }
        let mut watch = Stopwatch::start();
        let origin =
            FeedOrigin { provider_id: provider.id, fetched_at: run.started_at, last_fetched_at: provider.last_success_at };
        let is_large_first_load = !self.is_delta() && first_load::is_needed(database, provider, &comparison);
        // The rows of a hidden provider become visible together: for readers, nothing was there before.
        let is_first_load = provider.last_success_at.is_none() || provider.loading_since.is_some();
        let recorder = (!is_first_load).then(|| ChangeRecorder::of_run(provider, run, copied.body_hash));
        let mut changes = FeedChanges::new(origin, &feed, &summary, comparison, recorder, progress).guard_ids(churn_guard);
        if !is_first_load {
            changes = changes.guard_prices(PriceGuard::new(entry));
        }
        if is_large_first_load {
            self.write_in_parts(provider, &mut changes).await?;
        }
        let transaction = self.within_deadline(self.begin(provider)).await?;
        if let Err(error) = write::write_all(&transaction, &mut changes).await {
            if error.is_refusal() {
                transaction.rollback().await?;
                self.within_deadline(save_rejects(database, run, &summary, &feed)).await?;
            }
            return Err(error);
        }
        // Before the publication, which locks the version: after an upgrade of the programs there are as many as base events.
        for chunk in chunks(learned) {
            self.within_deadline(async { Ok(store_elements(&transaction, chunk).await?) }).await?;
        }
        let is_visible = changes.is_visible() || provider.loading_since.is_some();
        let counts = changes.counts();
        let cause = (Cause::SyncRun, Some(run.id));
        let published = match changes.into_recorder() {
            _ if !is_visible => None,
            Some(recorder) => Some(recorder.publish(&transaction, cause).await?),
            None => Some(publish_first_load(&transaction, provider, cause).await?),
        };
        let applied = ledger::AppliedChanges { counts, published };
        let close = async {
            save_rejects(&transaction, run, &summary, &feed).await?;
            copied.store_pages(&transaction).await?;
            durations.write = watch.lap();
            let report = if self.is_delta() {
                ledger::close_delta(&transaction, run, provider, copied, &applied, durations).await?
            } else {
                ledger::close_snapshot(&transaction, run, copied, (&applied, summary.rejects.unidentified), durations).await?
            };
            self.commit(transaction).await?;
            if let Some(published) = &applied.published {
                published.count();
            }
            Ok(report)
        };
        self.within_deadline(close).await
    }

    /// Begins to write the copy, unless another run or an undo has changed it since the provider's row was read: this document may be older.
    async fn begin(&self, provider: &provider::Model) -> Result<DatabaseTransaction, SyncError> {
        let transaction = begin_write(self.database).await?;
        let locked = provider::Entity::find_by_id(provider.id).lock_exclusive().one(&transaction).await?;
        locked.as_ref().map_or(Ok(()), require_admitted)?;
        let state =
            |provider: &provider::Model| (provider.last_success_at, provider.reverted_body_hash, provider.id_from.clone());
        if locked.is_some_and(|locked| state(&locked) == state(provider)) {
            Ok(transaction)
        } else if job::queue::is_held(&transaction, self.lease).await? {
            Err(SyncError::Superseded)
        } else {
            Err(SyncError::LeaseLost)
        }
    }

    /// Writes all changes in transactions that leave the job and the run as they are. Readers see none of it.
    async fn write_in_parts(&self, provider: &provider::Model, changes: &mut FeedChanges<'_>) -> Result<(), SyncError> {
        let mut writer = CopyWriter::new(changes.origin());
        loop {
            let part = self.begin(provider).await?;
            if !job::queue::is_held(&part, self.lease).await? {
                return Err(SyncError::LeaseLost);
            }
            let is_complete = first_load::write_part(&part, &mut writer, changes).await?;
            part.commit().await?;
            if is_complete {
                return Ok(());
            }
            sleep(WRITE_PAUSE).await;
        }
    }

    /// Removes the job together with its work; rolls back if another worker holds the job.
    async fn commit(&self, transaction: DatabaseTransaction) -> Result<(), SyncError> {
        if let Some(feed) = self.source.pushed() {
            pushed::complete(&transaction, feed.id, None).await?;
        }
        if !job::queue::finish(&transaction, self.lease).await? {
            transaction.rollback().await?;
            return Err(SyncError::LeaseLost);
        }
        Ok(transaction.commit().await?)
    }
}
