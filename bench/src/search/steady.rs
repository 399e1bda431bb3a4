//! A constant request rate while the worker repeatedly syncs a feed of which 1 % changes.

use std::time::Duration;

use entity::{ConnectionRole, catalogue_version, sync_run::RunState};
use migration::testing::{Backend, TestDatabase};
use sea_orm::EntityTrait;

use super::{
    ROWS, SearchStack,
    programs::{ApiServer, ApiSettings},
    ranges, report_peak_memory, warm,
};
use crate::{
    Failure,
    feed::BenchFeed,
    load::LoadSettings,
    process,
    server::{DocumentServer, HttpDocument},
    stack::{BenchProvider, BenchStack, SLUG},
    table::{Table, progress},
};

/// The number of ranges.
const RANGES: u64 = 500;
const CONNECTIONS: usize = 64;
/// Base events in the feed, with two events each.
const BASE_EVENTS: u64 = 10_000;
/// The interval of changes, and the schedule of the worker.
const CHANGE_EVERY: Duration = Duration::from_secs(5);
const SCHEDULE: &str = "*/5 * * * * *";
/// The maximum p99.
const P99: Duration = Duration::from_millis(10);
/// How long a worker may take to shut down.
const DRAIN: Duration = Duration::from_secs(30);
/// 2026-01-01, the first day of the feed.
const FIRST_MICROS: i64 = 1_767_225_600_000_000;
const MINUTE_MICROS: i64 = 60_000_000;

pub(super) async fn measure(search: &SearchStack<'_>, table: &mut Table) -> Result<(), Failure> {
    let server = DocumentServer::start().await?;
    let stack =
        BenchStack::new(Backend::Postgres, &[BenchProvider { slug: SLUG, url: &server.url(), schedule: SCHEDULE }]).await?;
    let outcome = measure_on(search, &server, &stack, table).await;
    stack.remove().await;
    outcome
}

async fn measure_on(
    search: &SearchStack<'_>,
    server: &DocumentServer,
    stack: &BenchStack,
    table: &mut Table,
) -> Result<(), Failure> {
    let feed = BenchFeed { base_events: BASE_EVENTS, order: 0, edition: 0 };
    server.serve(HttpDocument::Whole(feed.bytes()), "edition 0");
    let first = stack.sync().await?;
    if first.row.state != RunState::Succeeded {
        return Err(format!("the state of the first load is {:?}", first.row.state).into());
    }
    let api = ApiServer::start(&ApiSettings::on(stack.database.settings.url.expose())).await?;
    let paths = paths();
    let seconds = search.settings.steady_seconds();
    let queries_before = count_queries(&api).await;
    let version_before = version(&stack.database).await?;
    warm(api.address, &paths).await?;
    let mut worker = stack.worker_command(&["run"])?.spawn()?;
    let changing = tokio::spawn(change(server.clone(), feed));
    progress(format_args!("{} requests a second for {seconds} s while a sync changes 1 %", search.settings.rate()));
    let outcome = LoadSettings::open(api.address, CONNECTIONS, seconds, search.settings.rate()).run(&paths).await;
    changing.abort();
    process::send_signal(&worker, "TERM").await?;
    tokio::time::timeout(DRAIN, worker.wait()).await.map_err(|_| "the worker did not shut down")??;
    let report = outcome?;
    let versions = version(&stack.database).await? - version_before + 1;
    table.absolute(
        &format!("{}/s for {seconds} s over {RANGES} ranges while syncs change 1 % every 5 s", search.settings.rate()),
        &format!("{}; errors: {} ({})", report.all.text(), report.errors(), report.counts()),
        "p99 < 10 ms, no error",
        report.all.p99() < P99 && report.errors() == 0,
    );
    match (queries_before, count_queries(&api).await) {
        (Ok(before), Ok(after)) => {
            let (most, executed) = (RANGES * u64::try_from(versions)?, after - before);
            let marquee = format!("{executed} queries for {RANGES} keys x {versions} versions");
            table.absolute("database queries", &marquee, &format!("at most {most}"), executed <= most && versions > 1);
        }
        (Err(failure), _) | (_, Err(failure)) => table.failed("database queries", failure),
    }
    report_peak_memory(&api, "after the steady load", table);
    Ok(())
}

/// Serves another edition in each interval, until it is aborted.
async fn change(server: DocumentServer, feed: BenchFeed) {
    for edition in 1.. {
        let body = tokio::task::spawn_blocking(move || BenchFeed { edition, ..feed }.bytes()).await.unwrap_or_default();
        server.serve(HttpDocument::Whole(body), format!("edition {edition}"));
        tokio::time::sleep(CHANGE_EVERY).await;
    }
}

/// Ranges of 30 days with different starts in the year of the feed.
fn paths() -> Vec<String> {
    let start = |number: u64| FIRST_MICROS + i64::try_from(number).unwrap_or(0) * 15 * 60 * MINUTE_MICROS;
    (0..RANGES).map(|number| ranges::path((start(number), start(number) + 30 * 24 * 60 * MINUTE_MICROS), ROWS)).collect()
}

async fn count_queries(api: &ApiServer) -> Result<u64, Failure> {
    api.counter("marquee_cache_fetches_total", &["source=\"database\""]).await
}

async fn version(database: &TestDatabase) -> Result<i64, Failure> {
    let connection = database.connect(ConnectionRole::Worker).await;
    let version = catalogue_version::Entity::find().one(&connection).await?;
    connection.close().await?;
    Ok(version.ok_or("the table catalogue_version is empty")?.version)
}
