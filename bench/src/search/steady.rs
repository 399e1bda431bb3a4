//! A constant rate over the same ranges, while the real worker copies a feed of which 1 % changes again and again.

use std::time::Duration;

use entity::{ConnectionRole, catalogue_version, sync_run::RunState};
use migration::testing::{Backend, TestDatabase};
use sea_orm::EntityTrait;

use super::{
    ROWS, Stage, enter_memory,
    programs::{Api, ApiSettings},
    ranges, warm,
};
use crate::{
    Failure,
    feed::Feed,
    house::{Entry, House, SLUG},
    load::LoadSettings,
    process,
    server::{Document, Server},
    table::{Table, progress},
};

/// Different ranges.
const RANGES: u64 = 500;
const CONNECTIONS: usize = 64;
/// Base events of the feed, of two events each.
const BASE_EVENTS: u64 = 10_000;
/// How often 1 % of them changes, and how often the worker looks.
const CHANGE_EVERY: Duration = Duration::from_secs(5);
const SCHEDULE: &str = "*/5 * * * * *";
/// The worst that 99 of 100 requests may see.
const P99: Duration = Duration::from_millis(10);
/// How long a worker may take to end when told to.
const DRAIN: Duration = Duration::from_secs(30);
/// 2026-01-01, the first day of the feed.
const FIRST_MICROS: i64 = 1_767_225_600_000_000;
const MINUTE_MICROS: i64 = 60_000_000;

pub(super) async fn measure(stage: &Stage<'_>, table: &mut Table) -> Result<(), Failure> {
    let server = Server::start().await?;
    let house = House::new(Backend::Postgres, &[Entry { slug: SLUG, url: &server.url(), schedule: SCHEDULE }]).await?;
    let outcome = held(stage, &server, &house, table).await;
    house.remove().await;
    outcome
}

async fn held(stage: &Stage<'_>, server: &Server, house: &House, table: &mut Table) -> Result<(), Failure> {
    let feed = Feed { base_events: BASE_EVENTS, order: 0, edition: 0 };
    server.serve(Document::Whole(feed.bytes()), "edition 0");
    let first = house.sync().await?;
    if first.entered.state != RunState::Succeeded {
        return Err(format!("the first load ended as {:?}", first.entered.state).into());
    }
    let api = Api::start(&ApiSettings::on(house.database.settings.url.expose())).await?;
    let paths = paths();
    let seconds = stage.settings.steady_seconds();
    let queries_before = queries(&api).await;
    let version_before = version(&house.database).await?;
    warm(api.address, &paths).await?;
    let mut worker = house.worker(&["run"])?.spawn()?;
    let changing = tokio::spawn(change(server.clone(), feed));
    progress(format_args!("{} requests a second for {seconds} s while a sync changes 1 %", stage.settings.rate()));
    let outcome = LoadSettings::open(api.address, CONNECTIONS, seconds, stage.settings.rate()).run(&paths).await;
    changing.abort();
    process::signal(&worker, "TERM").await?;
    tokio::time::timeout(DRAIN, worker.wait()).await.map_err(|_| "the worker did not end when told to")??;
    let report = outcome?;
    let versions = version(&house.database).await? - version_before + 1;
    table.absolute(
        &format!("{}/s held for {seconds} s over {RANGES} ranges while a sync changes 1 % every 5 s", stage.settings.rate()),
        &format!("{}; errors: {} ({})", report.all.text(), report.errors(), report.counts()),
        "p99 < 10 ms, no error",
        report.all.p99() < P99 && report.errors() == 0,
    );
    match (queries_before, queries(&api).await) {
        (Ok(before), Ok(after)) => {
            let (most, asked) = (RANGES * u64::try_from(versions)?, after - before);
            let ours = format!("{asked} queries for {RANGES} keys x {versions} versions");
            table.absolute("database queries meanwhile", &ours, &format!("at most {most}"), asked <= most && versions > 1);
        }
        (Err(failure), _) | (_, Err(failure)) => table.failed("database queries meanwhile", failure),
    }
    enter_memory(&api, "after the steady load", table);
    Ok(())
}

/// Serves another edition from time to time, for ever.
async fn change(server: Server, feed: Feed) {
    for edition in 1.. {
        let body = tokio::task::spawn_blocking(move || Feed { edition, ..feed }.bytes()).await.unwrap_or_default();
        server.serve(Document::Whole(body), format!("edition {edition}"));
        tokio::time::sleep(CHANGE_EVERY).await;
    }
}

/// Different starts all over the year of the feed, a range of 30 days each.
fn paths() -> Vec<String> {
    let start = |number: u64| FIRST_MICROS + i64::try_from(number).unwrap_or(0) * 15 * 60 * MINUTE_MICROS;
    (0..RANGES).map(|number| ranges::path((start(number), start(number) + 30 * 24 * 60 * MINUTE_MICROS), ROWS)).collect()
}

async fn queries(api: &Api) -> Result<u64, Failure> {
    api.counter("marquee_cache_fetches_total", &["source=\"database\""]).await
}

async fn version(database: &TestDatabase) -> Result<i64, Failure> {
    let connection = database.connect(ConnectionRole::Worker).await;
    let version = catalogue_version::Entity::find().one(&connection).await?;
    connection.close().await?;
    Ok(version.ok_or("there is no catalogue version")?.version)
}
