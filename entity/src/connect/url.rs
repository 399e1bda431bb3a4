//! The parts of a database URL that are checked before the driver parses it.
//!
//! No error repeats a part of the URL, because a typing error can make any part of it the password. The driver's own errors and logs do
//! repeat parts, so a URL reaches it only after these checks.

use std::{net::IpAddr, str::FromStr};

use sea_orm::sqlx::{
    postgres::{PgConnectOptions, PgSslMode},
    sqlite::SqliteConnectOptions,
};

use crate::RedactedUrl;

/// The parameters of a PostgreSQL URL that the driver supports.
const SUPPORTED: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "sslcert",
    "sslkey",
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "statement-cache-capacity",
    "user",
];
/// More parameters of libpq and of common services, which are named in the error. Others are not, because they may be a part of a password
/// with an unescaped `?`.
const UNSUPPORTED: [&str; 18] = [
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "connection_limit",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "passfile",
    "pgbouncer",
    "require_auth",
    "service",
    "sslcrl",
    "sslnegotiation",
    "tcp_user_timeout",
];

/// Why a database URL is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// The scheme is not supported.
    #[error("the database URL must be sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME")]
    Scheme,
    /// The URL names several hosts.
    #[error(
        "the database URL names several hosts, but only one is supported: the address of a proxy that sends connections to the primary, \
         as in docs/HIGH-AVAILABILITY.md"
    )]
    SeveralHosts,
    /// The URL selects the host by its role.
    #[error(
        "the parameter `target_session_attrs` of the database URL is not supported and must be removed: writes always use a server that \
         accepts writes"
    )]
    TargetSessionAttrs,
    /// The driver does not support a parameter.
    #[error("the parameter `{0}` of the database URL is not supported")]
    UnsupportedParameter(&'static str),
    /// A parameter is unknown.
    #[error(
        "the database URL has an unknown parameter; the special characters of a password must be percent-encoded, and the parameters of \
         PostgreSQL are {}",
        SUPPORTED.join(", ")
    )]
    UnknownParameter,
    /// The value of a parameter is invalid.
    #[error("the parameter `{0}` of the database URL has an invalid value")]
    InvalidValue(&'static str),
    /// The URL of a SQLite file is invalid.
    #[error(
        "the database URL of a SQLite file must be sqlite://FILE, with these parameters: mode=ro, rw, rwc or memory; cache=shared or \
         private; immutable=true or false"
    )]
    InvalidSqlite,
    /// The text after the scheme cannot be parsed.
    #[error(
        "the database URL must have USER:PASSWORD@HOST:PORT/NAME after the scheme, with the special characters of a password \
         percent-encoded"
    )]
    Malformed,
}

/// A valid URL.
#[derive(Debug)]
pub(crate) enum DatabaseUrl {
    Postgres(PgConnectOptions),
    Sqlite(SqliteConnectOptions),
}

impl DatabaseUrl {
    pub(crate) fn parse(url: &RedactedUrl) -> Result<Self, DatabaseUrlError> {
        let url = url.expose();
        match url.split_once("://") {
            Some(("postgres" | "postgresql", rest)) => {
                check_postgres(rest)?;
                let options = PgConnectOptions::from_str(url).map_err(|_| DatabaseUrlError::Malformed)?;
                Ok(Self::Postgres(options))
            }
            _ if url.starts_with("sqlite:") => {
                SqliteConnectOptions::from_str(url).map(Self::Sqlite).map_err(|_| DatabaseUrlError::InvalidSqlite)
            }
            _ => Err(DatabaseUrlError::Scheme),
        }
    }
}

/// Checks the text after the scheme: `[credentials@]host[:port][/name][?parameters]`.
fn check_postgres(rest: &str) -> Result<(), DatabaseUrlError> {
    let (location, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = location.split('/').next().unwrap_or(location);
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    if hosts.contains(',') {
        return Err(DatabaseUrlError::SeveralHosts);
    }
    parameters.split('&').filter(|parameter| !parameter.is_empty()).try_for_each(check_parameter)
}

fn check_parameter(parameter: &str) -> Result<(), DatabaseUrlError> {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    if name == "target_session_attrs" {
        return Err(DatabaseUrlError::TargetSessionAttrs);
    }
    if let Some(name) = UNSUPPORTED.iter().find(|unsupported| **unsupported == name) {
        return Err(DatabaseUrlError::UnsupportedParameter(name));
    }
    // A server setting: `options[statement_timeout]=5s`.
    let name = if name.starts_with("options[") { "options" } else { name };
    let name = SUPPORTED.iter().find(|supported| **supported == name).ok_or(DatabaseUrlError::UnknownParameter)?;
    let is_valid = match *name {
        "host" if value.contains(',') => return Err(DatabaseUrlError::SeveralHosts),
        "sslmode" | "ssl-mode" => PgSslMode::from_str(value).is_ok(),
        "port" => value.parse::<u16>().is_ok(),
        "statement-cache-capacity" => value.parse::<usize>().is_ok(),
        "hostaddr" => value.parse::<IpAddr>().is_ok(),
        _ => true,
    };
    if is_valid { Ok(()) } else { Err(DatabaseUrlError::InvalidValue(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<DatabaseUrl, DatabaseUrlError> {
        DatabaseUrl::parse(&url.parse().expect("any text is accepted"))
    }

    #[test]
    fn accepts_one_host_with_supported_parameters() {
        for url in [
            "postgres://marquee:p%40ss@db:5432/marquee?sslmode=verify-full&sslrootcert=/ca.pem",
            "postgresql://marquee@[::1]/marquee?options[work_mem]=8MB",
            "postgres:///marquee?host=/var/run/postgresql",
            "postgres://db/marquee?",
        ] {
            assert!(matches!(parse(url), Ok(DatabaseUrl::Postgres(_))), "{url}: {:?}", parse(url));
        }
        assert!(matches!(parse("sqlite://marquee.db?mode=rwc"), Ok(DatabaseUrl::Sqlite(_))));
    }

    #[test]
    fn names_what_is_not_supported_without_showing_the_url() {
        for (url, expected) in [
            ("postgres://marquee:secret@one:5432,two:5432/marquee", DatabaseUrlError::SeveralHosts),
            ("postgres://marquee:secret@one,two/marquee?target_session_attrs=read-write", DatabaseUrlError::SeveralHosts),
            ("postgres://marquee:secret@/marquee?host=one,two", DatabaseUrlError::SeveralHosts),
            ("postgres://marquee:secret@db/marquee?target_session_attrs=read-write", DatabaseUrlError::TargetSessionAttrs),
            ("postgres://marquee:secret@db/marquee?connect_timeout=5", DatabaseUrlError::UnsupportedParameter("connect_timeout")),
            ("postgres://marquee:secret@db/marquee?sslmode=secret", DatabaseUrlError::InvalidValue("sslmode")),
            ("postgres://marquee:secret@db/marquee?port=secret", DatabaseUrlError::InvalidValue("port")),
            // An unescaped password with `?`: the rest of it seems to be a parameter.
            ("postgres://marquee:12?secret=x@db/marquee", DatabaseUrlError::UnknownParameter),
            ("postgres://marquee:12?secret", DatabaseUrlError::UnknownParameter),
            ("postgres://marquee:se/cret@db/marquee", DatabaseUrlError::Malformed),
            ("postgres://marquee:se#cret@db/marquee", DatabaseUrlError::Malformed),
            ("postgres://marquee:secret", DatabaseUrlError::Malformed),
            ("postgres://marquee:secret@db:port/marquee", DatabaseUrlError::Malformed),
            ("postgres://marquee:secret@db:99999/marquee", DatabaseUrlError::Malformed),
            ("postgres://marquee:secret@", DatabaseUrlError::Malformed),
            ("postgres:/marquee:secret@db/marquee", DatabaseUrlError::Scheme),
            ("postgress://marquee:secret@db/marquee", DatabaseUrlError::Scheme),
            ("host=db user=marquee password=secret", DatabaseUrlError::Scheme),
            ("secret", DatabaseUrlError::Scheme),
            ("", DatabaseUrlError::Scheme),
            ("sqlite://marquee.db?mode=secret", DatabaseUrlError::InvalidSqlite),
            ("sqlite://marquee.db?secret=1", DatabaseUrlError::InvalidSqlite),
        ] {
            let error = parse(url).expect_err(url);
            assert_eq!(error, expected, "{url}");
            let text = format!("{error} {error:?}");
            assert!(!text.contains("secret") && !text.contains("cret@"), "{text}");
        }
    }
}
