//! What the headers of a request ask for.
//!
//! Owns the reading of `Accept-Encoding` and `If-None-Match`, as far as this server answers
//! them: gzip or identity, a known answer or not.

use hyper::HeaderMap;
use hyper::header::{ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH};

/// Whether the answer may be gzip: it is named, or `*` is, with a weight other than 0.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let weight_of = |wanted: &str| {
        members(headers, &ACCEPT_ENCODING).find_map(|member| {
            let (coding, parameters) = member.split_once(';').unwrap_or((member, ""));
            coding.trim().eq_ignore_ascii_case(wanted).then(|| weight(parameters))
        })
    };
    weight_of("gzip").or_else(|| weight_of("*")).is_some_and(|weight| weight > 0.0)
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
