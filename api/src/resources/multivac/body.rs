//! The form of a datum.

use percent_encoding::percent_decode;
use poem::{FromRequest, Request, RequestBody, web::Multipart};
use poem_openapi::{
    Object,
    registry::{MetaMediaType, Registry},
    types::{Example, Type},
};

use crate::{
    error::ApiError,
    resources::upload::{Contents, Upload, media_type, require_no_coding},
};

/// The largest datum.
const MAX_DATA_BYTES: usize = 64 * 1024;
/// The largest form: percent-encoding triples the bytes of the datum, and the name is added.
pub(super) const MAX_FORM_BYTES: usize = 3 * MAX_DATA_BYTES + 1_024;

/// The form of a datum.
#[derive(Debug, Object)]
#[oai(example)]
pub struct DatumForm {
    /// The datum, 1 byte to 64 KiB of UTF-8, without NUL.
    #[oai(validator(min_length = 1, max_length = 65536, pattern = r"^[^\x00]*$"))]
    pub data: String,
}

const URL_ENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

impl Example for DatumForm {
    fn example() -> Self {
        Self { data: "LET THERE BE LIGHT!".to_owned() }
    }
}

impl Contents for DatumForm {
    const MEDIA_TYPES: &'static [&'static str] = &[URL_ENCODED, MULTIPART];
    const ACCEPTED: &'static str = "a `Content-Type` of application/x-www-form-urlencoded or multipart/form-data";

    fn described() -> Vec<MetaMediaType> {
        Self::MEDIA_TYPES.iter().map(|content_type| MetaMediaType { content_type, schema: Self::schema_ref() }).collect()
    }

    fn register(registry: &mut Registry) {
        <Self as Type>::register(registry);
    }
}

/// Reads the form.
pub(super) async fn read(request: &Request, upload: Upload<DatumForm>) -> Result<String, ApiError> {
    let media_type = media_type::<DatumForm>(request)?;
    require_no_coding(request)?;
    let form = upload.bytes(MAX_FORM_BYTES).await?;
    let mut data = match media_type {
        MULTIPART => parse_multipart(request, form).await?,
        _ => parse_url_encoded(&form)?,
    };
    let invalid = |message: &str| Err(ApiError::parameter("data", message));
    match (data.pop().unwrap_or_default(), data.is_empty()) {
        (_, false) => invalid("must be given only once"),
        (data, _) if data.is_empty() => invalid("must have 1 to 65536 bytes, got none"),
        (data, _) if data.len() > MAX_DATA_BYTES => {
            Err(ApiError::BodyTooLarge { what: "bytes of `data`", limit: MAX_DATA_BYTES as u64 })
        }
        (data, _) if data.contains('\0') => invalid("must not contain a NUL character"),
        (data, _) => Ok(data),
    }
}

/// The fields `data` of a form as browsers and `curl -d` send it.
fn parse_url_encoded(form: &[u8]) -> Result<Vec<String>, ApiError> {
    percent_decode(form).decode_utf8().map_err(|_| NOT_UTF8)?;
    let fields = form_urlencoded::parse(form).filter(|(name, _)| name == "data");
    Ok(fields.map(|(_, value)| value.into_owned()).collect())
}

/// The same as `curl -F` sends it ([RFC 7578](https://www.rfc-editor.org/rfc/rfc7578)).
async fn parse_multipart(request: &Request, form: Vec<u8>) -> Result<Vec<String>, ApiError> {
    const INVALID: ApiError =
        ApiError::InvalidBody("the body must be multipart/form-data with the boundary that `Content-Type` declares");
    let mut body = RequestBody::new(form.into());
    let mut fields = Multipart::from_request(request, &mut body).await.map_err(|_| INVALID)?;
    let mut data = Vec::new();
    while let Some(field) = fields.next_field().await.map_err(|_| INVALID)? {
        if field.name() == Some("data") {
            let value = field.bytes().await.map_err(|_| INVALID)?;
            data.push(String::from_utf8(value).map_err(|_| NOT_UTF8)?);
        }
    }
    Ok(data)
}

const NOT_UTF8: ApiError = ApiError::InvalidBody("the fields of the form must be UTF-8");
