//! Request bodies: described by OpenAPI, and read by each operation within its own limits.

use std::{fmt, marker::PhantomData, time::Duration};

use poem::{Body, Request, RequestBody, error::ReadBodyError, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
};

use tokio::time::timeout;

use crate::error::ApiError;

/// How long a body that is buffered may take to arrive.
const ARRIVAL_TIME: Duration = Duration::from_secs(60);

/// A body of the content `C`.
pub struct Upload<C> {
    /// The body, not read yet.
    pub body: Body,
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

impl<C> Upload<C> {
    /// Buffers the whole body.
    ///
    /// # Errors
    ///
    /// When it exceeds the limit, is incomplete, or does not arrive in time.
    pub(crate) async fn bytes(self, limit: usize) -> Result<Vec<u8>, ApiError> {
        let whole = timeout(ARRIVAL_TIME, self.body.into_bytes_limit(limit)).await.map_err(|_| ApiError::BodyTimeout)?;
        whole.map(Into::into).map_err(|error| match error {
            ReadBodyError::PayloadTooLarge => ApiError::BodyTooLarge { what: "bytes", limit: limit as u64 },
            _ => ApiError::IncompleteBody,
        })
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

    async fn from_request(_: &'a Request, body: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        Ok(Self { body: body.take()?, contents: PhantomData })
    }
}
