//! The form of a datum.

use poem::Request;
use poem_openapi::{
    Object,
    registry::{MetaMediaType, Registry},
    types::Type,
};

use crate::{
    error::ApiError,
    upload::{Contents, Upload, media_type},
};

/// The largest datum.
const MAX_DATA_BYTES: usize = 64 * 1024;
/// The largest form: percent-encoding triples the bytes of the datum, and the name is added.
const MAX_FORM_BYTES: usize = 3 * MAX_DATA_BYTES + 1_024;

/// The form of a datum.
#[derive(Debug, Object)]
pub struct DatumForm {
    /// The datum, 1 byte to 64 KiB.
    pub data: String,
}

impl Contents for DatumForm {
    const MEDIA_TYPES: &'static [&'static str] = &["application/x-www-form-urlencoded"];
    const ACCEPTED: &'static str = "a `Content-Type` of application/x-www-form-urlencoded";

    fn described() -> Vec<MetaMediaType> {
        vec![MetaMediaType { content_type: "application/x-www-form-urlencoded", schema: Self::schema_ref() }]
    }

    fn register(registry: &mut Registry) {
        <Self as Type>::register(registry);
    }
}

/// Reads the form.
pub(super) async fn read(request: &Request, upload: Upload<DatumForm>) -> Result<String, ApiError> {
    media_type::<DatumForm>(request)?;
    let form = upload.bytes(MAX_FORM_BYTES).await?;
    let mut fields = form_urlencoded::parse(&form);
    let data = fields.find(|(name, _)| name == "data").map(|(_, value)| value.into_owned()).unwrap_or_default();
    match data.len() {
        0 => Err(ApiError::parameter("data", "must have 1 to 65536 bytes, got none")),
        1..=MAX_DATA_BYTES if data.contains('\0') => Err(ApiError::parameter("data", "must not contain a NUL character")),
        1..=MAX_DATA_BYTES => Ok(data),
        _ => Err(ApiError::BodyTooLarge { what: "bytes of `data`", limit: MAX_DATA_BYTES as u64 }),
    }
}
