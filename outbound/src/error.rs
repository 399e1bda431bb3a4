//! Why a request has no response.

use std::{error::Error, io};

use crate::{address::NonPublicAddress, client::MAX_REDIRECTS};

/// The cause of an error, for the log.
pub type BoxedCause = Box<dyn Error + Send + Sync>;

/// Why there is no response. Display never contains the URL, which may contain a secret.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The address is not public.
    #[error(transparent)]
    AddressRefused(NonPublicAddress),
    /// A redirect that must not be followed.
    #[error("the server redirects {why}, which is not allowed")]
    RedirectRefused {
        /// Continues "redirects".
        why: &'static str,
    },
    /// A redirect loop.
    #[error("the server redirects more than {MAX_REDIRECTS} times")]
    TooManyRedirects,
    /// No response in time.
    #[error("the server did not respond in time")]
    TimedOut(#[source] BoxedCause),
    /// No connection, or an untrusted TLS certificate.
    #[error("cannot connect to the server")]
    Unreachable(#[source] BoxedCause),
    /// A connection without a valid HTTP response.
    #[error("the server closed the connection or sent an invalid HTTP response")]
    NotHttp(#[source] BoxedCause),
}

impl From<reqwest::Error> for RequestError {
    /// Classifies an error before the response headers.
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if let Some(address) = causes(&error).find_map(|cause| cause.downcast_ref::<NonPublicAddress>()) {
            Self::AddressRefused(address.clone())
        } else if is_timeout(&error) {
            Self::TimedOut(error.into())
        } else if error.is_connect() || error.is_builder() {
            Self::Unreachable(error.into())
        } else {
            Self::NotHttp(error.into())
        }
    }
}

/// Whether a timeout of the client is among the causes. A read timeout is wrapped in a decoding error.
#[must_use]
pub fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| find_source(*cause))
}

/// `source()` of an `io::Error` skips the error that it wraps, and returns the source of that one.
fn find_source<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
