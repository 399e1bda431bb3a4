//! Request bodies: described by OpenAPI, and read by each operation within its own limits.

use std::{fmt, marker::PhantomData, time::Duration};

use futures_util::StreamExt;
use poem::{Body, Request, RequestBody, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type,
};
use tokio::time::{Instant, timeout};

use crate::error::ApiError;

/// The lowest rate at which a body may arrive: 512 kbit/s, so that the largest list of places arrives within 20 minutes.
const MIN_BYTES_PER_SECOND: u64 = 64 * 1024;
/// How much longer a body may take: connections begin slowly, and networks stall.
const STALL_TIME: Duration = Duration::from_secs(10);

/// A body of the content `C`.
pub struct Upload<C> {
    /// The body, not read yet.
    pub body: Body,
    /// `Content-Length`.
    declared_bytes: Option<u64>,
    contents: PhantomData<C>,
}

/// The content of a body.
pub trait Contents: Send {
    /// The accepted media types, without parameters.
    const MEDIA_TYPES: &'static [&'static str];
    /// The same in words, for error details: "the request must have ...".
    const ACCEPTED: &'static str;

    /// The description of each media type.
    fn described() -> Vec<MetaMediaType>;

    /// Registers the types of the description.
    fn register(registry: &mut Registry);
}

/// A JSON document with a described type.
pub trait JsonContents: Type + Send {}

impl<C: JsonContents> Contents for C {
    const MEDIA_TYPES: &'static [&'static str] = &["application/json"];
    const ACCEPTED: &'static str = "a `Content-Type` of application/json";

    fn described() -> Vec<MetaMediaType> {
        vec![MetaMediaType { content_type: "application/json", schema: Self::schema_ref() }]
    }

    fn register(registry: &mut Registry) {
        <Self as Type>::register(registry);
    }
}

impl<C> Upload<C> {
    /// The body of a request.
    ///
    /// # Errors
    ///
    /// When it was read before.
    pub(crate) fn of(request: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let declared_bytes = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Self { body: body.take()?, declared_bytes, contents: PhantomData })
    }

    /// The most bytes that the body can have: those that it declares, or else the limit.
    ///
    /// # Errors
    ///
    /// When it declares more than the limit.
    pub(crate) fn declared_bytes(&self, limit: usize) -> Result<u64, ApiError> {
        let bytes = self.declared_bytes.unwrap_or(limit as u64);
        if bytes > limit as u64 { Err(too_large(limit)) } else { Ok(bytes) }
    }

    /// Buffers the whole body.
    ///
    /// # Errors
    ///
    /// When it exceeds the limit, is incomplete, or arrives too slowly.
    pub(crate) async fn bytes(self, limit: usize) -> Result<Vec<u8>, ApiError> {
        // The system provides the memory as it is written, so this costs nothing for a body that does not arrive.
        let mut bytes = Vec::with_capacity(usize::try_from(self.declared_bytes(limit)?).unwrap_or_default());
        let mut body = self.body.into_bytes_stream();
        let mut arrival = Arrival::default();
        while let Some(chunk) = arrival.limit(body.next()).await? {
            let chunk = chunk.map_err(|_| ApiError::IncompleteBody)?;
            if bytes.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            arrival.record(chunk.len());
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

fn too_large(limit: usize) -> ApiError {
    ApiError::BodyTooLarge { what: "bytes", limit: limit as u64 }
}

/// The progress of a body, which must not arrive more slowly than [`MIN_BYTES_PER_SECOND`]: a slow body takes memory and permits from
/// others. Only the time counts for which we wait for the client.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    waited: Duration,
    bytes: u64,
}

impl Arrival {
    /// Waits for the next part of the body.
    ///
    /// # Errors
    ///
    /// When the body arrives too slowly.
    pub(crate) async fn limit<T>(&mut self, next: impl Future<Output = T>) -> Result<T, ApiError> {
        let started = Instant::now();
        let next = timeout(self.remaining(), next).await.map_err(|_| ApiError::BodyTimeout);
        self.waited += started.elapsed();
        next
    }

    /// Records that this many bytes have arrived.
    pub(crate) fn record(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    fn remaining(&self) -> Duration {
        (STALL_TIME + Duration::from_millis(self.bytes * 1_000 / MIN_BYTES_PER_SECOND)).saturating_sub(self.waited)
    }
}

impl<C> fmt::Debug for Upload<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Upload")
    }
}

/// The media type of a request's body, without parameters.
///
/// # Errors
///
/// When it is not a media type of `C`.
pub(crate) fn media_type<C: Contents>(request: &Request) -> Result<&'static str, ApiError> {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bare = value.split(';').next().unwrap_or_default().trim();
    let known = C::MEDIA_TYPES.iter().find(|known| known.eq_ignore_ascii_case(bare));
    known.copied().ok_or(ApiError::UnsupportedMediaType { accepted: C::ACCEPTED })
}

/// The content codings of a request's body, comma-separated, or an empty string. Several are supported by no operation.
pub(crate) fn content_coding(request: &Request) -> String {
    let lines = request.headers().get_all(header::CONTENT_ENCODING).iter();
    let lines: Vec<String> = lines.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase()).collect();
    let names = lines.iter().flat_map(|line| line.split(',')).map(str::trim).filter(|name| !matches!(*name, "" | "identity"));
    names.map(|name| if name == "x-gzip" { "gzip" } else { name }).collect::<Vec<_>>().join(",")
}

/// The `Idempotency-Key` of a request: a text, or the same text as a string of a structured field
/// ([RFC 9651, 3.3.3](https://www.rfc-editor.org/rfc/rfc9651#section-3.3.3)).
///
/// # Errors
///
/// When it is repeated or invalid.
pub(crate) fn idempotency_key(request: &Request) -> Result<Option<rates::IdempotencyKey>, ApiError> {
    let mut given = request.headers().get_all("idempotency-key").iter();
    let Some(key) = given.next() else { return Ok(None) };
    let invalid = |message: String| ApiError::parameter("Idempotency-Key", message);
    if given.next().is_some() {
        return Err(invalid("is given more than once".to_owned()));
    }
    let text = key.to_str().unwrap_or_default().trim();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let key = quoted.map_or_else(|| text.to_owned(), unescape).parse().map_err(invalid)?;
    Ok(Some(key))
}

/// The content of a string, in which `\` escapes the next character.
fn unescape(quoted: &str) -> String {
    let mut is_escaped = false;
    quoted
        .chars()
        .filter(|character| {
            is_escaped = *character == '\\' && !is_escaped;
            !is_escaped
        })
        .collect()
}

/// Checks that the body has no content coding.
///
/// # Errors
///
/// When it has.
pub(crate) fn require_no_coding(request: &Request) -> Result<(), ApiError> {
    if content_coding(request).is_empty() {
        Ok(())
    } else {
        Err(ApiError::UnsupportedMediaType { accepted: "no `Content-Encoding`" })
    }
}

impl<'a, C: Contents> ApiExtractor<'a> for Upload<C> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        C::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest { description: None, content: C::described(), required: true })
    }

    async fn from_request(request: &'a Request, body: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        Self::of(request, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_must_arrive_at_the_lowest_rate() {
        let mut arrival = Arrival::default();
        assert_eq!(arrival.remaining(), STALL_TIME);
        // Single bytes buy no time.
        (0..10).for_each(|_| arrival.record(1));
        arrival.waited += STALL_TIME;
        assert_eq!(arrival.remaining(), Duration::ZERO);
        arrival.record(3 * usize::try_from(MIN_BYTES_PER_SECOND).unwrap());
        assert_eq!(arrival.remaining(), Duration::from_secs(3));
    }
}
