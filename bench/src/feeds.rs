//! The timings: one feed in all its states, on both databases, each state beside its peer.
//!
//! Ours is the time that the ledger tells, so that the start of a process does not count, or, where rows are committed in
//! bulk, the time of the whole process, so that the commit does.

use bytes::Bytes;
use entity::sync_run::RunState;
use migration::testing::Backend;

use crate::{
    Failure,
    feed::Feed,
    house::{Entry, House, Run, SLUG},
    ledger, peer,
    samples::Samples,
    server::{Document, Server},
    settings::{SyncSettings, Work},
    table::{Table, progress},
};

/// How often the short works are measured in each round: they take less than a second and scatter the more for it.
const REPEATS: u64 = 3;

/// What was measured on one database.
#[derive(Debug, Default)]
struct Measured {
    first_load: Pair,
    not_modified: Samples,
    same_body: Pair,
    same_content: Pair,
    /// The same in time on processors, which other processes do not stretch.
    same_content_processor: Pair,
    changed: Samples,
    changed_process: Samples,
    peak_kib: u64,
    /// Tables that an answer 304 wrote to, once it was looked.
    touched: Option<Vec<String>>,
}

#[derive(Debug, Default)]
struct Pair {
    ours: Samples,
    peer: Samples,
}

/// The feed and how it reaches the worker.
struct Bench<'a> {
    settings: &'a SyncSettings,
    feed: Feed,
    body: Bytes,
    server: Server,
}

/// Measures all of it that is wanted.
pub(crate) async fn measure(settings: &SyncSettings, table: &mut Table) -> Result<(), Failure> {
    let feed = Feed::of_mib(settings.feed_mib);
    let bench = Bench { settings, feed, body: feed.bytes(), server: Server::start().await? };
    table.facts([format!(
        "the feed: {} bytes, {} base events, {} events, {} zones",
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
        let house = House::new(backend, &[Entry { slug: SLUG, url: &self.server.url(), schedule: "0 0 0 1 1 *" }]).await?;
        let outcome = self.states(&house, backend, measured).await;
        house.remove().await;
        outcome
    }

    /// The life of one copy, from the first load on.
    async fn states(&self, house: &House, backend: Backend, measured: &mut Measured) -> Result<(), Failure> {
        self.server.serve(Document::Whole(self.body.clone()), "first");
        let run = synced(house, RunState::Succeeded, "first load").await?;
        measured.first_load.ours.push(run.process);
        measured.peak_kib = measured.peak_kib.max(run.taken.peak_kib);
        if self.settings.wants(Work::FirstLoad) {
            measured.first_load.peer.push(match backend {
                Backend::Postgres => peer::copy::rows_of(&house.database).await?,
                Backend::Sqlite => peer::insert::rows_of(&house.database).await?,
            });
        }
        if self.settings.wants(Work::NotModified) {
            self.not_modified(house, measured).await?;
        }
        if self.settings.wants(Work::SameBody) {
            for repeat in 0..REPEATS {
                self.server.serve(Document::Whole(self.body.clone()), format!("same body {repeat}"));
                measured.same_body.ours.push(synced(house, RunState::Unchanged, "same body").await?.ledger);
                measured.same_body.peer.push(peer::fetch::read_and_hash(&self.server.url()).await?);
            }
        }
        // What is changed is measured in terms of what is not.
        if self.settings.wants(Work::SameContent) || self.settings.wants(Work::Changed) {
            for order in 1..=REPEATS {
                self.same_content(house, order, measured).await?;
            }
        }
        if self.settings.wants(Work::Changed) {
            for edition in 1..=REPEATS {
                let body = Feed { edition, order: REPEATS, ..self.feed }.bytes();
                self.server.serve(Document::Whole(body), format!("edition {edition}"));
                let run = synced(house, RunState::Succeeded, "1 % changed").await?;
                let expected = self.feed.base_events / 100;
                if u64::try_from(run.entered.updated)?.abs_diff(expected) > 1 {
                    return Err(format!("{} events were updated, {expected} had changed", run.entered.updated).into());
                }
                measured.changed.push(run.ledger);
                measured.changed_process.push(run.process);
            }
        }
        Ok(())
    }

    async fn not_modified(&self, house: &House, measured: &mut Measured) -> Result<(), Failure> {
        // A look at every row takes seconds, and says the same each time.
        let before = if measured.touched.is_none() { Some(ledger::marks(&house.database).await?) } else { None };
        for _ in 0..REPEATS {
            let run = synced(house, RunState::Unchanged, "304").await?;
            if run.entered.http_status != Some(304) {
                return Err(format!("the worker heard {:?} and not 304", run.entered.http_status).into());
            }
            measured.not_modified.push(run.ledger);
        }
        if let Some(before) = before {
            let after = ledger::marks(&house.database).await?;
            measured.touched =
                Some(after.into_iter().filter(|(table, mark)| before.get(table) != Some(mark)).map(|(table, _)| table).collect());
        }
        Ok(())
    }

    async fn same_content(&self, house: &House, order: u64, measured: &mut Measured) -> Result<(), Failure> {
        let body = Feed { order, ..self.feed }.bytes();
        self.server.serve(Document::Whole(body.clone()), format!("order {order}"));
        let run = synced(house, RunState::Unchanged, "same content").await?;
        if u64::try_from(run.entered.unchanged)? != self.feed.event_count() {
            return Err(format!("{} events were unchanged of {}", run.entered.unchanged, self.feed.event_count()).into());
        }
        measured.same_content.ours.push(run.ledger);
        measured.peak_kib = measured.peak_kib.max(run.taken.peak_kib);
        // On a thread of its own: the server's threads have nothing to do meanwhile.
        let peer::xml::Read { elapsed, processor, found } = tokio::task::spawn_blocking(move || peer::xml::read(&body)).await??;
        if found[2] as u64 != self.feed.zone_count() {
            return Err(format!("the peer found {} zones", found[2]).into());
        }
        measured.same_content.peer.push(elapsed);
        measured.same_content_processor.ours.push(run.taken.processor);
        measured.same_content_processor.peer.push(processor);
        Ok(())
    }

    fn enter(&self, backend: &str, measured: &Measured, table: &mut Table) {
        if let Some(touched) = &measured.touched {
            let ours = format!("{}; written besides the ledger: {}", measured.not_modified.text(), list(touched));
            table.absolute(&format!("answer 304, {backend}"), &ours, "0 writes", touched.is_empty());
        }
        if self.settings.wants(Work::SameBody) {
            let Pair { ours, peer } = &measured.same_body;
            table.ratio(&format!("same body again, {backend}; peer: read and hash it"), ours, peer, 1.2);
        }
        if self.settings.wants(Work::SameContent) {
            let Pair { ours, peer } = &measured.same_content;
            table.ratio(
                &format!("changed ETag, same content, fetch included, {backend}; peer: quick-xml on one core"),
                ours,
                peer,
                1.5,
            );
            let Pair { ours, peer } = &measured.same_content_processor;
            table.compared(&format!("the same in processor time, all of the process, {backend}"), ours, peer);
        }
        if self.settings.wants(Work::Changed) {
            let work = format!("1 % of base events changed, {backend}; peer: the same with nothing changed");
            table.ratio(&work, &measured.changed, &measured.same_content.ours, 2.0);
            table.figure(&format!("the same, {backend}, with the process's start and end"), &measured.changed_process.text());
        }
        if self.settings.wants(Work::FirstLoad) {
            let peer = if backend == "SQLite" { "prepared inserts of 500 rows" } else { "binary COPY" };
            let Pair { ours, peer: bare } = &measured.first_load;
            table.ratio(&format!("first load, whole process, {backend}; peer: {peer} of the same rows"), ours, bare, 2.0);
        }
        table.figure(&format!("peak memory in all of it, {backend}"), &format!("{} MiB", measured.peak_kib / 1024));
    }
}

async fn synced(house: &House, want: RunState, work: &str) -> Result<Run, Failure> {
    let run = house.sync().await.map_err(|failure| format!("{work}: {failure}"))?;
    if run.entered.state == want { Ok(run) } else { Err(format!("{work}: the run ended as {:?}", run.entered.state).into()) }
}

fn list(tables: &[String]) -> String {
    if tables.is_empty() { "nothing".to_owned() } else { tables.join(", ") }
}
