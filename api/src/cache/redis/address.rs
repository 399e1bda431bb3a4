//! The URL of Redis, and the servers that it names. Nothing here uses the network.

use std::path::PathBuf;

use clap::Args;
use entity::RedactedUrl;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, io::tcp::TcpSettings};

/// The default port of a sentinel.
const SENTINEL_PORT: u16 = 26379;
/// Servers in a URL. A cluster or a service is found through any one server, so a longer list is an error.
const MAX_SERVERS: usize = 64;

/// Which Redis, if any.
#[derive(Args, Clone, Debug, Default)]
pub struct RedisSettings {
    /// The URL of Redis.
    #[arg(
        long,
        env = "REDIS_URL",
        hide_env_values = true,
        help = "URL of a Redis that all API processes share: redis://[USER:PASSWORD@]HOST[:PORT][/DB], \
                redis+cluster://HOST:PORT,HOST:PORT or redis+sentinel://HOST:PORT,HOST:PORT/SERVICE[/DB], and rediss instead of \
                redis for TLS; unset, responses are cached in the process only"
    )]
    pub redis_url: Option<RedactedUrl>,
    /// File with the certificates, in PEM format, of the authorities that `rediss` trusts; unset, those of the system
    #[arg(long, env = "REDIS_CA_FILE", value_name = "FILE")]
    pub redis_ca_file: Option<PathBuf>,
}

/// Why a Redis URL is invalid. No message repeats the URL, because a typing error can make any part of it the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// The scheme is not supported.
    #[error(
        "the Redis URL must be redis://[USER:PASSWORD@]HOST[:PORT][/DB], redis+cluster://HOST:PORT,HOST:PORT or \
         redis+sentinel://HOST:PORT,HOST:PORT/SERVICE[/DB], with rediss instead of redis for TLS"
    )]
    Scheme,
    /// The text after the scheme cannot be parsed.
    #[error(
        "the Redis URL must have [USER:PASSWORD@]HOST:PORT after the scheme, with the special characters of a password \
         percent-encoded"
    )]
    Server,
    /// The URL names too many servers.
    #[error("the Redis URL must name at most {MAX_SERVERS} servers, as HOST:PORT,HOST:PORT")]
    TooManyServers,
    /// The URL of sentinels lacks the service.
    #[error("the Redis URL of sentinels must name a service: redis+sentinel://HOST:PORT,HOST:PORT/SERVICE[/DB]")]
    Service,
}

/// The servers of a URL.
#[derive(Clone, Debug)]
pub(super) enum RedisAddress {
    /// One server.
    Server(ConnectionInfo),
    /// Some servers of a cluster, through which the others are discovered.
    Cluster(Vec<ConnectionInfo>),
    /// Sentinels, and how to connect to the master that they report. User and password of the URL are those of the master.
    Sentinel { sentinels: Vec<ConnectionInfo>, service: String, master: ConnectionInfo },
}

impl RedisAddress {
    pub(super) fn parse(url: &RedactedUrl) -> Result<Self, RedisUrlError> {
        let (scheme, rest) = url.expose().split_once("://").ok_or(RedisUrlError::Scheme)?;
        let (plain, kind) = scheme.split_once('+').map_or((scheme, None), |(plain, kind)| (plain, Some(kind)));
        if !matches!(plain, "redis" | "rediss") {
            return Err(RedisUrlError::Scheme);
        }
        match kind {
            None => Ok(Self::Server(parse_server(plain, rest)?)),
            Some("cluster") => parse_cluster(plain, rest),
            Some("sentinel") => parse_sentinel(plain, rest),
            Some(_) => Err(RedisUrlError::Scheme),
        }
    }

    /// Whether the connections use TLS.
    pub(super) fn is_tls(&self) -> bool {
        let server = match self {
            Self::Server(server) | Self::Sentinel { master: server, .. } => Some(server),
            Self::Cluster(seeds) => seeds.first(),
        };
        server.is_some_and(|server| matches!(server.addr(), ConnectionAddr::TcpTls { .. }))
    }
}

/// A URL without its scheme: `[credentials@]servers[tail]`, where the tail begins with `/`, `?` or `#`.
struct UrlParts<'a> {
    credentials: &'a str,
    servers: Vec<&'a str>,
    tail: &'a str,
}

fn split(rest: &str) -> Result<UrlParts<'_>, RedisUrlError> {
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // The credentials include the @, so that concatenating the parts yields a URL again.
    let (credentials, servers) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    let servers: Vec<_> = servers.split(',').collect();
    if servers.len() > MAX_SERVERS {
        return Err(RedisUrlError::TooManyServers);
    }
    Ok(UrlParts { credentials, servers, tail })
}

fn parse_server(scheme: &str, rest: &str) -> Result<ConnectionInfo, RedisUrlError> {
    let info = format!("{scheme}://{rest}").into_connection_info().map_err(|_| RedisUrlError::Server)?;
    // Off by default in this version of the client. Without it, a small command can wait 40 ms for an acknowledgement.
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

fn parse_cluster(scheme: &str, rest: &str) -> Result<RedisAddress, RedisUrlError> {
    let UrlParts { credentials, servers, tail } = split(rest)?;
    let seeds = servers.iter().map(|server| parse_server(scheme, &format!("{credentials}{server}{tail}")));
    Ok(RedisAddress::Cluster(seeds.collect::<Result<_, _>>()?))
}

fn parse_sentinel(scheme: &str, rest: &str) -> Result<RedisAddress, RedisUrlError> {
    let UrlParts { credentials, servers, tail } = split(rest)?;
    let path_end = tail.find(['?', '#']).unwrap_or(tail.len());
    let (path, query) = tail.split_at(path_end);
    let path = path.strip_prefix('/').ok_or(RedisUrlError::Service)?;
    let (service, database) = path.split_once('/').unwrap_or((path, ""));
    if service.is_empty() {
        return Err(RedisUrlError::Service);
    }
    let sentinels = servers.iter().map(|server| {
        let info = parse_server(scheme, server)?;
        Ok(if has_port(server) { info } else { with_port(info, SENTINEL_PORT) })
    });
    Ok(RedisAddress::Sentinel {
        sentinels: sentinels.collect::<Result<_, _>>()?,
        service: service.to_owned(),
        // The host is a placeholder: the sentinels report the real one.
        master: parse_server(scheme, &format!("{credentials}master/{database}{query}"))?,
    })
}

/// Whether a server has a port. Colons within the brackets of an IPv6 address do not count.
fn has_port(server: &str) -> bool {
    server.rsplit(']').next().is_some_and(|rest| rest.contains(':'))
}

fn with_port(info: ConnectionInfo, new_port: u16) -> ConnectionInfo {
    let mut addr = info.addr().clone();
    if let ConnectionAddr::Tcp(_, port) | ConnectionAddr::TcpTls { port, .. } = &mut addr {
        *port = new_port;
    }
    info.set_addr(addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<RedisAddress, RedisUrlError> {
        RedisAddress::parse(&url.parse().expect("any text is accepted"))
    }

    fn addresses(servers: &[ConnectionInfo]) -> Vec<String> {
        servers.iter().map(|server| server.addr().to_string()).collect()
    }

    #[test]
    fn never_shows_a_password() {
        for url in
            ["redis://marquee:se@c?ret@cache:6379/1?protocol=resp3", "redis+cluster://:secret@one:1,two:2", "marquee:secret"]
        {
            let debug = format!("{:?}", address(url));
            assert!(!debug.contains("secret") && !debug.contains("se@c"), "{debug}");
        }
    }

    #[test]
    fn parses_one_server_with_all_its_parts() {
        let Ok(RedisAddress::Server(info)) = address("rediss://user:p%40ss@cache:7000/3?protocol=resp3") else {
            panic!("not a server");
        };
        assert_eq!(info.addr().to_string(), "cache:7000");
        assert!(matches!(info.addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
        let redis = info.redis_settings();
        assert_eq!((redis.username(), redis.password(), redis.db()), (Some("user"), Some("p@ss"), 3));
        assert!(info.tcp_settings().nodelay());
    }

    #[test]
    fn each_server_of_a_cluster_gets_the_password() {
        let Ok(RedisAddress::Cluster(seeds)) = address("redis+cluster://user:pass@one:7001,[::1]:7002,three") else {
            panic!("not a cluster");
        };
        assert_eq!(addresses(&seeds), ["one:7001", "::1:7002", "three:6379"]);
        assert!(seeds.iter().all(|seed| seed.redis_settings().password() == Some("pass")));
        let Ok(RedisAddress::Cluster(seeds)) = address("rediss+cluster://one:7001") else { panic!("not a cluster") };
        assert!(matches!(seeds[0].addr(), ConnectionAddr::TcpTls { .. }));
    }

    #[test]
    fn the_password_of_a_sentinel_url_is_that_of_the_master() {
        let url = "redis+sentinel://user:pass@one:7001,two,[::1]/main/2?protocol=resp3";
        let Ok(RedisAddress::Sentinel { sentinels, service, master }) = address(url) else { panic!("not sentinels") };
        assert_eq!(addresses(&sentinels), ["one:7001", "two:26379", "::1:26379"]);
        assert!(sentinels.iter().all(|sentinel| sentinel.redis_settings().password().is_none()));
        assert_eq!(service, "main");
        assert_eq!((master.redis_settings().password(), master.redis_settings().db()), (Some("pass"), 2));
    }

    #[test]
    fn rejects_invalid_urls_without_repeating_them() {
        for (url, expected) in [
            ("secret", RedisUrlError::Scheme),
            ("postgres://:secret@cache", RedisUrlError::Scheme),
            ("redis+secret://cache", RedisUrlError::Scheme),
            ("redis+unix:///secret", RedisUrlError::Scheme),
            ("redis://", RedisUrlError::Server),
            ("redis://:se/cret@cache", RedisUrlError::Server),
            ("redis://cache:secret", RedisUrlError::Server),
            ("redis://cache/secret", RedisUrlError::Server),
            ("redis+cluster://one:1,,two:2", RedisUrlError::Server),
            ("redis+sentinel://one:1", RedisUrlError::Service),
            ("redis+sentinel://one:1/", RedisUrlError::Service),
            ("redis+sentinel://one:1/main/secret", RedisUrlError::Server),
        ] {
            let error = address(url).expect_err(url);
            assert_eq!(error, expected, "{url}");
            assert!(error.to_string().contains("HOST") && !error.to_string().contains("secret"), "{error}");
        }
        let many = format!("redis+cluster://{}", vec!["one:1"; 65].join(","));
        assert_eq!(address(&many).expect_err("too many servers"), RedisUrlError::TooManyServers);
    }
}
