//! Sync times for one feed in all its states, on both databases, each with its baseline.
//!
//! The time of a sync is that of the ledger, which excludes the start of the process; for a first load it is that of the
//! process, which includes the commit.

use bytes::Bytes;
use entity::sync_run::RunState;
use migration::testing::Backend;

use crate::{
    Failure, baseline,
    feed::BenchFeed,
    ledger,
    samples::Samples,
    server::{DocumentServer, HttpDocument},
    settings::{SyncSettings, SyncWork},
    stack::{BenchProvider, BenchStack, LedgerRun, SLUG},
    table::{Table, progress},
};

/// The repetitions of short syncs in each round, because they vary more.
const REPEATS: u64 = 3;

/// The results on one database.
#[derive(Debug, Default)]
struct Measured {
    first_load: Pair,
    not_modified: Samples,
    same_body: Pair,
    same_content: Pair,
    /// In CPU time, which other processes affect less.
    same_content_processor: Pair,
    changed: Samples,
    changed_process: Samples,
    peak_kib: u64,
    /// The tables that were written after a response 304, once checked.
    touched: Option<Vec<String>>,
}

#[derive(Debug, Default)]
struct Pair {
    marquee: Samples,
    baseline: Samples,
}

/// The feed and its server.
struct Bench<'a> {
    settings: &'a SyncSettings,
    feed: BenchFeed,
    body: Bytes,
    server: DocumentServer,
}

/// Runs the selected benchmarks.
pub(crate) async fn measure(settings: &SyncSettings, table: &mut Table) -> Result<(), Failure> {
    let feed = BenchFeed::with_mib(settings.feed_mib);
    let bench = Bench { settings, feed, body: feed.bytes(), server: DocumentServer::start().await? };
    table.facts([format!(
        "feed: {} bytes, {} base events, {} events, {} zones",
        bench.body.len(),
        feed.base_events,
        feed.event_count(),
        feed.zone_count()
    )]);
    let (mut postgres, mut sqlite) = (Measured::default(), Measured::default());
    for round in 1..=settings.rounds {
        for (backend, measured) in [(Backend::Postgres, &mut postgres), (Backend::Sqlite, &mut sqlite)] {
            progress(format_args!("round {round} of {}, {backend:?}", settings.rounds));
            bench.round(backend, measured).await?;
        }
    }
    for (backend, measured) in [("PostgreSQL", &postgres), ("SQLite", &sqlite)] {
        bench.enter(backend, measured, table);
    }
    Ok(())
}

impl Bench<'_> {
    async fn round(&self, backend: Backend, measured: &mut Measured) -> Result<(), Failure> {
        let stack =
            BenchStack::new(backend, &[BenchProvider { slug: SLUG, url: &self.server.url(), schedule: "0 0 0 1 1 *" }]).await?;
        let outcome = self.measure_states(&stack, backend, measured).await;
        stack.remove().await;
        outcome
    }

    /// All states of one copy, from the first load on.
    async fn measure_states(&self, stack: &BenchStack, backend: Backend, measured: &mut Measured) -> Result<(), Failure> {
        self.server.serve(HttpDocument::Whole(self.body.clone()), "first");
        let run = sync_expecting(stack, RunState::Succeeded, "first load").await?;
        measured.first_load.marquee.push(run.process);
        measured.peak_kib = measured.peak_kib.max(run.usage.peak_kib);
        if self.settings.includes(SyncWork::FirstLoad) {
            measured.first_load.baseline.push(match backend {
                Backend::Postgres => baseline::copy::time_rows(&stack.database).await?,
                Backend::Sqlite => baseline::insert::time_rows(&stack.database).await?,
            });
        }
        if self.settings.includes(SyncWork::NotModified) {
            self.not_modified(stack, measured).await?;
        }
        if self.settings.includes(SyncWork::SameBody) {
            for repeat in 0..REPEATS {
                self.server.serve(HttpDocument::Whole(self.body.clone()), format!("same body {repeat}"));
                measured.same_body.marquee.push(sync_expecting(stack, RunState::Unchanged, "same body").await?.ledger);
                measured.same_body.baseline.push(baseline::fetch::time_read_and_hash(&self.server.url()).await?);
            }
        }
        // The baseline of changed content is unchanged content.
        if self.settings.includes(SyncWork::SameContent) || self.settings.includes(SyncWork::Changed) {
            for order in 1..=REPEATS {
                self.same_content(stack, order, measured).await?;
            }
        }
        if self.settings.includes(SyncWork::Changed) {
            for edition in 1..=REPEATS {
                let body = BenchFeed { edition, order: REPEATS, ..self.feed }.bytes();
                self.server.serve(HttpDocument::Whole(body), format!("edition {edition}"));
                let run = sync_expecting(stack, RunState::Succeeded, "1 % changed").await?;
                let expected = self.feed.base_events / 100;
                if u64::try_from(run.row.updated)?.abs_diff(expected) > 1 {
                    return Err(format!("{} events were updated, expected {expected}", run.row.updated).into());
                }
                measured.changed.push(run.ledger);
                measured.changed_process.push(run.process);
            }
        }
        Ok(())
    }

    async fn not_modified(&self, stack: &BenchStack, measured: &mut Measured) -> Result<(), Failure> {
        // Comparing all rows takes seconds, so it is done once.
        let before = if measured.touched.is_none() { Some(ledger::fingerprints(&stack.database).await?) } else { None };
        for _ in 0..REPEATS {
            let run = sync_expecting(stack, RunState::Unchanged, "304").await?;
            if run.row.http_status != Some(304) {
                return Err(format!("the worker received {:?}, expected 304", run.row.http_status).into());
            }
            measured.not_modified.push(run.ledger);
        }
        if let Some(before) = before {
            let after = ledger::fingerprints(&stack.database).await?;
            measured.touched =
                Some(after.into_iter().filter(|(table, mark)| before.get(table) != Some(mark)).map(|(table, _)| table).collect());
        }
        Ok(())
    }

    async fn same_content(&self, stack: &BenchStack, order: u64, measured: &mut Measured) -> Result<(), Failure> {
        let body = BenchFeed { order, ..self.feed }.bytes();
        self.server.serve(HttpDocument::Whole(body.clone()), format!("order {order}"));
        let run = sync_expecting(stack, RunState::Unchanged, "same content").await?;
        if u64::try_from(run.row.unchanged)? != self.feed.event_count() {
            return Err(
                format!("{} of {} events were unchanged, expected all", run.row.unchanged, self.feed.event_count()).into()
            );
        }
        measured.same_content.marquee.push(run.ledger);
        measured.peak_kib = measured.peak_kib.max(run.usage.peak_kib);
        // On its own thread, while the server is idle.
        let baseline::xml::BaselineFeed { elapsed, processor, found } =
            tokio::task::spawn_blocking(move || baseline::xml::read(&body)).await??;
        if found[2] as u64 != self.feed.zone_count() {
            return Err(format!("the baseline parsed {} zones", found[2]).into());
        }
        measured.same_content.baseline.push(elapsed);
        measured.same_content_processor.marquee.push(run.usage.cpu);
        measured.same_content_processor.baseline.push(processor);
        Ok(())
    }

    fn enter(&self, backend: &str, measured: &Measured, table: &mut Table) {
        if let Some(touched) = &measured.touched {
            let marquee = format!("{}; tables written besides the ledger: {}", measured.not_modified.text(), list(touched));
            table.absolute(&format!("response 304, {backend}"), &marquee, "0 writes", touched.is_empty());
        }
        if self.settings.includes(SyncWork::SameBody) {
            let Pair { marquee, baseline } = &measured.same_body;
            table.ratio(&format!("same body, {backend}; baseline: read and hash the body"), marquee, baseline, 1.2);
        }
        if self.settings.includes(SyncWork::SameContent) {
            let Pair { marquee, baseline } = &measured.same_content;
            table.ratio(
                &format!("same content in another order, including the download, {backend}; baseline: quick-xml on one core"),
                marquee,
                baseline,
                1.5,
            );
            let Pair { marquee, baseline } = &measured.same_content_processor;
            table.comparison(&format!("same content, CPU time of the process, {backend}"), marquee, baseline);
        }
        if self.settings.includes(SyncWork::Changed) {
            let work = format!("1 % of base events changed, {backend}; baseline: nothing changed");
            table.ratio(&work, &measured.changed, &measured.same_content.marquee, 2.0);
            table.figure(
                &format!("1 % of base events changed, {backend}, including process start and exit"),
                &measured.changed_process.text(),
            );
        }
        if self.settings.includes(SyncWork::FirstLoad) {
            let baseline = if backend == "SQLite" { "prepared inserts of 500 rows" } else { "binary COPY" };
            let Pair { marquee, baseline: rows } = &measured.first_load;
            table.ratio(
                &format!("first load, whole process, {backend}; baseline: {baseline} of the same rows"),
                marquee,
                rows,
                2.0,
            );
        }
        table.figure(&format!("peak memory, {backend}"), &format!("{} MiB", measured.peak_kib / 1024));
    }
}

async fn sync_expecting(stack: &BenchStack, expected: RunState, name: &str) -> Result<LedgerRun, Failure> {
    let run = stack.sync().await.map_err(|failure| format!("{name}: {failure}"))?;
    if run.row.state == expected {
        Ok(run)
    } else {
        Err(format!("{name}: the state of the run is {:?}, expected {expected:?}", run.row.state).into())
    }
}

fn list(tables: &[String]) -> String {
    if tables.is_empty() { "nothing".to_owned() } else { tables.join(", ") }
}
