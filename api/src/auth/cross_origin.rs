//! Rejects writes that a web page of another origin sends through the browser of its visitor (cross-site request forgery).

use poem::{
    Request,
    http::{HeaderMap, HeaderName, header, uri::Authority},
};

use crate::error::ApiError;

/// [Fetch Metadata](https://www.w3.org/TR/fetch-metadata/): how the page that sends a request relates to this server. Browsers send it
/// to HTTPS and to the local machine, also where they send no `Origin`.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Checks that no web page of another origin sent a request. Clients that are not browsers send neither header.
///
/// # Errors
///
/// When a page of another origin sent it.
pub(super) fn require_same_origin(request: &Request) -> Result<(), ApiError> {
    let headers = request.headers();
    let is_foreign_site = headers.get_all(SEC_FETCH_SITE).iter().any(|site| site != "same-origin" && site != "none");
    if is_foreign_site || has_foreign_origin(headers, effective_host(request)) { Err(ApiError::CrossOriginWrite) } else { Ok(()) }
}

/// The host and port that a request is addressed to: of its target if that is an absolute URL, or else of its `Host` header.
pub(super) fn effective_host(request: &Request) -> Option<&str> {
    let target = request.uri().authority().map(Authority::as_str);
    target.or_else(|| request.headers().get(header::HOST)?.to_str().ok())
}

/// Whether `Origin` differs from our own origin. Only host and port are compared: behind a proxy that terminates TLS, the scheme that
/// the browser used is not known here.
fn has_foreign_origin(headers: &HeaderMap, host: Option<&str>) -> bool {
    let is_own = |origin: &str| {
        let own = origin.split_once("://").map(|(_, authority)| authority);
        own.is_some_and(|own| host.is_some_and(|host| own.eq_ignore_ascii_case(host)))
    };
    headers.get_all(header::ORIGIN).iter().any(|origin| !origin.to_str().is_ok_and(is_own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_accepted(headers: &[(&str, &str)]) -> bool {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        require_same_origin(&request.finish()).is_ok()
    }

    #[test]
    fn accepts_requests_of_programs_and_of_our_own_pages() {
        for headers in [
            &[("host", "localhost:8000")][..],
            &[("host", "localhost:8000"), ("origin", "http://localhost:8000")],
            &[("host", "Events.example"), ("origin", "https://events.example")],
            &[("host", "localhost:8000"), ("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8000")],
            &[("host", "localhost:8000"), ("sec-fetch-site", "none")],
        ] {
            assert!(is_accepted(headers), "{headers:?}");
        }
    }

    #[test]
    fn rejects_requests_of_pages_of_other_origins() {
        for (name, value) in [
            ("origin", "http://evil.example"),
            ("origin", "http://localhost:8001"),
            ("origin", "http://localhost"),
            ("origin", "http://localhost:8000.evil.example"),
            ("origin", "null"),
            ("origin", "localhost:8000"),
            ("origin", ""),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "something-new"),
        ] {
            assert!(!is_accepted(&[("host", "localhost:8000"), (name, value)]), "{name}: {value}");
        }
        assert!(!is_accepted(&[("origin", "http://localhost:8000")]), "without a host, no origin is our own");
        assert!(!is_accepted(&[("host", "a"), ("origin", "http://a"), ("origin", "http://b")]));
    }
}
