//! Where Redis is: the setting, its forms, and what is to be connected to. Nothing here touches the network.

use std::{convert::Infallible, fmt, str::FromStr};

use clap::Args;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, io::tcp::TcpSettings};

/// The port of a sentinel when the URL names none.
const SENTINEL_PORT: u16 = 26379;
/// How many servers a URL may name: a cluster or its sentinels are found through any one of them, so a longer list is a mistake.
const MAX_SERVERS: usize = 64;

/// Which Redis, if any.
#[derive(Args, Clone, Debug, Default)]
pub struct RedisSettings {
    /// Where it is. Unset: answers are kept in the process only.
    #[arg(
        long,
        env = "REDIS_URL",
        hide_env_values = true,
        help = "A Redis that all processes share: redis://[USER:PASSWORD@]HOST[:PORT][/DB], redis+cluster://HOST:PORT,HOST:PORT or \
                redis+sentinel://HOST:PORT,HOST:PORT/SERVICE[/DB], with rediss for TLS; unset, answers are kept in the process only"
    )]
    pub redis_url: Option<RedisUrl>,
}

/// The URL of a Redis, whose password never reaches a log.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The URL with its password, for the client alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for RedisUrl {
    type Err = Infallible;

    /// Takes any text: a refusal here would make the command line show it, with its password.
    /// [`Redis::new`](super::Redis::new) refuses what it cannot use.
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        Ok(Self(url.to_owned()))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return formatter.write_str("***");
        };
        // A password may hold any character, unescaped ones included; only what stands behind the last @ is surely none.
        let (secret, place) = rest.rsplit_once('@').map_or(("", rest), |(_, place)| ("***@", place));
        let place = place.split(['?', '#']).next().unwrap_or(place);
        write!(formatter, "{scheme}://{secret}{place}")
    }
}

/// Why a setting names no Redis. What the URL says is never repeated, for a slip of the pen can make any part of it the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// The scheme is none of ours.
    #[error(
        "the Redis URL is none of redis://[USER:PASSWORD@]HOST[:PORT][/DB], redis+cluster://HOST:PORT,HOST:PORT, \
         redis+sentinel://HOST:PORT,HOST:PORT/SERVICE[/DB], and the same with rediss for TLS"
    )]
    Form,
    /// What follows the scheme cannot be read.
    #[error(
        "the Redis URL does not name a server: after the scheme stand [USER:PASSWORD@]HOST:PORT, special characters of a password percent-encoded"
    )]
    Server,
    /// It names far more servers than anybody needs to find one.
    #[error("the Redis URL names more than 64 servers")]
    TooManyServers,
    /// Sentinels know services by name.
    #[error("the Redis URL of sentinels does not name a service: redis+sentinel://HOST:PORT,HOST:PORT/SERVICE[/DB]")]
    Service,
}

/// What a URL names.
#[derive(Clone, Debug)]
pub(super) enum Address {
    /// One server.
    Server(ConnectionInfo),
    /// Any servers of a cluster: they tell the others.
    Cluster(Vec<ConnectionInfo>),
    /// Sentinels, and how to talk to the master that they name. The user and password of the URL are the master's.
    Sentinel { sentinels: Vec<ConnectionInfo>, service: String, master: ConnectionInfo },
}

impl Address {
    pub(super) fn of(url: &RedisUrl) -> Result<Self, RedisError> {
        let (scheme, rest) = url.expose().split_once("://").ok_or(RedisError::Form)?;
        let (plain, kind) = scheme.split_once('+').map_or((scheme, None), |(plain, kind)| (plain, Some(kind)));
        if !matches!(plain, "redis" | "rediss") {
            return Err(RedisError::Form);
        }
        match kind {
            None => Ok(Self::Server(server(plain, rest)?)),
            Some("cluster") => cluster(plain, rest),
            Some("sentinel") => sentinel(plain, rest),
            Some(_) => Err(RedisError::Form),
        }
    }
}

/// A URL without its scheme: `[credentials@]servers[tail]`, where the tail begins with its own `/`, `?` or `#`.
struct Parts<'a> {
    credentials: &'a str,
    servers: Vec<&'a str>,
    tail: &'a str,
}

fn parts(rest: &str) -> Result<Parts<'_>, RedisError> {
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // The @ stays with the credentials, so that what is put together again is what stood there.
    let (credentials, servers) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    let servers: Vec<_> = servers.split(',').collect();
    if servers.len() > MAX_SERVERS {
        return Err(RedisError::TooManyServers);
    }
    Ok(Parts { credentials, servers, tail })
}

fn server(scheme: &str, rest: &str) -> Result<ConnectionInfo, RedisError> {
    let info = format!("{scheme}://{rest}").into_connection_info().map_err(|_| RedisError::Server)?;
    // Off by default in this version of the client: then a small command can wait 40 ms for an acknowledgement.
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

fn cluster(scheme: &str, rest: &str) -> Result<Address, RedisError> {
    let Parts { credentials, servers, tail } = parts(rest)?;
    let seeds = servers.iter().map(|place| server(scheme, &format!("{credentials}{place}{tail}")));
    Ok(Address::Cluster(seeds.collect::<Result<_, _>>()?))
}

fn sentinel(scheme: &str, rest: &str) -> Result<Address, RedisError> {
    let Parts { credentials, servers, tail } = parts(rest)?;
    let path_end = tail.find(['?', '#']).unwrap_or(tail.len());
    let (path, query) = tail.split_at(path_end);
    let path = path.strip_prefix('/').ok_or(RedisError::Service)?;
    let (service, database) = path.split_once('/').unwrap_or((path, ""));
    if service.is_empty() {
        return Err(RedisError::Service);
    }
    let sentinels = servers.iter().map(|place| {
        let info = server(scheme, place)?;
        Ok(if names_port(place) { info } else { with_port(info, SENTINEL_PORT) })
    });
    Ok(Address::Sentinel {
        sentinels: sentinels.collect::<Result<_, _>>()?,
        service: service.to_owned(),
        // Its host is a stand-in: the sentinels tell the real one.
        master: server(scheme, &format!("{credentials}master/{database}{query}"))?,
    })
}

/// Colons inside the brackets of an IPv6 address begin no port.
fn names_port(place: &str) -> bool {
    place.rsplit(']').next().is_some_and(|behind| behind.contains(':'))
}

fn with_port(info: ConnectionInfo, port: u16) -> ConnectionInfo {
    let mut addr = info.addr().clone();
    if let ConnectionAddr::Tcp(_, found) | ConnectionAddr::TcpTls { port: found, .. } = &mut addr {
        *found = port;
    }
    info.set_addr(addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<Address, RedisError> {
        Address::of(&url.parse().expect("any text"))
    }

    fn places(servers: &[ConnectionInfo]) -> Vec<String> {
        servers.iter().map(|server| server.addr().to_string()).collect()
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("redis://marquee:se@c?ret@cache:6379/1?protocol=resp3", "redis://***@cache:6379/1"),
            ("redis+cluster://:secret@one:1,two:2", "redis+cluster://***@one:1,two:2"),
            ("redis://cache", "redis://cache"),
            ("marquee:secret", "***"),
        ] {
            let parsed: RedisUrl = url.parse().expect("any text");
            assert_eq!(format!("{parsed} {parsed:?}"), format!("{shown} {shown}"));
            let told = format!("{:?}", address(url));
            assert!(!told.contains("secret") && !told.contains("se@c"), "{told}");
        }
    }

    #[test]
    fn one_server_with_all_its_parts() {
        let Ok(Address::Server(info)) = address("rediss://user:p%40ss@cache:7000/3?protocol=resp3") else {
            panic!("it is a server");
        };
        assert_eq!(info.addr().to_string(), "cache:7000");
        assert!(matches!(info.addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
        let redis = info.redis_settings();
        assert_eq!((redis.username(), redis.password(), redis.db()), (Some("user"), Some("p@ss"), 3));
        assert!(info.tcp_settings().nodelay());
    }

    #[test]
    fn a_cluster_gives_each_server_the_password() {
        let Ok(Address::Cluster(seeds)) = address("redis+cluster://user:pass@one:7001,[::1]:7002,three") else {
            panic!("it is a cluster");
        };
        assert_eq!(places(&seeds), ["one:7001", "::1:7002", "three:6379"]);
        assert!(seeds.iter().all(|seed| seed.redis_settings().password() == Some("pass")));
        let Ok(Address::Cluster(seeds)) = address("rediss+cluster://one:7001") else { panic!("it is a cluster") };
        assert!(matches!(seeds[0].addr(), ConnectionAddr::TcpTls { .. }));
    }

    #[test]
    fn sentinels_name_a_service_and_the_password_is_the_masters() {
        let url = "redis+sentinel://user:pass@one:7001,two,[::1]/main/2?protocol=resp3";
        let Ok(Address::Sentinel { sentinels, service, master }) = address(url) else { panic!("they are sentinels") };
        assert_eq!(places(&sentinels), ["one:7001", "two:26379", "::1:26379"]);
        assert!(sentinels.iter().all(|sentinel| sentinel.redis_settings().password().is_none()));
        assert_eq!(service, "main");
        assert_eq!((master.redis_settings().password(), master.redis_settings().db()), (Some("pass"), 2));
    }

    #[test]
    fn what_is_no_url_is_refused_with_the_forms_and_without_the_text() {
        for (url, refusal) in [
            ("secret", RedisError::Form),
            ("postgres://:secret@cache", RedisError::Form),
            ("redis+secret://cache", RedisError::Form),
            ("redis+unix:///secret", RedisError::Form),
            ("redis://", RedisError::Server),
            ("redis://:se/cret@cache", RedisError::Server),
            ("redis://cache:secret", RedisError::Server),
            ("redis://cache/secret", RedisError::Server),
            ("redis+cluster://one:1,,two:2", RedisError::Server),
            ("redis+sentinel://one:1", RedisError::Service),
            ("redis+sentinel://one:1/", RedisError::Service),
            ("redis+sentinel://one:1/main/secret", RedisError::Server),
        ] {
            let error = address(url).expect_err(url);
            assert_eq!(error, refusal, "{url}");
            assert!(error.to_string().contains("HOST") && !error.to_string().contains("secret"), "{error}");
        }
        let many = format!("redis+cluster://{}", vec!["one:1"; 65].join(","));
        assert_eq!(address(&many).expect_err("too many"), RedisError::TooManyServers);
    }
}
