//! Fetches a provider's feed over HTTP, within limits, and trusts nothing of the answer.
//!
//! Redirects are followed here, one at a time, so that each hop is checked; bodies are decompressed here, so that a limit stands
//! on both sides of it. The document ends in a [`spool`](super::spool); what it says is `format`'s.

pub mod address;
mod caching;
mod coding;
mod error;
mod redirect;

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::StreamExt;
use reqwest::{
    Response, StatusCode,
    header::{self, HeaderMap, HeaderValue},
};
use tokio_util::io::StreamReader;

use self::{address::PublicAddresses, coding::Coding, error::OverLimit};
pub use reqwest::Url;

pub use self::{
    caching::LONGEST_PAUSE,
    error::{Cause, FetchError},
};
use super::spool::{Spool, SpoolWriter};
use crate::progress::{Progress, Stage};

/// How long a provider may take to accept a connection: past this it is down, not slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a provider may pause within an answer: past this it hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a whole answer may take unless the provider's entry says otherwise: a drip must not hold a worker for hours.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);
/// Largest document unless the provider's entry says otherwise, compressed and decompressed: hundreds of thousands of events, and
/// far below the disk of a small machine, so that neither a mistake nor a compressed bomb can fill it.
const MAX_BODY_BYTES: u64 = 256 * 1024 * 1024;
/// Redirects that are followed: a provider moves once or twice, more is a loop.
const MAX_REDIRECTS: usize = 5;

/// The default of a provider's `answer_timeout_seconds`.
pub(crate) fn default_response_timeout() -> Duration {
    ANSWER_TIMEOUT
}

/// The default of a provider's `max_body_bytes`.
pub(crate) fn default_max_body_bytes() -> u64 {
    MAX_BODY_BYTES
}

/// A document as the provider sent it, decompressed.
#[derive(Clone, Debug)]
pub struct FetchedDocument {
    /// Its bytes.
    pub spool: Arc<Spool>,
    /// The status it came with; `None` if it did not come by HTTP.
    pub http_status: Option<u16>,
    /// By what to ask next time whether it has changed.
    pub validators: Validators,
    /// How long the provider says that it needs not be asked for again.
    pub fresh_for: Option<Duration>,
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
pub enum FetchOutcome {
    /// The document is not the one that the validators name.
    Modified(FetchedDocument),
    /// It is still that one (304).
    NotModified {
        /// How long the provider says that it needs not be asked for again.
        fresh_for: Option<Duration>,
    },
}

/// What to fetch, and within which limits.
#[derive(Clone, Copy, Debug)]
pub struct FetchRequest<'a> {
    /// Where.
    pub url: &'a Url,
    /// The document that is there already.
    pub known: &'a Validators,
    /// How long the whole answer may take, redirects included.
    pub response_timeout: Duration,
    /// How large the body may be, before and after decompression.
    pub limit_bytes: u64,
    /// Whether an address that is none of the public internet is welcome.
    pub allow_private_addresses: bool,
}

/// The client for all providers: it keeps connections open between polls.
#[derive(Clone, Debug)]
pub struct FeedClient {
    guarded: reqwest::Client,
    open: reqwest::Client,
}

/// Makes the client for all providers.
///
/// # Errors
///
/// When the machine's TLS certificates cannot be read.
pub fn build_client() -> Result<FeedClient, reqwest::Error> {
    let builder = || {
        reqwest::Client::builder()
            .user_agent(concat!("marquee/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // Behind a proxy the address that is checked would be the proxy's.
            .no_proxy()
    };
    Ok(FeedClient { guarded: builder().dns_resolver(Arc::new(PublicAddresses)).build()?, open: builder().build()? })
}

/// Fetches one document unless it is still the one that is known.
///
/// # Errors
///
/// When there is no answer, neither status 200 nor 304, no end of the body within the time, or more of it than the limit.
pub async fn fetch(client: &FeedClient, request: &FetchRequest<'_>, progress: &Progress) -> Result<FetchOutcome, FetchError> {
    let answer = tokio::time::timeout(request.response_timeout, answer(client, request, progress)).await;
    answer.unwrap_or_else(|elapsed| Err(FetchError::TimedOut(elapsed.into())))
}

async fn answer(client: &FeedClient, request: &FetchRequest<'_>, progress: &Progress) -> Result<FetchOutcome, FetchError> {
    progress.begin(Stage::Fetching, None);
    let response = last_hop(client, request).await?;
    let (status, headers) = (response.status(), response.headers());
    let fresh_for = caching::fresh_for(headers);
    match status {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if *request.known != Validators::default() => {
            return Ok(FetchOutcome::NotModified { fresh_for });
        }
        _ => {
            let may_say_when = status.is_redirection() || status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            let retry_after = if may_say_when { caching::retry_after(headers, SystemTime::now()) } else { None };
            return Err(FetchError::Status { status: status.as_u16(), retry_after });
        }
    }
    let validators = validators(headers);
    let spool = Arc::new(body(response, request.limit_bytes, progress).await?);
    Ok(FetchOutcome::Modified(FetchedDocument { spool, http_status: Some(status.as_u16()), validators, fresh_for }))
}

/// The first answer that is no redirect.
async fn last_hop(client: &FeedClient, request: &FetchRequest<'_>) -> Result<Response, FetchError> {
    let mut url = request.url.clone();
    for _ in 0..=MAX_REDIRECTS {
        if !request.allow_private_addresses {
            address::check_literal(&url).map_err(FetchError::AddressRefused)?;
        }
        let response = one_hop(client, request, &url).await?;
        match redirect::target(&url, &response)? {
            Some(next) => url = next,
            None => return Ok(response),
        }
    }
    Err(FetchError::TooManyRedirects)
}

async fn one_hop(client: &FeedClient, request: &FetchRequest<'_>, url: &Url) -> Result<Response, FetchError> {
    let client = if request.allow_private_addresses { &client.open } else { &client.guarded };
    let mut asked = client.get(url.clone()).header(header::ACCEPT_ENCODING, coding::ACCEPTED);
    let known = request.known;
    for (name, value) in [(header::IF_NONE_MATCH, &known.etag), (header::IF_MODIFIED_SINCE, &known.last_modified)] {
        if let Some(value) = value {
            asked = asked.header(name, value);
        }
    }
    asked.send().await.map_err(FetchError::not_answered)
}

async fn body(response: Response, limit_bytes: u64, progress: &Progress) -> Result<Spool, FetchError> {
    let coding = Coding::of(response.headers())?;
    let announced = response.content_length();
    if announced.is_some_and(|announced| announced > limit_bytes) {
        return Err(FetchError::TooLarge { limit_bytes });
    }
    progress.begin(Stage::Fetching, announced);
    let mut received = 0_u64;
    let pieces = response.bytes_stream().map(|piece| {
        let piece = piece.map_err(|error| io::Error::other(error.without_url()))?;
        let length = piece.len() as u64;
        received = received.saturating_add(length);
        progress.add(length);
        if received > limit_bytes { Err(io::Error::other(OverLimit { limit_bytes })) } else { Ok(piece) }
    });
    let mut writer = SpoolWriter::new(limit_bytes);
    coding.undo(StreamReader::new(pieces), &mut writer).await?;
    Ok(writer.finish().await?)
}

/// A body that somebody stored, without its coding.
///
/// # Errors
///
/// When the coding is broken or unknown, or the body over the limit without it.
pub async fn decode_body(coding: &str, body: Vec<u8>, limit_bytes: u64) -> Result<Spool, FetchError> {
    let mut writer = SpoolWriter::new(limit_bytes);
    Coding::named(coding)?.undo(body.as_slice(), &mut writer).await?;
    Ok(writer.finish().await?)
}

fn validators(headers: &HeaderMap) -> Validators {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    Validators { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
}
