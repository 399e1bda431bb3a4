//! Connections: how each kind of Redis is reached, and the three things that are asked of it.
//!
//! Nothing here waits longer than it was told, and nothing reconnects: who sees a line fail asks the keeper for a new one. The
//! client's own `ConnectionManager` does reconnect, but keeps a refusal of the handshake (a wrong password, a server that still
//! loads its data) for ever.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisResult,
    aio::MultiplexedConnection,
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo},
    io::tcp::TcpSettings,
    sentinel::{Sentinel, SentinelNodeConnectionInfo},
};
use tokio::time::timeout;

use super::{GET_TIME, RedisError, TIME_TO_LIVE, address::Address};

/// How long one connection may take with its handshake: many round trips of a slow network, and short beside the five seconds in
/// which hits shall come again.
const CONNECT_TIME: Duration = Duration::from_millis(500);
/// How long all of connecting may take: some of three sentinels may be silent, each for a second.
const ARRIVAL_TIME: Duration = Duration::from_secs(3);
/// How long a call may wait for its answer, whoever waits for it: a value of the largest size over a slow network.
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// How many commands wait in front of a busy socket: whoever gave up leaves his there, a value of up to a few MiB with it.
const WAITING_COMMANDS: usize = 16;
/// How often a cluster may be asked again for one key: once where the key has moved to, once more if that has just changed.
const REDIRECTS: u32 = 2;
/// The longest pause before a cluster is asked again, in ms: a small part of what a reader waits at all.
const REDIRECT_PAUSE: u64 = 10;

/// Why a call had no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("Redis did not answer in time")]
    Silent,
    #[error("Redis cannot be used")]
    Refused(#[source] redis::RedisError),
}

impl From<redis::RedisError> for Fault {
    fn from(error: redis::RedisError) -> Self {
        Self::Refused(error)
    }
}

impl Fault {
    /// Whether a server said no, rather than nobody anything.
    pub(super) fn is_an_answer(&self) -> bool {
        self.code().is_some()
    }

    /// Whether the server says that it is not the one to ask: it is a replica, or has lost its master. After a failover the name
    /// in the URL, or the sentinels, lead to another.
    pub(super) fn is_the_wrong_server(&self) -> bool {
        matches!(self.code(), Some("READONLY" | "MASTERDOWN"))
    }

    /// Whether the server will answer nothing yet: it loads its data, has lost its master, or wants a password.
    fn serves_nothing(&self) -> bool {
        matches!(self.code(), None | Some("LOADING" | "MASTERDOWN" | "NOAUTH"))
    }

    /// Whether nothing more can come through this line.
    pub(super) fn ends_the_line(&self) -> bool {
        matches!(self, Self::Refused(error) if error.is_unrecoverable_error())
    }

    fn code(&self) -> Option<&str> {
        match self {
            Self::Silent => None,
            Self::Refused(error) => error.code(),
        }
    }
}

/// A way to a Redis.
#[derive(Clone)]
pub(super) enum Line {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Line {
    /// What is kept under the key.
    pub(super) async fn get(self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        let mut command = redis::cmd("GET");
        command.arg(key);
        self.ask(&command, GET_TIME).await
    }

    /// Keeps a value for a while.
    pub(super) async fn set(self, key: &str, value: &[u8]) -> Result<(), Fault> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(value).arg("EX").arg(TIME_TO_LIVE.as_secs());
        self.ask(&command, ANSWER_TIME).await
    }

    /// Whether anybody answers who can serve; of a cluster one node is enough.
    pub(super) async fn check(&self) -> Result<(), Fault> {
        let command = redis::cmd("PING");
        let answer = match self {
            Self::Server(_) => self.clone().ask::<()>(&command, GET_TIME).await,
            Self::Cluster(cluster) => {
                let any = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, Some(ResponsePolicy::OneSucceeded)));
                let answer = timeout(GET_TIME, cluster.clone().route_command(command, any)).await;
                answer.map_err(|_| Fault::Silent).and_then(|answer| Ok(answer?.extract_error().map(drop)?))
            }
        };
        // A full disk or a right that is missing makes a server refuse this command, while it answers a GET.
        answer.or_else(|fault| if fault.serves_nothing() { Err(fault) } else { Ok(()) })
    }

    pub(super) fn is_of_a_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    async fn ask<T: FromRedisValue>(self, command: &Cmd, patience: Duration) -> Result<T, Fault> {
        let answer = async {
            match self {
                Self::Server(mut server) => command.query_async(&mut server).await,
                Self::Cluster(mut cluster) => command.query_async(&mut cluster).await,
            }
        };
        Ok(timeout(patience, answer).await.map_err(|_| Fault::Silent)??)
    }
}

/// Two lines, so that a large value on its way out never delays who reads.
#[derive(Clone)]
pub(super) struct Lines {
    pub(super) reads: Line,
    pub(super) writes: Line,
}

/// Who is called.
pub(super) enum Target {
    Server(Client),
    Cluster(Box<ClusterClient>),
    Sentinel { sentinels: Box<Sentinel>, service: String, master: SentinelNodeConnectionInfo },
}

impl Target {
    pub(super) fn of(address: Address) -> Result<Self, RedisError> {
        let target = match address {
            Address::Server(info) => Client::open(info).map(Self::Server),
            Address::Cluster(seeds) => ClusterClient::builder(seeds)
                .connection_timeout(CONNECT_TIME)
                .response_timeout(ANSWER_TIME)
                .retries(REDIRECTS)
                .min_retry_wait(1)
                .max_retry_wait(REDIRECT_PAUSE)
                .tcp_settings(TcpSettings::default().set_nodelay(true))
                .build()
                .map(|client| Self::Cluster(Box::new(client))),
            Address::Sentinel { sentinels, service, master } => {
                let mut info = SentinelNodeConnectionInfo::default()
                    .set_redis_connection_info(master.redis_settings().clone())
                    .set_tcp_settings(master.tcp_settings().clone());
                if let redis::ConnectionAddr::TcpTls { insecure, .. } = master.addr() {
                    info = info.set_tls_mode(if *insecure { redis::TlsMode::Insecure } else { redis::TlsMode::Secure });
                }
                Sentinel::build(sentinels).map(|sentinels| Self::Sentinel {
                    sentinels: Box::new(sentinels),
                    service,
                    master: info,
                })
            }
        };
        target.map_err(|_| RedisError::Server)
    }

    /// Lines to a Redis that has answered on them.
    pub(super) async fn connect(&mut self) -> Result<Lines, Fault> {
        let connected = timeout(ARRIVAL_TIME, async {
            let lines = self.call().await?;
            lines.reads.check().await?;
            Ok(lines)
        });
        connected.await.unwrap_or(Err(Fault::Silent))
    }

    async fn call(&mut self) -> RedisResult<Lines> {
        match self {
            Self::Server(client) => call_server(client).await,
            Self::Cluster(client) => {
                let (reads, writes) = tokio::try_join!(client.get_async_connection(), client.get_async_connection())?;
                Ok(Lines { reads: Line::Cluster(reads), writes: Line::Cluster(writes) })
            }
            Self::Sentinel { sentinels, service, master } => {
                let client = sentinels.async_master_for(service, Some(master)).await?;
                call_server(&client).await
            }
        }
    }
}

async fn call_server(client: &Client) -> RedisResult<Lines> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIME)).set_response_timeout(Some(ANSWER_TIME));
    let write_config = config.clone().set_pipeline_buffer_size(WAITING_COMMANDS);
    let (reads, writes) = tokio::try_join!(
        client.get_multiplexed_async_connection_with_config(&config),
        client.get_multiplexed_async_connection_with_config(&write_config),
    )?;
    Ok(Lines { reads: Line::Server(reads), writes: Line::Server(writes) })
}
