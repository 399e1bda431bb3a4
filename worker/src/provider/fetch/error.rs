//! Why a fetch returned no document: reason codes and sentences for the ledger, causes for the log.

use std::{io, time::Duration};

use outbound::{BoxedCause, MAX_REDIRECTS, NonPublicAddress, RequestError, is_timeout};

use crate::provider::{document::CopyError, spool::SpoolError};

/// Why there is no document. Display never contains the URL, which may contain a secret.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, or an untrusted TLS certificate.
    #[error("cannot connect to the provider")]
    Unreachable(#[source] BoxedCause),
    /// A connection without a valid HTTP response.
    #[error("the provider closed the connection or sent an invalid HTTP response")]
    NotHttp(#[source] BoxedCause),
    /// No response, or an incomplete one at the timeout.
    #[error("the provider did not respond in time")]
    TimedOut(#[source] BoxedCause),
    /// A response without a document.
    #[error("the provider responded with status {status}, expected 200")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The parsed `Retry-After` of the response.
        retry_after: Option<Duration>,
    },
    /// The provider's address is not public.
    #[error(
        "the provider's address {} is not public; `allow_private_addresses = true` in its entry allows it",
        .0.address
    )]
    AddressRefused(NonPublicAddress),
    /// A redirect that must not be followed.
    #[error("the provider redirects {why}, which is not allowed")]
    RedirectRefused {
        /// Continues "redirects".
        why: &'static str,
    },
    /// A redirect loop.
    #[error("the provider redirects more than {MAX_REDIRECTS} times")]
    TooManyRedirects,
    /// A content coding that the request did not accept.
    #[error("the response has the content coding `{encoding}`; accepted are gzip, br and zstd")]
    UnknownEncoding {
        /// The name, shortened and without control characters.
        encoding: String,
    },
    /// The connection closed early, or the compressed data is invalid.
    #[error("the response body is incomplete or cannot be decompressed")]
    BrokenBody(#[source] BoxedCause),
    /// The document is over the limit.
    #[error("the document exceeds the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// More pages than allowed.
    #[error("the feed has more than {limit} pages; if that is correct, raise `max_pages` in the provider's entry")]
    TooManyPages {
        /// The limit.
        limit: usize,
    },
    /// The pages together are over the limit of a document.
    #[error(
        "the pages together exceed the limit of {limit_bytes} bytes; if that is correct, raise `max_body_bytes` in the provider's entry"
    )]
    PagesTooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The pages were not fetched in time.
    #[error(
        "the pages were not fetched within {seconds} seconds; if that is correct, raise `pages_timeout_seconds` in the provider's entry"
    )]
    PagesTimedOut {
        /// The limit.
        seconds: u64,
    },
    /// Pages without an end.
    #[error("the link to the next page leads to a page that was fetched before ({page})")]
    PageLoop {
        /// The name of that page.
        page: String,
    },
    /// A link that must not be followed.
    #[error("the link to the next page leads {why}, which is not allowed")]
    LinkRefused {
        /// Continues "leads".
        why: &'static str,
    },
    /// The provider does not allow robots to request a page.
    #[error("robots.txt of the provider disallows the next page ({page}) for `marquee`; the provider must allow it")]
    RobotsDisallowed {
        /// The name of the page.
        page: String,
    },
    /// Without it, no page may be requested.
    #[error("robots.txt of the provider cannot be read, and no page is requested without it: {0}")]
    RobotsUnavailable(#[source] Box<Self>),
    /// A sitemap that cannot be used.
    #[error("the sitemap cannot be used: {detail}")]
    InvalidSitemap {
        /// Why.
        detail: String,
    },
    /// A page was not fetched.
    #[error("{error} ({page})")]
    InPage {
        /// The name of the page.
        page: String,
        /// Why.
        #[source]
        error: Box<Self>,
    },
    /// The process is shutting down.
    #[error("the worker is shutting down; the pages are requested again after its next start")]
    Stopped,
    /// The document could not be stored, which is not the provider's error.
    #[error("the document cannot be written to a temporary file")]
    Disk(#[source] io::Error),
}

impl FetchError {
    /// The stable reason code for the ledger.
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
            Self::TooManyPages { .. } => "too_many_pages",
            Self::PagesTooLarge { .. } => "too_large",
            Self::PagesTimedOut { .. } => "pages_timed_out",
            Self::PageLoop { .. } => "page_loop",
            Self::LinkRefused { .. } => "link_refused",
            Self::RobotsDisallowed { .. } => "robots_disallowed",
            Self::RobotsUnavailable(_) => "robots_unavailable",
            Self::InvalidSitemap { .. } => "invalid_sitemap",
            Self::InPage { error, .. } => error.code(),
            Self::Stopped => "stopped",
        }
    }

    /// The error of the request itself.
    #[must_use]
    pub fn of_request(&self) -> &Self {
        match self {
            Self::InPage { error, .. } | Self::RobotsUnavailable(error) => error.of_request(),
            _ => self,
        }
    }

    /// The error with the page that was requested.
    pub(in crate::provider) fn in_page(self, page: &str) -> Self {
        Self::InPage { page: page.to_owned(), error: Box::new(self) }
    }

    /// The status of the response, if the status is the error.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self.of_request() {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the provider asks to wait before the next request.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.of_request() {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the provider responded that it is overloaded, but not for how long.
    #[must_use]
    pub fn is_overload(&self) -> bool {
        matches!(self.of_request(), Self::Status { status: 429 | 503, retry_after: None })
    }

    /// Classifies an error within the body: of the connection, of a limit, or of the decompression.
    pub(super) fn from_body(error: io::Error) -> Self {
        if let Some(too_large) = error.get_ref().and_then(|inner| inner.downcast_ref::<BodyTooLarge>()) {
            return Self::TooLarge { limit_bytes: too_large.limit_bytes };
        }
        if is_timeout(&error) { Self::TimedOut(error.into()) } else { Self::BrokenBody(error.into()) }
    }
}

impl From<RequestError> for FetchError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::AddressRefused(address) => Self::AddressRefused(address),
            RequestError::RedirectRefused { why } => Self::RedirectRefused { why },
            RequestError::TooManyRedirects => Self::TooManyRedirects,
            RequestError::TimedOut(cause) => Self::TimedOut(cause),
            RequestError::Unreachable(cause) => Self::Unreachable(cause),
            RequestError::NotHttp(cause) => Self::NotHttp(cause),
        }
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

impl From<CopyError> for FetchError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Read(error) => Self::from_body(error),
            CopyError::Spool(error) => error.into(),
        }
    }
}

/// The compressed body is over the limit.
#[derive(Debug, thiserror::Error)]
#[error("the response exceeds the limit of {limit_bytes} bytes")]
pub(super) struct BodyTooLarge {
    pub(super) limit_bytes: u64,
}
