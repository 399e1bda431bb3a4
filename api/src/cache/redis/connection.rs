//! Connections to each kind of Redis, and the commands that the tier sends.
//!
//! Every call has a time limit, and no connection reconnects: after an error the [`supervisor`](super::supervisor) replaces it. The
//! client's `ConnectionManager` reconnects, but stores a refused handshake (wrong password, server still loading) forever.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, RedisResult, TlsCertificates, TlsMode,
    aio::MultiplexedConnection,
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo},
    io::tcp::TcpSettings,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
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
    Server(Box<Client>),
    Cluster(Box<ClusterClient>),
    Sentinel(Box<SentinelClient>),
}

impl RedisTarget {
    /// The certificates are those of the authorities that are trusted instead of the system's.
    pub(super) fn new(address: RedisAddress, certificates: Option<TlsCertificates>) -> Result<Self, RedisUrlError> {
        let target = match address {
            RedisAddress::Server(info) => match certificates {
                Some(certificates) => Client::build_with_tls(info, certificates),
                None => Client::open(info),
            }
            .map(|client| Self::Server(Box::new(client))),
            RedisAddress::Cluster(seeds) => open_cluster(seeds, certificates).map(Self::Cluster),
            RedisAddress::Sentinel { sentinels, service, master } => {
                open_sentinels(&sentinels, &service, &master, certificates).map(Self::Sentinel)
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
            Self::Sentinel(sentinels) => open_server(&sentinels.async_get_client().await?).await,
        }
    }
}

fn open_cluster(seeds: Vec<ConnectionInfo>, certificates: Option<TlsCertificates>) -> RedisResult<Box<ClusterClient>> {
    let mut builder = ClusterClient::builder(seeds)
        .connection_timeout(CONNECT_TIMEOUT)
        .response_timeout(RESPONSE_TIMEOUT)
        .retries(REDIRECTS)
        .min_retry_wait(1)
        .max_retry_wait(REDIRECT_PAUSE_MS)
        .tcp_settings(TcpSettings::default().set_nodelay(true));
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    builder.build().map(Box::new)
}

fn open_sentinels(
    sentinels: &[ConnectionInfo],
    service: &str,
    master: &ConnectionInfo,
    certificates: Option<TlsCertificates>,
) -> RedisResult<Box<SentinelClient>> {
    let (addresses, redis) = (sentinels.iter().map(|sentinel| sentinel.addr().clone()), master.redis_settings());
    let mut builder = SentinelClientBuilder::new(addresses, service, SentinelServerType::Master)?
        .set_client_to_sentinel_tcp_settings(master.tcp_settings().clone())
        .set_client_to_redis_tcp_settings(master.tcp_settings().clone())
        .set_client_to_redis_protocol(redis.protocol())
        .set_client_to_redis_db(redis.db());
    if let Some(username) = redis.username() {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = redis.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let ConnectionAddr::TcpTls { insecure, .. } = master.addr() {
        builder = builder.set_client_to_redis_tls_mode(if *insecure { TlsMode::Insecure } else { TlsMode::Secure });
    }
    if let Some(certificates) = certificates {
        builder =
            builder.set_client_to_redis_certificates(certificates.clone()).set_client_to_sentinel_certificates(certificates);
    }
    builder.build().map(Box::new)
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
