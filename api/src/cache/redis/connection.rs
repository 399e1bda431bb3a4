//! Connections to each kind of Redis, and the commands that the tier sends.
//!
//! Every call has a time limit, and no connection reconnects: after an error the [`supervisor`](super::supervisor) replaces it. The
//! client's `ConnectionManager` reconnects, but stores a refused handshake (wrong password, server still loading) forever.

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

use super::{GET_TIMEOUT, RedisUrlError, TIME_TO_LIVE, address::RedisAddress};

/// Limit of one TCP connection and its handshake: several round trips of a slow network.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Limit of connecting as a whole: some of three sentinels may not respond, each for a second.
const TOTAL_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Limit of any other call: a value of the largest size on a slow network.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Commands that wait for a busy socket. An abandoned command stays in this queue, with a value of up to a few MiB.
const WRITE_QUEUE: usize = 16;
/// Redirects of a cluster per key: one to the node that has the key now, and one more if that has just changed.
const REDIRECTS: u32 = 2;
/// Longest pause before a cluster call is redirected, in ms: a small part of [`GET_TIMEOUT`].
const REDIRECT_PAUSE_MS: u64 = 10;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("Redis did not respond in time")]
    Timeout,
    #[error("the Redis call failed")]
    Redis(#[source] redis::RedisError),
}

impl From<redis::RedisError> for CallError {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(error)
    }
}

impl CallError {
    /// Whether a server responded, with an error.
    pub(super) fn is_response(&self) -> bool {
        self.code().is_some()
    }

    /// Whether the server is a replica or has lost its master. After a failover, the host name or the sentinels lead to another one.
    pub(super) fn is_wrong_server(&self) -> bool {
        matches!(self.code(), Some("READONLY" | "MASTERDOWN"))
    }

    /// Whether the server cannot serve any command yet: it is loading, has lost its master, or requires a password.
    fn serves_nothing(&self) -> bool {
        matches!(self.code(), None | Some("LOADING" | "MASTERDOWN" | "NOAUTH"))
    }

    /// Whether the connection is broken.
    pub(super) fn is_disconnect(&self) -> bool {
        matches!(self, Self::Redis(error) if error.is_unrecoverable_error())
    }

    fn code(&self) -> Option<&str> {
        match self {
            Self::Timeout => None,
            Self::Redis(error) => error.code(),
        }
    }
}

/// A connection to a server or a cluster.
#[derive(Clone)]
pub(super) enum RedisConnection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl RedisConnection {
    /// Reads the value of a key.
    pub(super) async fn get(self, key: &str) -> Result<Option<Vec<u8>>, CallError> {
        let mut command = redis::cmd("GET");
        command.arg(key);
        self.call(&command, GET_TIMEOUT).await
    }

    /// Stores a value for [`TIME_TO_LIVE`].
    pub(super) async fn set(self, key: &str, value: &[u8]) -> Result<(), CallError> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(value).arg("EX").arg(TIME_TO_LIVE.as_secs());
        self.call(&command, RESPONSE_TIMEOUT).await
    }

    /// Checks that a server responds and can serve. In a cluster, one node is sufficient.
    pub(super) async fn check(&self) -> Result<(), CallError> {
        let command = redis::cmd("PING");
        let result = match self {
            Self::Server(_) => self.clone().call::<()>(&command, GET_TIMEOUT).await,
            Self::Cluster(cluster) => {
                let any = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, Some(ResponsePolicy::OneSucceeded)));
                let response = timeout(GET_TIMEOUT, cluster.clone().route_command(command, any)).await;
                response.map_err(|_| CallError::Timeout).and_then(|value| Ok(value?.extract_error().map(drop)?))
            }
        };
        // A server with a full disk, or a user without the permission, refuses PING but responds to GET.
        result.or_else(|error| if error.serves_nothing() { Err(error) } else { Ok(()) })
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    async fn call<T: FromRedisValue>(self, command: &Cmd, limit: Duration) -> Result<T, CallError> {
        let response = async {
            match self {
                Self::Server(mut server) => command.query_async(&mut server).await,
                Self::Cluster(mut cluster) => command.query_async(&mut cluster).await,
            }
        };
        Ok(timeout(limit, response).await.map_err(|_| CallError::Timeout)??)
    }
}

/// Two connections, so that writing a large value never delays a read.
#[derive(Clone)]
pub(super) struct ConnectionPair {
    pub(super) reads: RedisConnection,
    pub(super) writes: RedisConnection,
}

/// A client for each kind of address.
pub(super) enum RedisTarget {
    Server(Client),
    Cluster(Box<ClusterClient>),
    Sentinel { sentinels: Box<Sentinel>, service: String, master: SentinelNodeConnectionInfo },
}

impl RedisTarget {
    pub(super) fn new(address: RedisAddress) -> Result<Self, RedisUrlError> {
        let target = match address {
            RedisAddress::Server(info) => Client::open(info).map(Self::Server),
            RedisAddress::Cluster(seeds) => ClusterClient::builder(seeds)
                .connection_timeout(CONNECT_TIMEOUT)
                .response_timeout(RESPONSE_TIMEOUT)
                .retries(REDIRECTS)
                .min_retry_wait(1)
                .max_retry_wait(REDIRECT_PAUSE_MS)
                .tcp_settings(TcpSettings::default().set_nodelay(true))
                .build()
                .map(|client| Self::Cluster(Box::new(client))),
            RedisAddress::Sentinel { sentinels, service, master } => {
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
        target.map_err(|_| RedisUrlError::Server)
    }

    /// Connects, and checks the connection.
    pub(super) async fn connect(&mut self) -> Result<ConnectionPair, CallError> {
        let connected = timeout(TOTAL_CONNECT_TIMEOUT, async {
            let pair = self.open().await?;
            pair.reads.check().await?;
            Ok(pair)
        });
        connected.await.unwrap_or(Err(CallError::Timeout))
    }

    async fn open(&mut self) -> RedisResult<ConnectionPair> {
        match self {
            Self::Server(client) => open_server(client).await,
            Self::Cluster(client) => {
                let (reads, writes) = tokio::try_join!(client.get_async_connection(), client.get_async_connection())?;
                Ok(ConnectionPair { reads: RedisConnection::Cluster(reads), writes: RedisConnection::Cluster(writes) })
            }
            Self::Sentinel { sentinels, service, master } => {
                let client = sentinels.async_master_for(service, Some(master)).await?;
                open_server(&client).await
            }
        }
    }
}

async fn open_server(client: &Client) -> RedisResult<ConnectionPair> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(Some(RESPONSE_TIMEOUT));
    let write_config = config.clone().set_pipeline_buffer_size(WRITE_QUEUE);
    let (reads, writes) = tokio::try_join!(
        client.get_multiplexed_async_connection_with_config(&config),
        client.get_multiplexed_async_connection_with_config(&write_config),
    )?;
    Ok(ConnectionPair { reads: RedisConnection::Server(reads), writes: RedisConnection::Server(writes) })
}
