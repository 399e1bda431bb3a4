//! The database as requests write it: so many at a time, and only who may.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ::rates::Keys;
use poem::{
    Request,
    http::header::{self, HeaderMap, HeaderName},
};
use sea_orm::DatabaseConnection;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::error::ApiError;

/// Batches of prices that may come or wait at a time: each takes a thread while it comes, and room on the disk until it is written.
const BATCHES: usize = 64;
/// Bodies that are held in memory at a time, and how long the next one waits, unread, for one of them to be done with.
const HELD_BODIES: usize = 8;
const BODY_PATIENCE: Duration = Duration::from_secs(5);
/// Whatever hands on requests of others says so by one of these.
const FORWARDED: [HeaderName; 4] =
    [header::FORWARDED, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip"), header::VIA];

/// Writes for requests.
#[derive(Debug)]
pub struct Writer {
    /// Where to write.
    pub database: DatabaseConnection,
    /// Idempotency keys of batches under way.
    pub keys: Keys,
    batches: Arc<Semaphore>,
    held_bodies: Semaphore,
    /// The one batch that is written, or taken back.
    settling: Semaphore,
}

impl Writer {
    /// Writes to `database`.
    #[must_use]
    pub fn new(database: DatabaseConnection) -> Self {
        Self {
            database,
            keys: Keys::default(),
            batches: Arc::new(Semaphore::new(BATCHES)),
            held_bodies: Semaphore::new(HELD_BODIES),
            settling: Semaphore::new(1),
        }
    }

    /// The right to bring a batch, until it is dropped.
    ///
    /// # Errors
    ///
    /// When so many do already.
    pub fn bring_batch(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.batches.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded)
    }

    /// The right to hold a body in memory, until it is dropped.
    ///
    /// # Errors
    ///
    /// When so many do already, and go on.
    pub async fn hold_body(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        match timeout(BODY_PATIENCE, self.held_bodies.acquire()).await {
            Ok(Ok(room)) => Ok(room),
            _ => Err(ApiError::Overloaded),
        }
    }

    /// The turn to write many rows: one after the other, in the order in which they ask. Two batches on the same routes would wait for each
    /// other in the database, where waiting counts as time of a statement, and SQLite has one writer anyway.
    ///
    /// # Errors
    ///
    /// Never as long as the process serves.
    pub async fn settle(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.settling.acquire().await.map_err(|_| ApiError::Draining)
    }
}

/// Makes sure that a request comes from this machine, and that nobody hands it on for another.
///
/// # Errors
///
/// When it does not.
pub(crate) fn only_local(request: &Request) -> Result<(), ApiError> {
    // A request without a socket was made in this process.
    let is_near = request.remote_addr().as_socket_addr().is_none_or(is_of_this_machine);
    let is_meant = request.headers().get(header::HOST).is_none_or(|host| host.to_str().is_ok_and(is_name_of_this_machine));
    if is_near && is_meant && !is_forwarded(request.headers()) { Ok(()) } else { Err(ApiError::NotLocal) }
}

fn is_of_this_machine(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Whether a `Host` names this machine as only itself can. Any other name may be that of a page that a browser here was lured to.
fn is_name_of_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_loopback_are_those_of_this_machine() {
        for (host, is_own) in [
            ("localhost", true),
            ("LocalHost:8000", true),
            ("127.0.0.1:8000", true),
            ("[::1]:8000", true),
            ("[::1]", true),
            ("evil.example", false),
            ("evil.example:8000", false),
            ("localhost.evil.example", false),
            ("192.0.2.7:8000", false),
            ("", false),
        ] {
            assert_eq!(is_name_of_this_machine(host), is_own, "{host}");
        }
    }

    #[test]
    fn only_loopback_is_this_machine() {
        for (address, is_near) in [
            ("127.0.0.1:9", true),
            ("127.8.9.10:9", true),
            ("[::1]:9", true),
            ("[::ffff:127.0.0.1]:9", true),
            ("10.0.0.1:9", false),
            ("192.0.2.7:9", false),
            ("[2001:db8::1]:9", false),
            ("[::ffff:192.0.2.7]:9", false),
            ("0.0.0.0:9", false),
        ] {
            assert_eq!(is_of_this_machine(&address.parse().unwrap()), is_near, "{address}");
        }
    }
}
