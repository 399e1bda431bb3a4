//! Checks and normalizes what every request must get right: its host and its path
//! ([RFC 9110, 4.2.3 and 7.2](https://www.rfc-editor.org/rfc/rfc9110#section-4.2.3)).

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use poem::{
    Request, Response,
    http::{HeaderValue, Method, StatusCode, Uri, Version, header, uri::PathAndQuery},
};

use super::routes::Routes;
use crate::{error::ApiError, query::MAX_TARGET_BYTES};

/// The deepest path that is redirected. All routes are less deep.
const MAX_DEPTH: usize = 16;
/// Punctuation of hosts: of names, of addresses, and of the port.
const HOST_PUNCTUATION: &[u8] = b"-._~:[]%!$&'()*+;=";

/// Checks the host, the length and the path of a request, and decodes characters of the path that need no encoding.
///
/// # Errors
///
/// When `Host` is missing, repeated or invalid, or when the path is too long or not UTF-8.
pub(super) fn check(request: &mut Request) -> Result<(), ApiError> {
    check_host(request)?;
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET_BYTES) {
        return Err(ApiError::UriTooLong { limit: MAX_TARGET_BYTES });
    }
    let path = request.uri().path();
    if path.contains('%') {
        percent_decode_str(path).decode_utf8().map_err(|_| ApiError::Malformed("the path must be percent-encoded UTF-8"))?;
        if let Cow::Owned(path) = decode_unreserved(path) {
            replace_path(request.uri_mut(), &path);
        }
    }
    Ok(())
}

fn check_host(request: &Request) -> Result<(), ApiError> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() < Version::HTTP_11 => Ok(()),
        (None, _) => Err(ApiError::Malformed("the request must have a `Host` header")),
        (_, Some(_)) => Err(ApiError::Malformed("the request must have only one `Host` header")),
        (Some(host), None) => {
            let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || HOST_PUNCTUATION.contains(byte);
            let is_valid = host.as_bytes().iter().all(is_allowed);
            if is_valid { Ok(()) } else { Err(ApiError::Malformed("`Host` must be a host name or address, and a port")) }
        }
    }
}

/// Decodes percent-encoded unreserved characters: `%73earch` and `search` are the same path
/// ([RFC 3986, 2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3)).
fn decode_unreserved(path: &str) -> Cow<'_, str> {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let decoded_at = |rest: &str| {
        let digits =
            rest.get(1..3).filter(|digits| rest.starts_with('%') && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u8::from_str_radix(digits, 16).ok().filter(|byte| is_unreserved(*byte)).map(char::from)
    };
    if !path.match_indices('%').any(|(at, _)| decoded_at(&path[at..]).is_some()) {
        return Cow::Borrowed(path);
    }
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(next) = rest.chars().next() {
        let unreserved = decoded_at(rest);
        decoded.push(unreserved.unwrap_or(next));
        rest = &rest[if unreserved.is_some() { 3 } else { next.len_utf8() }..];
    }
    Cow::Owned(decoded)
}

fn replace_path(uri: &mut Uri, path: &str) {
    let text = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(text).ok();
    if let Ok(normalized) = Uri::from_parts(parts) {
        *uri = normalized;
    }
}

/// The redirect of a read with a path that has a trailing or a repeated slash, if the path without it exists. The target is relative, so that
/// it also works behind a path prefix.
pub(super) fn redirect_to_canonical(request: &Request, routes: &Routes) -> Option<Response> {
    let path = request.uri().path();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let depth = path.matches('/').count();
    if !is_read || depth > MAX_DEPTH || !(path.ends_with('/') && path.len() > 1 || path.contains("//")) {
        return None;
    }
    let canonical = path.split('/').filter(|segment| !segment.is_empty()).collect::<Vec<_>>().join("/");
    routes.find(&format!("/{canonical}"))?;
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("{}{canonical}{query}", "../".repeat(depth - 1));
    redirect(&target)
}

/// A redirect to a target relative to the request's URL.
fn redirect(target: &str) -> Option<Response> {
    let mut response = Response::from(StatusCode::PERMANENT_REDIRECT);
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(target).ok()?);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_are_decoded() {
        for (path, expected) in [
            ("/%73e%61rch", "/search"),
            ("/%2D%2e%5f%7E", "/-._~"),
            ("/a%2Fb%20%C3%A9", "/a%2Fb%20%C3%A9"),
            ("/%2573", "/%2573"),
            ("/%7", "/%7"),
            ("/%zz%", "/%zz%"),
            ("/é%41", "/éA"),
        ] {
            assert_eq!(decode_unreserved(path), expected, "{path}");
        }
    }
}
