//! Why a fetch gave no document: the words for the ledger and the causes for the log.

use std::{error::Error, io, time::Duration};

use super::{MAX_REDIRECTS, address::AddressRefused};
use crate::provider::spool::SpoolError;

/// What is below a failure, for the log.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why there is no document. Display leaves out the URL, which may carry a secret.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, or none that can be trusted.
    #[error("the provider cannot be reached")]
    Unreachable(#[source] Cause),
    /// The connection stood, and what came was no HTTP, or nothing.
    #[error("the provider ended the connection or sent something that is no HTTP answer")]
    NotHttp(#[source] Cause),
    /// No answer, or none that came to its end in time.
    #[error("the provider did not answer in time")]
    TimedOut(#[source] Cause),
    /// An answer that is no document.
    #[error("the provider answered with status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// How long the provider asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The provider's address is none of the public internet.
    #[error("{0}")]
    AddressRefused(#[source] AddressRefused),
    /// The provider sends elsewhere, where nobody should follow.
    #[error("the provider redirects {why}, which is not followed")]
    RedirectRefused {
        /// Where to.
        why: &'static str,
    },
    /// The provider sends from place to place.
    #[error("the provider redirects more than {MAX_REDIRECTS} times")]
    TooManyRedirects,
    /// The body is in a coding that was not asked for.
    #[error("the provider's answer has the content coding `{encoding}`, which was not asked for and cannot be read")]
    UnknownEncoding {
        /// What the provider calls it, shortened and without control characters.
        encoding: String,
    },
    /// The connection ended before the document did, or the compression is broken.
    #[error("the provider's answer broke off or could not be decompressed")]
    BrokenBody(#[source] Cause),
    /// The document is over the limit.
    #[error("the document is over the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The document could not be put aside, which is this machine's fault.
    #[error("the document could not be put into a temporary file")]
    Disk(#[source] io::Error),
}

impl FetchError {
    /// A stable word for the ledger.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::NotHttp(_) => "not_http",
            Self::TimedOut(_) => "timed_out",
            Self::Status { .. } => "http_status",
            Self::AddressRefused(_) => "address_refused",
            Self::RedirectRefused { .. } => "redirect_refused",
            Self::TooManyRedirects => "too_many_redirects",
            Self::UnknownEncoding { .. } => "unknown_encoding",
            Self::BrokenBody(_) => "broken_response",
            Self::TooLarge { .. } => "too_large",
            Self::Disk(_) => "disk",
        }
    }

    /// The status of the answer, if it is what went wrong.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the provider asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What a failure before the head of the answer means.
    pub(super) fn not_answered(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if let Some(refused) = causes(&error).find_map(|cause| cause.downcast_ref::<AddressRefused>()) {
            Self::AddressRefused(refused.clone())
        } else if is_timeout(&error) {
            Self::TimedOut(error.into())
        } else if error.is_connect() || error.is_builder() {
            Self::Unreachable(error.into())
        } else {
            Self::NotHttp(error.into())
        }
    }

    /// What a failure within the body means: of the connection, of a limit, or of the decompression.
    pub(super) fn broken_off(error: io::Error) -> Self {
        if let Some(over) = error.get_ref().and_then(|inner| inner.downcast_ref::<OverLimit>()) {
            return Self::TooLarge { limit_bytes: over.limit_bytes };
        }
        if is_timeout(&error) { Self::TimedOut(error.into()) } else { Self::BrokenBody(error.into()) }
    }
}

impl From<SpoolError> for FetchError {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::TooLarge { limit_bytes } => Self::TooLarge { limit_bytes },
            SpoolError::Disk(error) => Self::Disk(error),
            SpoolError::Unreadable(error) => Self::BrokenBody(error.into()),
        }
    }
}

/// The body as it came has more bytes than may be read.
#[derive(Debug, thiserror::Error)]
#[error("the answer is over the limit of {limit_bytes} bytes")]
pub(super) struct OverLimit {
    pub(super) limit_bytes: u64,
}

/// A pause that is too long is wrapped in a decoding error.
fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| below(*cause))
}

/// An `io::Error` hides the very error that it was made of, and shows only what is below that.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
