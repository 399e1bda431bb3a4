//! The URLs of pages.

use entity::RedactedUrl;
use reqwest::Url;

/// Length of a URL: that of the URLs in feeds, and short enough for an index of PostgreSQL.
const MAX_URL_BYTES: usize = 2_000;

/// Resolves a link; the error continues "leads".
pub(super) fn resolve(base: &Url, text: &str) -> Result<Url, &'static str> {
    let url = outbound::resolve_target(base, text)?;
    if url.as_str().len() > MAX_URL_BYTES { Err("to a URL with more than 2000 characters") } else { Ok(url) }
}

/// What identifies a URL: all of it except the fragment, which is never sent.
pub(super) fn key_of(url: &Url) -> String {
    url.as_str().split('#').next().unwrap_or_default().to_owned()
}

pub(super) fn host_of(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// A URL for messages.
pub(super) fn redact(url: &Url) -> String {
    RedactedUrl::from(url.to_string()).to_string()
}
