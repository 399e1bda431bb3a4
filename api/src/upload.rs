//! Bodies of requests, as OpenAPI shall describe them and as operations read them: by themselves, within limits of their own.

use std::{fmt, marker::PhantomData, time::Duration};

use poem::{Body, Request, RequestBody, error::ReadBodyError, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
};

use tokio::time::timeout;

use crate::error::ApiError;

/// How long a body that is read whole may take to come.
const ARRIVAL_TIME: Duration = Duration::from_secs(60);

/// A body that is described by `C`.
pub struct Upload<C> {
    /// What comes.
    pub body: Body,
    contents: PhantomData<C>,
}

/// What a body may be.
pub trait Contents: Send {
    /// The media types that are taken, without parameters.
    const MEDIA_TYPES: &'static [&'static str];
    /// The same in words.
    const ACCEPTED: &'static str;

    /// How they are described.
    fn described() -> Vec<MetaMediaType>;

    /// Makes the types known that the description names.
    fn register(registry: &mut Registry);
}

impl<C> Upload<C> {
    /// All of it, if it is no longer than that.
    ///
    /// # Errors
    ///
    /// When it is longer, or does not come to its end in time.
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

/// The media type of a request's body: the one of `C` that it names.
///
/// # Errors
///
/// When it names none of them.
pub(crate) fn media_type<C: Contents>(request: &Request) -> Result<&'static str, ApiError> {
    let named = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bare = named.split(';').next().unwrap_or_default().trim();
    let known = C::MEDIA_TYPES.iter().find(|known| known.eq_ignore_ascii_case(bare));
    known.copied().ok_or(ApiError::UnsupportedMediaType { accepted: C::ACCEPTED })
}

/// The content codings of a request's body with commas between them, none if it has none: we take one, so two are an unknown one.
pub(crate) fn content_coding(request: &Request) -> String {
    let lines = request.headers().get_all(header::CONTENT_ENCODING).iter();
    let lines: Vec<String> = lines.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase()).collect();
    let names = lines.iter().flat_map(|line| line.split(',')).map(str::trim).filter(|name| !matches!(*name, "" | "identity"));
    names.map(|name| if name == "x-gzip" { "gzip" } else { name }).collect::<Vec<_>>().join(",")
}

/// The key that a request gives what it brings.
///
/// # Errors
///
/// When it is given more than once, or is none.
pub(crate) fn idempotency_key(request: &Request) -> Result<Option<rates::IdempotencyKey>, ApiError> {
    let mut given = request.headers().get_all("idempotency-key").iter();
    let Some(key) = given.next() else { return Ok(None) };
    let refused = |why: String| ApiError::parameter("Idempotency-Key", why);
    if given.next().is_some() {
        return Err(refused("is given more than once".to_owned()));
    }
    let key = key.to_str().unwrap_or_default().parse().map_err(refused)?;
    Ok(Some(key))
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
