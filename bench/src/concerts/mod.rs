//! The search for concerts on a small and on a big copy: whatever is asked, a page is to take about as long on both.

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
    load::LoadSettings,
    peer::select::Select,
    samples::Samples,
    search::programs::{Api, ApiSettings},
    settings::{ConcertsSettings, ConcertsWork},
    table::{Table, progress},
};

/// Concerts of the small copy.
const SMALL: u64 = 20_000;
/// Rows of a page.
const ROWS: u64 = 20;
/// Requests at the same time: what a page takes is measured, and not how many go into a machine.
const CONNECTIONS: usize = 2;
/// At most so many times as long on the big copy, and as the bare query.
const OF_SMALL: f64 = 2.0;
const OF_QUERY: f64 = 1.5;
/// More than a turn can ask for.
const PATHS_PER_SECOND: f64 = 5_000.0;
/// Connections, plans, and the pages of the indexes that all requests share.
const WARM_SECONDS: f64 = 2.0;
/// For how many concerts the bytes are extrapolated.
const EXTRAPOLATED: u64 = 200_000_000;

/// What was measured and how, for the head of the table.
pub(crate) fn measured(settings: &ConcertsSettings) -> String {
    format!(
        "{} rounds of {} s a turn, medians; {CONNECTIONS} requests at a time, each another band or place, CACHE_MIB=0; programs under test log \
         with LOG_FILTER=warn",
        settings.rounds,
        settings.turn_seconds()
    )
}

/// Measures all of it that is wanted.
pub(crate) async fn measure(settings: &ConcertsSettings, table: &mut Table) {
    for (work, backend, big) in [
        (ConcertsWork::Postgres, Backend::Postgres, settings.concerts),
        (ConcertsWork::Sqlite, Backend::Sqlite, settings.sqlite_concerts),
    ] {
        if settings.wants(work) {
            let outcome = on(backend, big, settings, table).await;
            table.unless_measured(&format!("{backend:?}"), outcome);
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
        progress(format_args!("{backend:?}: a copy of {concerts} concerts"));
        copy::fill(backend, database, Size { concerts }).await?;
    }
    table.figure(&format!("{backend:?}: disk of {big} concerts"), &disk(backend, large, big).await?);
    let sides = [Side::start(small, SMALL).await?, Side::start(large, big).await?];
    for shape in &SHAPES {
        let mut times = [(); 2].map(|()| Times::default());
        for round in 0..=settings.rounds {
            for (side, times) in sides.iter().zip(&mut times) {
                let seconds = if round == 0 { WARM_SECONDS } else { settings.turn_seconds() };
                let turn = side.turn(shape, seconds, round).await?;
                if round > 0 {
                    times.push(turn);
                }
            }
        }
        let [small, large] = times;
        let work = format!("{backend:?}: {}, {ROWS} rows of {big} concerts; peer: of {SMALL}", shape.name);
        table.ratio(&format!("{work}; p99"), &large.p99, &small.p99, OF_SMALL);
        table.compared(&format!("{work}; p50"), &large.half, &small.half);
    }
    if backend == Backend::Postgres {
        for (side, database) in sides.iter().zip([small, large]) {
            beside_query(side, database, settings, table).await?;
        }
    }
    Ok(())
}

/// One band's page beside the bare query for it.
async fn beside_query(
    side: &Side,
    database: &TestDatabase,
    settings: &ConcertsSettings,
    table: &mut Table,
) -> Result<(), Failure> {
    let band = Select::of_bands(database.settings.url.expose(), ROWS.cast_signed()).await?;
    let (mut ours, mut peer) = (Samples::default(), Samples::default());
    for round in 0..=settings.rounds {
        let turn = side.turn(&SHAPES[0], settings.turn_seconds(), round).await?;
        let count = (PATHS_PER_SECOND * settings.turn_seconds()) as u64;
        let bands = (0..count).map(|number| shapes::band(side.size, number, round).to_string()).collect();
        let bare = band.half(bands, CONNECTIONS, settings.turn_seconds()).await?;
        if round > 0 {
            ours.push(turn.1);
            peer.push(bare);
        }
    }
    band.close().await;
    let work = format!("{}, {ROWS} rows of {} concerts, p50; peer: the bare query", SHAPES[0].name, side.size.concerts);
    table.ratio(&work, &ours, &peer, OF_QUERY);
    Ok(())
}

#[derive(Default)]
struct Times {
    p99: Samples,
    half: Samples,
}

impl Times {
    fn push(&mut self, (p99, half): (Duration, Duration)) {
        self.p99.push(p99);
        self.half.push(half);
    }
}

/// An API over one of the copies.
struct Side {
    api: Api,
    size: Size,
}

impl Side {
    async fn start(database: &TestDatabase, concerts: u64) -> Result<Self, Failure> {
        let settings = ApiSettings { cache_mib: 0, ..ApiSettings::on(database.settings.url.expose()) };
        Ok(Self { api: Api::start(&settings).await?, size: Size { concerts } })
    }

    /// The 99th percentile and the median of a turn.
    async fn turn(&self, shape: &Shape, seconds: f64, round: u32) -> Result<(Duration, Duration), Failure> {
        let count = (PATHS_PER_SECOND * seconds) as u64;
        let paths: Vec<String> = (0..count).map(|number| (shape.path)(self.size, number, round)).collect();
        let (body, _) = self.api.get(&paths[0]).await?;
        let rows = String::from_utf8_lossy(&body).matches(r#""band":"#).count() as u64;
        if rows != ROWS {
            return Err(format!("{} finds {rows} rows of {} concerts: {}", shape.name, self.size.concerts, paths[0]).into());
        }
        let report = LoadSettings::closed(self.api.address, CONNECTIONS, seconds).once().run(&paths).await?;
        if report.errors() > 0 {
            return Err(format!("not all went well: {}", report.counts()).into());
        }
        Ok((report.all.p99(), report.all.half()))
    }
}

/// Bytes on disk for each concert, indexes included.
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
    Ok(format!("{each} bytes for each concert ({}); {EXTRAPOLATED} would take {gib} GiB", parts.join(", ")))
}
