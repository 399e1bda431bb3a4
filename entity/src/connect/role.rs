//! What a pool is used for: its size, its timeouts, and the settings of its connections.

use std::time::Duration;

use sea_orm::ConnectOptions;

use super::postgres::{self, ReadOnlyServer, ReleaseCheck, SessionSetting};

/// Connections of an API process: queries are short, so a few connections serve many requests, and a PostgreSQL server (100 connections by
/// default) supports several replicas.
const API_CONNECTIONS: u32 = 16;
/// Connections of a worker process: three syncs write at the same time, and others start and end their runs.
const WORKER_CONNECTIONS: u32 = 5;
/// Connections of a worker process for webhooks: each of its deliveries mostly waits for its receiver. They are not those of syncs, which
/// many deliveries would delay.
const DELIVERY_CONNECTIONS: u32 = 4;
/// How long a request waits for a connection before it gets a 503.
const API_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a sync waits for a connection: longer than a statement can hold one, because no client is waiting.
const WORKER_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(90);
/// Timeout of a statement of the API: a search takes milliseconds, so the client of a longer one has usually given up.
const API_STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long after its last use a connection of the API is used without a ping: a ping before each query would take as long as the query.
/// The price is one failed request for a connection that broke in this time.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);
/// Timeout of a statement that writes: a bulk write of a large feed or the sums of a large batch take seconds.
pub(super) const WRITE_STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// The server ends a transaction if its client is silent for this long. Until then the transaction of a lost connection blocks other
/// writers.
const SILENCE: Duration = Duration::from_secs(15);
/// The same of a worker: a sync reads a part of its feed between two statements.
const SYNC_SILENCE: Duration = Duration::from_secs(60);
/// How long a connection may take to end its last statement and to roll back. A caller that gave up may have left both to do.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// The same of a connection that only reads: closing it cancels the statement of a read that was dropped.
const READ_RELEASE_TIMEOUT: Duration = Duration::from_millis(250);
/// Planner settings of PostgreSQL for the API, and for deliveries, which read the log of changes as it does: one generic plan for each
/// statement and connection, on one core, that reads rows from an index in their order. By default PostgreSQL plans some statements again
/// for each request, which takes longer than running them. It also expects far more rows than a page has, and prepares for them with
/// hashes, sorts, parallel workers and JIT compilation.
const PAGE_PLANNER_SETTINGS: [(&str, &str); 8] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
];
/// Connections of an API process for writes: a few for batches of prices, the others for short writes.
const WRITE_CONNECTIONS: u32 = 12;
/// Timeout of a query for the catalogue version: it reads one row, so a database that needs longer counts as unavailable.
const WATCH_TIMEOUT: Duration = Duration::from_secs(1);

/// What a pool of connections is used for. It determines the size of the pool and its timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionRole {
    /// Many short reads.
    Api,
    /// Few long writes. Those that a power failure loses are repeated.
    Worker,
    /// The same of a command, which reports its writes as committed.
    Command,
    /// Deliveries of webhooks by a worker. A message that was sent cannot be withdrawn, so what was written before must remain.
    Deliver,
    /// Writes of API clients, who wait for them.
    Write,
    /// Changes of the schema, which may take as long as they need.
    Migrate,
    /// One short query at a time, repeatedly: whether the primary is available, and its catalogue version.
    Watch,
    /// The same of a replica.
    WatchReplica,
}

impl ConnectionRole {
    /// Sets the options of a pool for this role.
    pub(super) fn configure(self, options: &mut ConnectOptions) {
        match self {
            Self::Api => {
                options
                    .max_connections(API_CONNECTIONS)
                    .test_before_acquire_if_idle_for(PING_AFTER_IDLE)
                    .acquire_timeout(API_ACQUIRE_TIMEOUT)
                    .set_application_name("marquee-api");
            }
            Self::Worker | Self::Command => {
                options
                    .max_connections(WORKER_CONNECTIONS)
                    .acquire_timeout(WORKER_ACQUIRE_TIMEOUT)
                    .set_application_name("marquee-worker");
            }
            Self::Deliver => {
                options
                    .max_connections(DELIVERY_CONNECTIONS)
                    .acquire_timeout(WORKER_ACQUIRE_TIMEOUT)
                    .set_application_name("marquee-worker-webhooks");
            }
            Self::Write => {
                options
                    .max_connections(WRITE_CONNECTIONS)
                    .test_before_acquire_if_idle_for(PING_AFTER_IDLE)
                    .acquire_timeout(API_ACQUIRE_TIMEOUT)
                    .set_application_name("marquee-api-write");
            }
            Self::Migrate => {
                options.max_connections(1).set_application_name("marquee-migrate");
            }
            Self::Watch | Self::WatchReplica => {
                options.max_connections(1).acquire_timeout(WATCH_TIMEOUT).set_application_name("marquee-watch");
            }
        }
    }

    /// Sets the options of a pool of connections to PostgreSQL.
    pub(super) fn configure_postgres(self, options: &mut ConnectOptions) {
        let release_check = match self {
            Self::Api => ReleaseCheck::AfterCancellation(READ_RELEASE_TIMEOUT),
            Self::Worker | Self::Command | Self::Deliver => ReleaseCheck::Writable(RELEASE_TIMEOUT),
            _ => ReleaseCheck::Always(RELEASE_TIMEOUT),
        };
        postgres::configure(options, &self.session_settings(), self.read_only_server(), release_check);
    }

    /// The settings of connections to PostgreSQL.
    fn session_settings(self) -> Vec<SessionSetting> {
        let (statement_timeout, silence, planner): (_, _, &[_]) = match self {
            Self::Api => (API_STATEMENT_TIMEOUT, SILENCE, &PAGE_PLANNER_SETTINGS),
            Self::Worker | Self::Command => (WRITE_STATEMENT_TIMEOUT, SYNC_SILENCE, &[]),
            Self::Deliver => (WRITE_STATEMENT_TIMEOUT, SILENCE, &PAGE_PLANNER_SETTINGS),
            Self::Write => (WRITE_STATEMENT_TIMEOUT, SILENCE, &[]),
            Self::Watch | Self::WatchReplica => (WATCH_TIMEOUT, SILENCE, &[]),
            Self::Migrate => return Vec::new(),
        };
        let timeouts = [("statement_timeout", statement_timeout), ("idle_in_transaction_session_timeout", silence)];
        let timeouts = timeouts.map(|(name, limit)| (name, limit.as_millis().to_string()));
        timeouts.into_iter().chain(planner.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
    }

    fn read_only_server(self) -> ReadOnlyServer {
        match self {
            Self::Worker | Self::Command | Self::Deliver | Self::Write => ReadOnlyServer::Reject,
            Self::Watch => ReadOnlyServer::UseOnce,
            Self::Api | Self::Migrate | Self::WatchReplica => ReadOnlyServer::Accept,
        }
    }

    /// Whether the connections are those of `marquee-worker`.
    pub(crate) fn is_of_worker(self) -> bool {
        matches!(self, Self::Worker | Self::Command | Self::Deliver)
    }

    /// Whether every use of the pool may write.
    pub(crate) fn writes(self) -> bool {
        self.read_only_server() == ReadOnlyServer::Reject
    }
}
