//! The database as requests write it: so many at a time, and only who may.

use std::{net::SocketAddr, sync::Arc};

use ::rates::Keys;
use poem::{
    Request,
    http::header::{self, HeaderMap, HeaderName},
};
use sea_orm::DatabaseConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Writes of many rows at a time: each holds a connection, and a database has nothing from more.
const LONG_WRITES: usize = 8;
/// Whatever hands on requests of others says so by one of these.
const FORWARDED: [HeaderName; 4] =
    [header::FORWARDED, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip"), header::VIA];

/// Writes for requests.
#[derive(Debug)]
pub struct Writer {
    /// Where to write.
    pub database: DatabaseConnection,
    /// Idempotency keys under way.
    pub keys: Keys,
    turns: Arc<Semaphore>,
}

impl Writer {
    /// Writes to `database`.
    #[must_use]
    pub fn new(database: DatabaseConnection) -> Self {
        Self { database, keys: Keys::default(), turns: Arc::new(Semaphore::new(LONG_WRITES)) }
    }

    /// The right to write many rows, until it is dropped.
    ///
    /// # Errors
    ///
    /// When so many do it already.
    pub fn turn(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.turns.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded)
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
    if is_near && !is_forwarded(request.headers()) { Ok(()) } else { Err(ApiError::NotLocal) }
}

fn is_of_this_machine(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

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
