//! Concert searches on a small and a large catalogue: a page should take about the same time on both.

mod copy;
mod shapes;

use std::time::Duration;

use entity::ConnectionRole;
use migration::testing::{Backend, TestDatabase};
use sea_orm::{ConnectionTrait, Statement};

use self::{
    copy::{Size, TABLES},
    shapes::{SHAPES, Shape},
};
use crate::{
    Failure,
    baseline::select::Select,
    load::LoadSettings,
    samples::Samples,
    search::programs::{ApiServer, ApiSettings},
    settings::{ConcertsSettings, ConcertsWork},
    table::{Table, progress},
};

/// Concerts in the small catalogue.
const SMALL: u64 = 20_000;
/// Rows per page.
const ROWS: u64 = 20;
/// Concurrent requests: few, because latency is measured and not throughput.
const CONNECTIONS: usize = 2;
/// Maximum ratios to the small catalogue, and to the plain query.
const OF_SMALL: f64 = 2.0;
const OF_QUERY: f64 = 1.5;
/// More requests than a measurement can send.
const PATHS_PER_SECOND: f64 = 5_000.0;
/// Warms up connections, query plans and index pages.
const WARM_SECONDS: f64 = 2.0;
/// The number of concerts that the disk usage is extrapolated to.
const EXTRAPOLATED: u64 = 200_000_000;

/// Describes the benchmark, for the head of the table.
pub(crate) fn describe(settings: &ConcertsSettings) -> String {
    format!(
        "{} rounds of {} s, medians; {CONNECTIONS} concurrent requests for different bands or places, CACHE_MIB=0; programs log with \
         LOG_FILTER=warn",
        settings.rounds,
        settings.turn_seconds()
    )
}

/// Runs the selected benchmarks.
pub(crate) async fn measure(settings: &ConcertsSettings, table: &mut Table) {
    for (work, backend, big) in [
        (ConcertsWork::Postgres, Backend::Postgres, settings.concerts),
        (ConcertsWork::Sqlite, Backend::Sqlite, settings.sqlite_concerts),
    ] {
        if settings.includes(work) {
            let outcome = on(backend, big, settings, table).await;
            table.record_failure(&format!("{backend:?}"), outcome);
        }
    }
}

async fn on(backend: Backend, big: u64, settings: &ConcertsSettings, table: &mut Table) -> Result<(), Failure> {
    let databases = [TestDatabase::migrated(backend).await, TestDatabase::migrated(backend).await];
    let outcome = both(backend, &databases, big, settings, table).await;
    for database in databases {
        database.remove().await;
    }
    outcome
}

async fn both(
    backend: Backend,
    [small, large]: &[TestDatabase; 2],
    big: u64,
    settings: &ConcertsSettings,
    table: &mut Table,
) -> Result<(), Failure> {
    for (database, concerts) in [(small, SMALL), (large, big)] {
        progress(format_args!("{backend:?}: loading {concerts} concerts"));
        copy::fill(backend, database, Size { concerts }).await?;
    }
    table.figure(&format!("{backend:?}: disk usage of {big} concerts"), &disk(backend, large, big).await?);
    let sides = [ConcertsSide::start(small, SMALL).await?, ConcertsSide::start(large, big).await?];
    for shape in &SHAPES {
        let mut times = [(); 2].map(|()| ConcertTimes::default());
        for round in 0..=settings.rounds {
            for (side, times) in sides.iter().zip(&mut times) {
                let seconds = if round == 0 { WARM_SECONDS } else { settings.turn_seconds() };
                let turn = side.measure(shape, seconds, round).await?;
                if round > 0 {
                    times.push(turn);
                }
            }
        }
        let [small, large] = times;
        let work = format!("{backend:?}: {}, {ROWS} rows of {big} concerts; baseline: {SMALL} concerts", shape.name);
        table.ratio(&format!("{work}; p99"), &large.p99, &small.p99, OF_SMALL);
        table.comparison(&format!("{work}; p50"), &large.half, &small.half);
    }
    if backend == Backend::Postgres {
        for (side, database) in sides.iter().zip([small, large]) {
            compare_with_query(side, database, settings, table).await?;
        }
    }
    Ok(())
}

/// A page of one band compared with the plain query.
async fn compare_with_query(
    side: &ConcertsSide,
    database: &TestDatabase,
    settings: &ConcertsSettings,
    table: &mut Table,
) -> Result<(), Failure> {
    let band = Select::for_bands(database.settings.url.expose(), ROWS.cast_signed()).await?;
    let (mut marquee, mut baseline) = (Samples::default(), Samples::default());
    for round in 0..=settings.rounds {
        let turn = side.measure(&SHAPES[0], settings.turn_seconds(), round).await?;
        let count = (PATHS_PER_SECOND * settings.turn_seconds()) as u64;
        let bands = (0..count).map(|number| shapes::band(side.size, number, round).to_string()).collect();
        let plain = band.median_time(bands, CONNECTIONS, settings.turn_seconds()).await?;
        if round > 0 {
            marquee.push(turn.1);
            baseline.push(plain);
        }
    }
    band.close().await;
    let work = format!("{}, {ROWS} rows of {} concerts, p50; baseline: the plain query", SHAPES[0].name, side.size.concerts);
    table.ratio(&work, &marquee, &baseline, OF_QUERY);
    Ok(())
}

#[derive(Default)]
struct ConcertTimes {
    p99: Samples,
    half: Samples,
}

impl ConcertTimes {
    fn push(&mut self, (p99, half): (Duration, Duration)) {
        self.p99.push(p99);
        self.half.push(half);
    }
}

/// An API on one of the catalogues.
struct ConcertsSide {
    api: ApiServer,
    size: Size,
}

impl ConcertsSide {
    async fn start(database: &TestDatabase, concerts: u64) -> Result<Self, Failure> {
        let settings = ApiSettings { cache_mib: 0, ..ApiSettings::on(database.settings.url.expose()) };
        Ok(Self { api: ApiServer::start(&settings).await?, size: Size { concerts } })
    }

    /// The 99th percentile and the median of one measurement.
    async fn measure(&self, shape: &Shape, seconds: f64, round: u32) -> Result<(Duration, Duration), Failure> {
        let count = (PATHS_PER_SECOND * seconds) as u64;
        let paths: Vec<String> = (0..count).map(|number| (shape.path)(self.size, number, round)).collect();
        let (body, _) = self.api.get(&paths[0]).await?;
        let rows = String::from_utf8_lossy(&body).matches(r#""band":"#).count() as u64;
        if rows != ROWS {
            return Err(format!("{} returns {rows} rows of {} concerts: {}", shape.name, self.size.concerts, paths[0]).into());
        }
        let report = LoadSettings::closed(self.api.address, CONNECTIONS, seconds).once().run(&paths).await?;
        if report.errors() > 0 {
            return Err(format!("requests failed: {}", report.counts()).into());
        }
        Ok((report.all.p99(), report.all.p50()))
    }
}

/// Disk usage per concert, including indexes.
async fn disk(backend: Backend, database: &TestDatabase, concerts: u64) -> Result<String, Failure> {
    let connection = database.connect(ConnectionRole::Worker).await;
    let mut parts = Vec::new();
    let mut sum = 0;
    for table in TABLES {
        let text = match backend {
            Backend::Postgres => format!("SELECT pg_total_relation_size('{table}')::bigint AS bytes"),
            Backend::Sqlite => format!(
                "SELECT SUM(pgsize) AS bytes FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = '{table}')"
            ),
        };
        let row = connection.query_one_raw(Statement::from_string(connection.get_database_backend(), text)).await?;
        let bytes: i64 = row.ok_or("no size")?.try_get("", "bytes")?;
        sum += bytes;
        parts.push(format!("{table} {}", bytes / concerts.cast_signed()));
    }
    connection.close().await?;
    let each = sum / concerts.cast_signed();
    let gib = each * EXTRAPOLATED.cast_signed() / (1 << 30);
    Ok(format!("{each} bytes per concert ({}); {EXTRAPOLATED} concerts would need {gib} GiB", parts.join(", ")))
}
