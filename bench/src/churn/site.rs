//! The programs and the providers of one build.

use std::time::{Duration, Instant};

use entity::ConnectionRole;
use provider_sim::{SimCatalogue, SimProvider};
use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Statement};
use tokio::{net::TcpListener, process::Child};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::outcome::SyncTotals;
use crate::{
    Failure,
    build::Build,
    search::programs::{ApiServer, ApiSettings, RedisServer},
    settings::ChurnSettings,
    stack::{BenchProvider, BenchStack},
    table::progress,
};

/// How long the first loads of all providers may take.
const FIRST_LOADS: Duration = Duration::from_secs(600);
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Running programs on a database.
pub(super) struct ChurnSite {
    stack: BenchStack,
    connection: DatabaseConnection,
    providers: u64,
    apis: [ApiServer; 2],
    worker: Child,
    _redis: Option<RedisServer>,
    _simulators: DropGuard,
}

/// A moment of the catalogue.
#[derive(Clone, Copy, Debug)]
pub(super) struct CataloguePosition {
    pub(super) version: u64,
    last_run: u64,
}

/// Whether Redis is installed.
pub(super) fn has_redis() -> bool {
    programs::find_installed_program("redis-server", "redis-server").is_ok()
}

/// The catalogue of a provider. Its events are around today, so that some of their sale periods begin and end during the measurement.
pub(super) fn catalogue(settings: &ChurnSettings, number: u64) -> SimCatalogue {
    let anchor = chrono::Utc::now().date_naive();
    SimCatalogue { seed: number + 1, events: settings.events, churn: settings.churn, anchor, ..SimCatalogue::default() }
}

impl ChurnSite {
    /// Starts the programs of a build. The worker begins with the first loads.
    pub(super) async fn start(settings: &ChurnSettings, build: Build) -> Result<Self, Failure> {
        let stop = CancellationToken::new();
        let simulators = stop.clone().drop_guard();
        let mut named = Vec::new();
        for number in 0..settings.providers {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let url = format!("http://{}/feed", listener.local_addr()?);
            tokio::spawn(provider_sim::serve(listener, SimProvider::new(catalogue(settings, number)), stop.clone()));
            // Distributed over the minute.
            let schedule = format!("{} * * * * *", number * 60 / settings.providers);
            named.push((format!("provider-{number}"), url, schedule));
        }
        let entries: Vec<_> = named.iter().map(|(slug, url, schedule)| BenchProvider { slug, url, schedule }).collect();
        let stack = BenchStack::on(build.create_database().await?, build.clone(), &entries)?;
        let redis = if has_redis() { Some(RedisServer::start().await?) } else { None };
        let api = ApiSettings {
            redis_url: redis.as_ref().map(RedisServer::url),
            build,
            ..ApiSettings::on(stack.database.settings.url.expose())
        };
        let apis = [ApiServer::start(&api).await?, ApiServer::start(&api).await?];
        let worker = stack.worker_command(&["run"])?.env("LOG_FILTER", "warn").spawn()?;
        let connection = stack.database.connect(ConnectionRole::Worker).await;
        Ok(Self { stack, connection, providers: settings.providers, apis, worker, _redis: redis, _simulators: simulators })
    }

    /// The addresses of the APIs.
    pub(super) fn addresses(&self) -> [std::net::SocketAddr; 2] {
        [self.apis[0].address, self.apis[1].address]
    }

    /// Waits until each provider was synced once.
    pub(super) async fn wait_for_first_loads(&self) -> Result<(), Failure> {
        progress(format_args!("first loads of {} providers", self.providers));
        let until = Instant::now() + FIRST_LOADS;
        while self.query_number("SELECT count(*) FROM provider WHERE last_success_at IS NOT NULL").await? < self.providers {
            if Instant::now() > until {
                return Err(format!("the first loads are not complete: {}", self.stack.log_tail()).into());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// The fetches of both APIs from the database so far.
    pub(super) async fn count_database_fetches(&self) -> Result<u64, Failure> {
        let mut fetches = 0;
        for api in &self.apis {
            fetches += api.counter("marquee_cache_fetches_total", &["source=\"database\""]).await?;
        }
        Ok(fetches)
    }

    /// The version of the catalogue and the last run.
    pub(super) async fn read_position(&self) -> Result<CataloguePosition, Failure> {
        Ok(CataloguePosition {
            version: self.query_number("SELECT version FROM catalogue_version").await?,
            last_run: self.query_number("SELECT max(id) FROM sync_run").await?,
        })
    }

    /// The syncs that began after a position and have ended.
    pub(super) async fn read_syncs_after(&self, position: CataloguePosition) -> Result<SyncTotals, Failure> {
        let query = format!(
            "SELECT ended_at - started_at, fetched::bigint, (inserted + updated + \"left\")::bigint FROM sync_run \
             WHERE id > {} AND ended_at IS NOT NULL",
            position.last_run
        );
        let mut totals = SyncTotals::default();
        for row in self.query(&query).await? {
            let [micros, fetched, changed] = [0, 1, 2].map(|index| row.try_get_by_index::<i64>(index));
            totals.durations.push(Duration::from_micros(u64::try_from(micros?)?));
            totals.events += fetched?;
            totals.changed += changed?;
        }
        Ok(totals)
    }

    async fn query_number(&self, query: &str) -> Result<u64, Failure> {
        let rows = self.query(query).await?;
        let number: i64 = rows.first().ok_or("the result is empty")?.try_get_by_index(0)?;
        Ok(u64::try_from(number)?)
    }

    /// Runs a query. Entities may have columns that an earlier schema lacks.
    async fn query(&self, query: &str) -> Result<Vec<QueryResult>, Failure> {
        let statement = Statement::from_string(self.connection.get_database_backend(), query);
        Ok(self.connection.query_all_raw(statement).await?)
    }

    /// Stops the programs and removes the database.
    pub(super) async fn remove(self) {
        let Self { stack, connection, apis, mut worker, .. } = self;
        drop(apis);
        // It holds nothing that outlives the database.
        let _killed = worker.kill().await;
        let _closed = connection.close().await;
        stack.remove().await;
    }
}
