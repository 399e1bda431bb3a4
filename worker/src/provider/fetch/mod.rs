//! Fetches a provider's feed over HTTP within limits. The response is untrusted.
//!
//! [`outbound`] checks addresses and redirects. Bodies are decompressed here, so that the size limit applies before and after
//! decompression. The document is written to a [`spool`](super::spool); `format` parses it.

mod caching;
mod encoding;
mod error;
mod link;
mod pace;

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::StreamExt;
use outbound::{AllowedAddresses, ClientTimeouts, OutboundClient};
use reqwest::{
    Response, StatusCode, Url,
    header::{self, HeaderMap, HeaderValue},
};
use tokio_util::{io::StreamReader, sync::CancellationToken};

pub use self::error::FetchError;
use self::{encoding::FeedEncoding, error::BodyTooLarge, pace::HostPaces};
use super::{
    feed_headers::FeedHeaders,
    pages::FetchedPages,
    spool::{Spool, SpoolWriter},
};
use crate::progress::{ProgressCounter, ProgressStage};

/// How long a provider may take to accept a connection. A slower one is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a provider may pause within a response. A longer pause is a hang.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection waits for the next request: providers that are polled often, and paged ones, use it again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a whole response may take by default: a slow drip must not occupy a worker for hours.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(300);
/// Largest document by default, compressed and decompressed: hundreds of thousands of events, and far below the disk of a small
/// machine, so that neither an error of the provider nor a decompression bomb can fill it.
const MAX_BODY_BYTES: u64 = 256 * 1024 * 1024;

/// The default of a provider's `answer_timeout_seconds`.
pub(crate) fn default_response_timeout() -> Duration {
    RESPONSE_TIMEOUT
}

/// The default of a provider's `max_body_bytes`.
pub(crate) fn default_max_body_bytes() -> u64 {
    MAX_BODY_BYTES
}

/// A decompressed document of a provider.
#[derive(Clone, Debug)]
pub struct FetchedDocument {
    /// Its bytes.
    pub spool: Arc<Spool>,
    /// The status of the response; `None` if the document was not fetched over HTTP.
    pub http_status: Option<u16>,
    /// The validators for the next conditional request.
    pub validators: Validators,
    /// How long the provider declares the document fresh.
    pub fresh_for: Option<Duration>,
    /// The pages of the document, if it was fetched in several.
    pub pages: Option<Arc<FetchedPages>>,
}

/// The validators of a document (RFC 9110, section 8.8), returned to the provider unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// The result of a conditional request.
#[derive(Clone, Debug)]
pub enum FetchOutcome {
    /// The document differs from the one that the validators belong to.
    Modified(FetchedDocument),
    /// The document is the same (304).
    NotModified {
        /// The validators for the next conditional request: those of this response, and the previous ones that it does not have.
        validators: Validators,
        /// How long the provider declares the document fresh.
        fresh_for: Option<Duration>,
        /// The pages of the document, if it was fetched in several.
        pages: Option<Arc<FetchedPages>>,
    },
}

/// What to fetch, and the limits.
#[derive(Clone, Copy, Debug)]
pub struct FetchRequest<'a> {
    /// The URL of the feed.
    pub url: &'a Url,
    /// Additional headers. Only the origin of the URL gets them.
    pub headers: &'a FeedHeaders,
    /// The validators of the previous document.
    pub validators: &'a Validators,
    /// How long the whole response may take, including redirects.
    pub response_timeout: Duration,
    /// Largest body, before and after decompression.
    pub limit_bytes: u64,
    /// Whether addresses outside of the public internet are allowed.
    pub allow_private_addresses: bool,
}

/// What is requested of a feed: its document, or one of its pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct FetchTarget<'a> {
    pub(super) url: &'a Url,
    pub(super) validators: &'a Validators,
    pub(super) limit_bytes: u64,
}

/// The response to a request.
#[derive(Debug)]
pub(super) struct FetchResponse {
    pub(super) outcome: FetchOutcome,
    /// The URL after redirects.
    pub(super) url: Url,
    /// The URL of the next page, as the header `Link` has it.
    pub(super) next: Option<String>,
}

/// The HTTP client for all providers. It keeps connections open between polls.
#[derive(Clone, Debug)]
pub struct FeedClient {
    /// Connects to public addresses only.
    restricted: OutboundClient,
    unrestricted: OutboundClient,
    /// Of requests for pages. All providers share it, because several may be on one host.
    pub(super) paces: Arc<HostPaces>,
    /// No further page is requested when it is cancelled.
    pub(super) stop: CancellationToken,
}

impl FeedClient {
    /// A client that requests no further page after `stop` was cancelled.
    #[must_use]
    pub fn stopped_by(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }
}

/// Builds the client for all providers.
///
/// # Errors
///
/// When the TLS certificates of the machine cannot be read.
pub fn build_client() -> Result<FeedClient, reqwest::Error> {
    let timeouts = ClientTimeouts { connect: CONNECT_TIMEOUT, read: READ_TIMEOUT, idle: IDLE_TIMEOUT };
    let restricted = OutboundClient::new(AllowedAddresses::public_and(&[]), timeouts)?;
    let unrestricted = OutboundClient::new(AllowedAddresses::all(), timeouts)?;
    let (paces, stop) = (Arc::default(), CancellationToken::new());
    Ok(FeedClient { restricted, unrestricted, paces, stop })
}

/// Fetches one document unless it is unmodified.
///
/// # Errors
///
/// When there is no response, its status is neither 200 nor 304, or its body is incomplete, late or over the limit.
pub async fn fetch(
    client: &FeedClient,
    request: &FetchRequest<'_>,
    progress: &ProgressCounter,
) -> Result<FetchOutcome, FetchError> {
    Ok(fetch_document(client, request, progress).await?.outcome)
}

/// [`fetch`] with what leads to the next page.
pub(super) async fn fetch_document(
    client: &FeedClient,
    request: &FetchRequest<'_>,
    progress: &ProgressCounter,
) -> Result<FetchResponse, FetchError> {
    let &FetchRequest { url, validators, limit_bytes, .. } = request;
    progress.begin(ProgressStage::Fetching, None);
    fetch_target(client, request, FetchTarget { url, validators, limit_bytes }, (progress, true)).await
}

/// Fetches a document of a feed unless it is unmodified. Only the total of one `is_first` is known.
pub(super) async fn fetch_target(
    client: &FeedClient,
    request: &FetchRequest<'_>,
    target: FetchTarget<'_>,
    (progress, is_first): (&ProgressCounter, bool),
) -> Result<FetchResponse, FetchError> {
    let fetching = send_and_read(client, request, target, (progress, is_first));
    let outcome = tokio::time::timeout(request.response_timeout, fetching).await;
    outcome.unwrap_or_else(|elapsed| Err(FetchError::TimedOut(elapsed.into())))
}

async fn send_and_read(
    client: &FeedClient,
    request: &FetchRequest<'_>,
    target: FetchTarget<'_>,
    (progress, is_first): (&ProgressCounter, bool),
) -> Result<FetchResponse, FetchError> {
    let (response, url) = send(client, request, target).await?;
    let (status, headers) = (response.status(), response.headers());
    let (fresh_for, next) = (caching::parse_freshness(headers), link::find_next(headers));
    match status {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if *target.validators != Validators::default() => {
            let Validators { etag, last_modified } = target.validators.clone();
            let newer = read_validators(headers);
            let validators = Validators { etag: newer.etag.or(etag), last_modified: newer.last_modified.or(last_modified) };
            let outcome = FetchOutcome::NotModified { validators, fresh_for, pages: None };
            return Ok(FetchResponse { outcome, url, next });
        }
        _ => {
            let is_temporary = status.is_redirection() || status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            let retry_after = if is_temporary { caching::parse_retry_after(headers, SystemTime::now()) } else { None };
            return Err(FetchError::Status { status: status.as_u16(), retry_after });
        }
    }
    let validators = read_validators(headers);
    if is_first {
        progress.begin(ProgressStage::Fetching, response.content_length());
    }
    let spool = Arc::new(read_body(response, target.limit_bytes, progress).await?);
    let document = FetchedDocument { spool, http_status: Some(status.as_u16()), validators, fresh_for, pages: None };
    Ok(FetchResponse { outcome: FetchOutcome::Modified(document), url, next })
}

/// The first response that is not a redirect, and its URL.
async fn send(client: &FeedClient, request: &FetchRequest<'_>, target: FetchTarget<'_>) -> Result<(Response, Url), FetchError> {
    let client = if request.allow_private_addresses { &client.unrestricted } else { &client.restricted };
    let Validators { etag, last_modified } = target.validators;
    let sent = client.get(target.url, |url, mut builder| {
        builder = builder.header(header::ACCEPT_ENCODING, encoding::ACCEPTED);
        if url.origin() == request.url.origin() {
            builder = builder.headers(request.headers.expose().clone());
        }
        for (name, value) in [(header::IF_NONE_MATCH, etag), (header::IF_MODIFIED_SINCE, last_modified)] {
            if let Some(value) = value {
                builder = builder.header(name, value);
            }
        }
        builder
    });
    Ok(sent.await?)
}

async fn read_body(response: Response, limit_bytes: u64, progress: &ProgressCounter) -> Result<Spool, FetchError> {
    let encoding = FeedEncoding::from_headers(response.headers())?;
    let charset = encoding::read_charset(response.headers());
    let content_length = response.content_length();
    if content_length.is_some_and(|length| length > limit_bytes) {
        return Err(FetchError::TooLarge { limit_bytes });
    }
    let mut received = 0_u64;
    let chunks = response.bytes_stream().map(|chunk| {
        let chunk = chunk.map_err(|error| io::Error::other(error.without_url()))?;
        let length = chunk.len() as u64;
        received = received.saturating_add(length);
        progress.add(length);
        if received > limit_bytes { Err(io::Error::other(BodyTooLarge { limit_bytes })) } else { Ok(chunk) }
    });
    let mut writer = SpoolWriter::new(limit_bytes);
    encoding.decode(StreamReader::new(chunks), charset.as_deref(), &mut writer).await?;
    Ok(writer.finish().await?)
}

/// Decodes a stored body into a spool.
///
/// # Errors
///
/// When the encoding is invalid or unknown, or the decoded body is over the limit.
pub async fn decode_body(encoding: &str, body: Vec<u8>, limit_bytes: u64) -> Result<Spool, FetchError> {
    let mut writer = SpoolWriter::new(limit_bytes);
    FeedEncoding::from_name(encoding)?.decode(body.as_slice(), None, &mut writer).await?;
    Ok(writer.finish().await?)
}

fn read_validators(headers: &HeaderMap) -> Validators {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    Validators { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
}
