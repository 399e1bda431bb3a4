//! What the headers of a request ask for.
//!
//! Owns the reading of `Accept-Encoding` and `If-None-Match`, as far as this server answers
//! them: which content coding, a known answer or not.

use hyper::HeaderMap;
use hyper::header::{ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH};

/// A content coding that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SimEncoding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

impl SimEncoding {
    /// Its name in `Content-Encoding`; the identity has none there.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// The coding with the highest weight; of several, the one that is named first. `*` means gzip.
pub(crate) fn coding(headers: &HeaderMap) -> SimEncoding {
    let mut best = (SimEncoding::Identity, 0.0);
    let mut any = 0.0;
    let mut named = Vec::new();
    for member in members(headers, &ACCEPT_ENCODING) {
        let (name, parameters) = member.split_once(';').unwrap_or((member, ""));
        let coding = match name.trim().to_ascii_lowercase().as_str() {
            "gzip" => SimEncoding::Gzip,
            "br" => SimEncoding::Brotli,
            "zstd" => SimEncoding::Zstd,
            "*" => {
                any = weight(parameters);
                continue;
            }
            _ => continue,
        };
        named.push(coding);
        if weight(parameters) > best.1 {
            best = (coding, weight(parameters));
        }
    }
    if any > best.1 && !named.contains(&SimEncoding::Gzip) { SimEncoding::Gzip } else { best.0 }
}

/// Whether the request knows the answer with this `ETag`, compared weakly as RFC 9110 asks.
pub(crate) fn knows(headers: &HeaderMap, etag: &str) -> bool {
    members(headers, &IF_NONE_MATCH).any(|member| member == "*" || member.strip_prefix("W/").unwrap_or(member) == etag)
}

fn members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

fn weight(parameters: &str) -> f32 {
    parameters.trim().strip_prefix("q=").map_or(1.0, |weight| weight.parse().unwrap_or(0.0))
}
