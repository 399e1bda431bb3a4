//! Fetches a provider's feed over HTTP, within limits.

use std::{error::Error, sync::Arc, time::Duration};

use bytes::BytesMut;
pub use reqwest::Client;
use reqwest::{
    StatusCode, Url,
    header::{self, HeaderMap, HeaderValue},
    redirect,
};

use super::spool::Spool;

/// How long a provider may take to accept a connection: past this it is down, not slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a provider may pause within an answer: past this it hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a whole answer may take unless the provider's entry says otherwise: a drip must not hold a worker for hours.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);
/// Largest document unless the provider's entry says otherwise, decompressed: hundreds of thousands of events, and far below
/// the memory of a small machine, so that neither a mistake nor a compressed bomb can fill it.
const MAX_BODY_BYTES: u64 = 256 * 1024 * 1024;
/// Redirects that are followed: a provider moves once or twice, more is a loop.
const MAX_REDIRECTS: usize = 5;

/// The default of a provider's `answer_timeout_seconds`.
pub(super) fn answer_timeout() -> Duration {
    ANSWER_TIMEOUT
}

/// The default of a provider's `max_body_bytes`.
pub(super) fn max_body_bytes() -> u64 {
    MAX_BODY_BYTES
}

/// Why there is no document. Display leaves out the URL, which may carry a secret.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, or none that can be trusted.
    #[error("the provider cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// No answer, or none that came to its end in time.
    #[error("the provider did not answer in time")]
    TimedOut(#[source] reqwest::Error),
    /// An answer that is no document.
    #[error("the provider answered with status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// The connection ended before the document did, or the compression is broken.
    #[error("the provider's answer broke off or could not be decompressed")]
    Broken(#[source] reqwest::Error),
    /// The document is over the limit.
    #[error("the document is over the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
}

impl FetchError {
    /// A stable word for the ledger.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut(_) => "timed_out",
            Self::Status { .. } => "http_status",
            Self::Broken(_) => "broken_answer",
            Self::TooLarge { .. } => "too_large",
        }
    }

    /// The status of the answer, if it is what went wrong.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Status { status } => Some(*status),
            _ => None,
        }
    }
}

/// A document as the provider sent it, decompressed.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its bytes.
    pub spool: Arc<Spool>,
    /// The status it came with; `None` if it did not come by HTTP.
    pub http_status: Option<u16>,
    /// By what to ask next time whether it has changed.
    pub validators: Validators,
}

/// What a provider calls one state of its document (RFC 9110, section 8.8); sent back as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// A provider's answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The document is not the one that the validators name.
    Document(Document),
    /// It is still that one (304).
    NotModified,
}

/// The client for all providers: it keeps connections open between polls.
///
/// # Errors
///
/// When the machine's TLS certificates cannot be read.
pub fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("marquee/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(redirect::Policy::limited(MAX_REDIRECTS))
        .build()
}

/// Fetches one document unless it is still the one that `known` names.
///
/// # Errors
///
/// When there is no answer, neither status 200 nor 304, no end of the body within the time, or more of it than the limit.
pub async fn fetch(
    client: &Client,
    url: &Url,
    known: &Validators,
    answer_timeout: Duration,
    limit_bytes: u64,
) -> Result<Answer, FetchError> {
    let mut request = client.get(url.clone()).timeout(answer_timeout);
    for (name, value) in [(header::IF_NONE_MATCH, &known.etag), (header::IF_MODIFIED_SINCE, &known.last_modified)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let mut response = request.send().await.map_err(not_answered)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if *known != Validators::default() => return Ok(Answer::NotModified),
        status => return Err(FetchError::Status { status: status.as_u16() }),
    }
    let validators = validators(response.headers());
    let too_large = || FetchError::TooLarge { limit_bytes };
    let is_within = |bytes: usize| u64::try_from(bytes).is_ok_and(|bytes| bytes <= limit_bytes);
    if response.content_length().is_some_and(|declared| declared > limit_bytes) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(broken_off)? {
        if !is_within(bytes.len() + chunk.len()) {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    let http_status = Some(response.status().as_u16());
    Ok(Answer::Document(Document { spool: Arc::new(Spool::from_bytes(bytes.freeze())), http_status, validators }))
}

fn validators(headers: &HeaderMap) -> Validators {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    Validators { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
}

fn not_answered(error: reqwest::Error) -> FetchError {
    if is_timeout(&error) { FetchError::TimedOut(error.without_url()) } else { FetchError::Unreachable(error.without_url()) }
}

fn broken_off(error: reqwest::Error) -> FetchError {
    if is_timeout(&error) { FetchError::TimedOut(error.without_url()) } else { FetchError::Broken(error.without_url()) }
}

/// A pause that is too long is wrapped in a decoding error.
fn is_timeout(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(current) = cause {
        if current.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout) {
            return true;
        }
        cause = current.source();
    }
    error.is_timeout()
}
