//! What a browser may load for a page, and run in it.

use poem::http::HeaderValue;

use crate::images::Images;

/// Text of providers is shown on pages: even if some of it were markup, only scripts of the service would run, and no host would be contacted
/// but for pictures.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Policy {
    pub(super) images: Images,
    /// Whether the page has a script, which requests other pages.
    pub(super) has_script: bool,
}

macro_rules! policy {
    ($pictures:literal, $scripts:literal) => {
        HeaderValue::from_static(concat!(
            "default-src 'none'; style-src 'self'; img-src 'self' data:",
            $pictures,
            "; ",
            $scripts,
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ))
    };
}

impl Policy {
    /// The value of `Content-Security-Policy`.
    pub(super) fn header(self) -> HeaderValue {
        match (self.images, self.has_script) {
            (Images::Tiles | Images::Proxy, false) => policy!("", ""),
            (Images::Tiles | Images::Proxy, true) => policy!("", "script-src 'self'; connect-src 'self'; "),
            (Images::Direct, false) => policy!(" https:", ""),
            (Images::Direct, true) => policy!(" https:", "script-src 'self'; connect-src 'self'; "),
        }
    }
}
