//! The fields of the forms of the pages.

use std::collections::HashMap;

use poem::{FromRequest, Request, RequestBody, web::Multipart};

use crate::{auth::FORM_TOKEN, error::ApiError, resources::upload::Upload};

const INVALID: ApiError = ApiError::InvalidBody("the body must be the form of the page, as a browser sends it");

/// The fields of all forms.
const NAMES: [&str; 5] = [FORM_TOKEN, "provider", "mode", "file", "document"];
/// The most fields of a form, with repeated ones.
const MAX_FIELDS: usize = 8;

/// The fields by name. Of a repeated field, the last value that is not empty.
#[derive(Debug, Default)]
pub(super) struct Fields {
    values: HashMap<&'static str, Vec<u8>>,
    count: usize,
}

impl Fields {
    /// Counts a field, and returns its name if a form has it.
    fn admit(&mut self, name: &str) -> Result<&'static str, ApiError> {
        self.count += 1;
        let known = NAMES.into_iter().find(|known| *known == name);
        known.filter(|_| self.count <= MAX_FIELDS).ok_or(INVALID)
    }

    fn add(&mut self, name: &'static str, value: Vec<u8>) {
        if !value.is_empty() {
            self.values.insert(name, value);
        }
    }

    /// A field as text.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.values.get(name)?).ok()
    }

    /// Removes a field.
    pub(super) fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        self.values.remove(name)
    }
}

/// Reads a form without files.
pub(super) async fn read_url_encoded(request: &Request, body: &mut RequestBody, limit: usize) -> Result<Fields, ApiError> {
    let form = read(request, body, limit).await?;
    let mut fields = Fields::default();
    for (name, value) in form_urlencoded::parse(&form) {
        let name = fields.admit(&name)?;
        fields.add(name, value.into_owned().into_bytes());
    }
    Ok(fields)
}

/// Reads a form with a file.
pub(super) async fn read_multipart(request: &Request, body: &mut RequestBody, limit: usize) -> Result<Fields, ApiError> {
    let form = read(request, body, limit).await?;
    let mut body = RequestBody::new(form.into());
    let mut parts = Multipart::from_request(request, &mut body).await.map_err(|_| INVALID)?;
    let mut fields = Fields::default();
    while let Some(part) = parts.next_field().await.map_err(|_| INVALID)? {
        let name = fields.admit(part.name().unwrap_or_default())?;
        fields.add(name, part.bytes().await.map_err(|_| INVALID)?);
    }
    Ok(fields)
}

/// Reads a body within a limit of its size and time.
async fn read(request: &Request, body: &mut RequestBody, limit: usize) -> Result<Vec<u8>, ApiError> {
    let upload = Upload::<Fields>::of(request, body).map_err(|_| INVALID)?;
    upload.bytes(limit).await
}
