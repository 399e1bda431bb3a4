//! Lists of events by any filters: compared with the bare SQL, with a small catalogue, and with a constant response. Words, compared
//! with an index of `tantivy`. Calendars, facets and exports of the large catalogue.

mod cached;
mod cases;
mod filters;
mod groups;
mod words;

use std::time::Duration;

use entity::ConnectionRole;
use migration::testing::{Backend, TestDatabase, event_catalogue::EventCatalogue};

use self::cases::{CASES, FindCase};
use crate::{
    Failure,
    baseline::{find::BareQuery, select::Select},
    load::LoadSettings,
    samples::Samples,
    search::programs::{ApiServer, ApiSettings},
    settings::{FindSettings, FindWork},
    table::{Table, progress},
};

/// Rows per page.
const ROWS: u64 = 20;
/// Concurrent requests. Some cases have only one request, and concurrent equal requests would be executed once.
const CONNECTIONS: usize = 1;
/// Maximum ratios to the small catalogue, and to the bare SQL.
const OF_SMALL: f64 = 2.0;
const OF_QUERY: f64 = 1.5;
/// More requests than a measurement can send.
const PATHS_PER_SECOND: f64 = 2_500.0;
/// Warms up connections, query plans and index pages.
const WARM_SECONDS: f64 = 1.0;

/// Describes the benchmark, for the head of the table.
pub(crate) fn describe(settings: &FindSettings) -> String {
    format!(
        "{} rounds of {} s, medians; PostgreSQL, pages of {ROWS} rows; without a cache: {CONNECTIONS} request at a time, CACHE_MIB=0; programs \
         log with LOG_FILTER=warn",
        settings.rounds,
        settings.turn_seconds()
    )
}

/// Runs the selected benchmarks.
pub(crate) async fn measure(settings: &FindSettings, table: &mut Table) {
    let databases = [TestDatabase::migrated(Backend::Postgres).await, TestDatabase::migrated(Backend::Postgres).await];
    let outcome = on(&databases, settings, table).await;
    table.record_failure("lists of events", outcome);
    for database in databases {
        database.remove().await;
    }
}

async fn on([small, large]: &[TestDatabase; 2], settings: &FindSettings, table: &mut Table) -> Result<(), Failure> {
    if settings.includes(FindWork::Words) {
        let outcome = words::measure(settings, table).await;
        table.record_failure("two words", outcome);
    }
    if !settings.includes(FindWork::Cached) && !settings.includes(FindWork::Filters) && !settings.includes(FindWork::Groups) {
        return Ok(());
    }
    let small = FindSide::fill(small, settings.small_events).await?;
    if settings.includes(FindWork::Cached) {
        let outcome = cached::measure(small.database, settings, table).await;
        table.record_failure("cached lists of events", outcome);
    }
    if !settings.includes(FindWork::Filters) && !settings.includes(FindWork::Groups) {
        return Ok(());
    }
    let large = FindSide::fill(large, settings.events).await?;
    if settings.includes(FindWork::Groups) {
        let outcome = groups::measure(&large, settings, table).await;
        table.record_failure("calendars, facets and exports", outcome);
    }
    if settings.includes(FindWork::Filters) {
        filters_of([&small, &large], settings, table).await?;
    }
    Ok(())
}

async fn filters_of(sides: [&FindSide<'_>; 2], settings: &FindSettings, table: &mut Table) -> Result<(), Failure> {
    let apis = [sides[0].start_api().await?, sides[1].start_api().await?];
    for case in &CASES {
        progress(format_args!("{}", case.name));
        let outcome = compare(case, sides, &apis, settings, table).await;
        table.record_failure(case.name, outcome);
    }
    Ok(())
}

/// One case on both catalogues, and its bare SQL.
async fn compare(
    case: &FindCase,
    sides: [&FindSide<'_>; 2],
    apis: &[ApiServer; 2],
    settings: &FindSettings,
    table: &mut Table,
) -> Result<(), Failure> {
    let mut p50 = [(); 2].map(|()| Samples::default());
    let mut p99 = [(); 2].map(|()| Samples::default());
    let mut bare = Samples::default();
    let select = Select::for_bare(sides[1].database.settings.url.expose(), ROWS.cast_signed()).await?;
    for round in 0..=settings.rounds {
        let seconds = if round == 0 { WARM_SECONDS } else { settings.turn_seconds() };
        for (index, (side, api)) in sides.iter().zip(apis).enumerate() {
            let (half, most) = side.load(case, api, seconds).await?;
            if round > 0 {
                p50[index].push(half);
                p99[index].push(most);
            }
        }
        let plain = select.median_time(sides[1].bare_queries(case, seconds), CONNECTIONS, seconds).await?;
        if round > 0 {
            bare.push(plain);
        }
    }
    select.close().await;
    let (name, [small, large]) = (case.name, [settings.small_events, settings.events]);
    table.ratio(&format!("{name}, {large} events, p50; baseline: the bare SQL"), &p50[1], &bare, OF_QUERY);
    table.ratio(&format!("{name}, {large} events, p99; baseline: {small} events"), &p99[1], &p99[0], OF_SMALL);
    Ok(())
}

/// One of the catalogues.
struct FindSide<'a> {
    database: &'a TestDatabase,
    catalogue: EventCatalogue,
}

impl<'a> FindSide<'a> {
    async fn fill(database: &'a TestDatabase, events: u64) -> Result<Self, Failure> {
        progress(format_args!("loading {events} events"));
        let connection = database.connect(ConnectionRole::Migrate).await;
        let catalogue = EventCatalogue::insert(&connection, events).await?;
        connection.close().await?;
        Ok(Self { database, catalogue })
    }

    async fn start_api(&self) -> Result<ApiServer, Failure> {
        ApiServer::start(&ApiSettings { cache_mib: 0, ..ApiSettings::on(self.database.settings.url.expose()) }).await
    }

    /// The median and the 99th percentile of one measurement.
    async fn load(&self, case: &FindCase, api: &ApiServer, seconds: f64) -> Result<(Duration, Duration), Failure> {
        let paths: Vec<String> = (0..count(seconds)).map(|number| self.path(case, number)).collect();
        let (body, _) = api.get(&paths[0]).await?;
        let rows = ids(&body)?.len() as u64;
        if rows != ROWS {
            return Err(format!("{rows} rows: {}", paths[0]).into());
        }
        let report = LoadSettings::closed(api.address, CONNECTIONS, seconds).once().run(&paths).await?;
        if report.errors() > 0 {
            return Err(format!("requests failed: {}", report.counts()).into());
        }
        Ok((report.all.p50(), report.all.p99()))
    }

    fn path(&self, case: &FindCase, number: u64) -> String {
        let filters: Vec<String> = case.filters.iter().map(|filter| filter.query(&self.catalogue, number)).collect();
        format!("/events?limit={ROWS}&{}", filters.join("&"))
    }

    fn bare_queries(&self, case: &FindCase, seconds: f64) -> Vec<BareQuery> {
        let query = |number| {
            let mut query = BareQuery::default();
            case.filters.iter().for_each(|filter| filter.restrict(&self.catalogue, number, &mut query));
            query
        };
        (0..count(seconds)).map(query).collect()
    }
}

/// The ids of the events of a response.
fn ids(body: &[u8]) -> Result<Vec<String>, Failure> {
    let body: serde_json::Value = serde_json::from_slice(body)?;
    let events = body["data"]["events"].as_array().ok_or("the response has no events")?;
    Ok(events.iter().filter_map(|event| event["id"].as_str()).map(str::to_owned).collect())
}

fn count(seconds: f64) -> u64 {
    (PATHS_PER_SECOND * seconds) as u64
}
