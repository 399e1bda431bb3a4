//! Evaluates `Accept-Encoding` and `If-None-Match`.

use hyper::HeaderMap;
use hyper::header::{ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH};

/// A supported content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SimEncoding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

impl SimEncoding {
    /// The name in `Content-Encoding`, which does not name the identity.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// The encoding with the highest weight, the first of several. `*` selects gzip.
pub(crate) fn negotiate_encoding(headers: &HeaderMap) -> SimEncoding {
    let mut best = (SimEncoding::Identity, 0.0);
    let mut any = 0.0;
    let mut named = Vec::new();
    for member in list_members(headers, &ACCEPT_ENCODING) {
        let (name, parameters) = member.split_once(';').unwrap_or((member, ""));
        let encoding = match name.trim().to_ascii_lowercase().as_str() {
            "gzip" => SimEncoding::Gzip,
            "br" => SimEncoding::Brotli,
            "zstd" => SimEncoding::Zstd,
            "*" => {
                any = parse_weight(parameters);
                continue;
            }
            _ => continue,
        };
        named.push(encoding);
        if parse_weight(parameters) > best.1 {
            best = (encoding, parse_weight(parameters));
        }
    }
    if any > best.1 && !named.contains(&SimEncoding::Gzip) { SimEncoding::Gzip } else { best.0 }
}

/// Whether `If-None-Match` contains the `ETag`, by the weak comparison that RFC 9110 requires.
pub(crate) fn matches_etag(headers: &HeaderMap, etag: &str) -> bool {
    list_members(headers, &IF_NONE_MATCH).any(|member| member == "*" || member.strip_prefix("W/").unwrap_or(member) == etag)
}

fn list_members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

fn parse_weight(parameters: &str) -> f32 {
    parameters.trim().strip_prefix("q=").map_or(1.0, |weight| weight.parse().unwrap_or(0.0))
}
