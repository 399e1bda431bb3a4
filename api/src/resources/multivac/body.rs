//! The form in which a datum comes.

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

/// Bytes of a datum.
const MAX_DATA_BYTES: usize = 64 * 1024;
/// Bytes of the form: each of the datum's may be written as three, and the name stands before.
const MAX_FORM_BYTES: usize = 3 * MAX_DATA_BYTES + 1_024;

/// The form.
#[derive(Debug, Object)]
pub struct DataForm {
    /// The datum: 1 byte to 64 KiB.
    pub data: String,
}

impl Contents for DataForm {
    const MEDIA_TYPES: &'static [&'static str] = &["application/x-www-form-urlencoded"];
    const ACCEPTED: &'static str = "a form of Content-Type application/x-www-form-urlencoded";

    fn described() -> Vec<MetaMediaType> {
        vec![MetaMediaType { content_type: "application/x-www-form-urlencoded", schema: Self::schema_ref() }]
    }

    fn register(registry: &mut Registry) {
        <Self as Type>::register(registry);
    }
}

/// Reads the form.
pub(super) async fn read(request: &Request, upload: Upload<DataForm>) -> Result<String, ApiError> {
    media_type::<DataForm>(request)?;
    let form = upload.bytes(MAX_FORM_BYTES).await?;
    let mut fields = form_urlencoded::parse(&form);
    let data = fields.find(|(name, _)| name == "data").map(|(_, value)| value.into_owned()).unwrap_or_default();
    match data.len() {
        0 => Err(ApiError::parameter("data", "is missing or empty: want a form with data=SOMETHING")),
        1..=MAX_DATA_BYTES if data.contains('\0') => Err(ApiError::parameter("data", "must not hold a NUL character")),
        1..=MAX_DATA_BYTES => Ok(data),
        _ => Err(ApiError::BodyTooLarge { what: "bytes of `data`", limit: MAX_DATA_BYTES as u64 }),
    }
}
