//! The fields of the forms of the pages.

use std::collections::HashMap;

use poem::{FromRequest, Request, RequestBody, web::Multipart};

use crate::{error::ApiError, resources::upload::Upload};

const INVALID: ApiError = ApiError::InvalidBody("the body must be the form of the page, as a browser sends it");

/// The fields by name. Of a repeated field, the last value that is not empty.
#[derive(Debug, Default)]
pub(super) struct Fields(HashMap<String, Vec<u8>>);

impl Fields {
    fn add(&mut self, name: String, value: Vec<u8>) {
        if !value.is_empty() {
            self.0.insert(name, value);
        }
    }

    /// A field as text.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.0.get(name)?).ok()
    }

    /// Removes a field.
    pub(super) fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        self.0.remove(name)
    }
}

/// Reads a form without files.
pub(super) async fn read_url_encoded(request: &Request, body: &mut RequestBody, limit: usize) -> Result<Fields, ApiError> {
    let form = read(request, body, limit).await?;
    let mut fields = Fields::default();
    for (name, value) in form_urlencoded::parse(&form) {
        fields.add(name.into_owned(), value.into_owned().into_bytes());
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
        if let Some(name) = part.name().map(str::to_owned) {
            fields.add(name, part.bytes().await.map_err(|_| INVALID)?);
        }
    }
    Ok(fields)
}

/// Reads a body within a limit of its size and time.
async fn read(request: &Request, body: &mut RequestBody, limit: usize) -> Result<Vec<u8>, ApiError> {
    let upload = Upload::<Fields>::of(request, body).map_err(|_| INVALID)?;
    upload.bytes(limit).await
}
