//! Cross-origin resource sharing: which web pages may read responses ([Fetch, 3.3](https://fetch.spec.whatwg.org/#http-cors-protocol)).
//!
//! Cookies are never used, so `Access-Control-Allow-Credentials` is never sent.

use std::str::FromStr;

use clap::Args;
use poem::{
    Response,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
};

/// Response headers that pages may read, beyond the few that every page may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "link, etag, location, retry-after, ratelimit, ratelimit-policy, x-request-id, x-cursor, age, warning, cache-status, marquee-version",
);
/// Request headers that pages may send. `*` does not include `Authorization`.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("*, authorization");
/// How long browsers may remember the response to a preflight: two hours, the maximum in Chromium.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");
const ANY: HeaderValue = HeaderValue::from_static("*");
const VARY: HeaderValue = HeaderValue::from_static("origin");

/// Which web pages may read.
#[derive(Args, Clone, Debug, Default)]
pub struct CorsSettings {
    /// Origins of the web pages that may read responses, such as `https://app.example`, or `*` for all
    #[arg(long, env = "CORS_ALLOWED_ORIGINS", value_name = "ORIGINS", value_delimiter = ',', default_value = "*")]
    pub cors_allowed_origins: Vec<AllowedOrigin>,
}

/// An item of the setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// All origins.
    Any,
    /// One origin, as browsers send it.
    Only(HeaderValue),
}

/// Sets the headers of cross-origin resource sharing. By default, every page may read.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    /// The origins that may read; `None` for all.
    allowed: Option<Vec<HeaderValue>>,
}

impl Cors {
    /// The pages that the settings allow.
    #[must_use]
    pub fn from_settings(settings: &CorsSettings) -> Self {
        let only = |origin: &AllowedOrigin| match origin {
            AllowedOrigin::Any => None,
            AllowedOrigin::Only(origin) => Some(origin.clone()),
        };
        Self { allowed: settings.cors_allowed_origins.iter().map(only).collect() }
    }

    /// The value of `Access-Control-Allow-Origin` in the response to a request. Without a list it is the same for all requests, so that
    /// shared caches can store one response for all of them.
    pub(crate) fn allow(&self, request: &HeaderMap) -> Option<HeaderValue> {
        match &self.allowed {
            None => Some(ANY),
            Some(allowed) => request.get(header::ORIGIN).filter(|origin| allowed.contains(origin)).cloned(),
        }
    }

    /// Whether a request comes from no web page, or from one that may read.
    pub(crate) fn accepts_origin(&self, request: &HeaderMap) -> bool {
        let accepts = |allowed: &Vec<HeaderValue>| request.get_all(header::ORIGIN).iter().all(|origin| allowed.contains(origin));
        self.allowed.as_ref().is_none_or(accepts)
    }

    /// Sets the headers of any response.
    pub(crate) fn set_headers(&self, response: &mut Response, allow: Option<HeaderValue>) {
        let headers = response.headers_mut();
        if self.allowed.is_some() {
            headers.append(header::VARY, VARY);
        }
        if let Some(origin) = allow {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    /// The response to an `OPTIONS` request for a path with these methods, a preflight or not.
    pub(crate) fn respond_to_options(request: &HeaderMap, methods: &str) -> Response {
        let mut response = Response::from(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        // Method names are valid header values.
        let methods = HeaderValue::from_str(methods).unwrap_or(HeaderValue::from_static("GET"));
        if request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
        headers.insert(header::ALLOW, methods);
        response
    }
}

impl FromStr for AllowedOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let is_origin = |uri: Uri| {
            let has_host = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
            // An origin has no path; a parsed URL without one has the path `/`.
            has_host && uri.scheme().is_some() && uri.path() == "/" && uri.query().is_none() && !text.ends_with('/')
        };
        // Browsers send hosts in lower case.
        let origin = text.to_ascii_lowercase();
        match (text.parse().is_ok_and(is_origin), HeaderValue::from_str(&origin)) {
            (true, Ok(origin)) => Ok(Self::Only(origin)),
            _ => Err(format!("must be `*` or origins such as https://app.example, without a path, got `{text}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_origins_without_a_path() {
        for (text, expected) in [
            ("https://app.example", "https://app.example"),
            (" HTTP://LocalHost:3000 ", "http://localhost:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(text.parse(), Ok(AllowedOrigin::Only(HeaderValue::from_static(expected))));
        }
        assert_eq!("*".parse(), Ok(AllowedOrigin::Any));
        for text in ["", "app.example", "https://app.example/", "https://app.example/x", "https://a@b", "*.example", "null"] {
            assert!(text.parse::<AllowedOrigin>().is_err(), "{text}");
        }
    }
}
