//! Targets of redirects and of links to pages, and whether they may be followed.
//!
//! Only the two URLs are checked here. `address` checks the address behind the target.

use reqwest::{Response, StatusCode, Url, header};

use crate::RequestError;

const NOT_A_URL: &str = "to an invalid URL";
const OTHER_SCHEME: &str = "to a URL that is not http or https";
const DOWNGRADE: &str = "from https to http";
const CREDENTIALS: &str = "to a URL with a user name or password";

/// The target of a redirect; `None` if the response is not a redirect.
pub(crate) fn find_target(from: &Url, response: &Response) -> Result<Option<Url>, RequestError> {
    let is_redirect = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    match response.headers().get(header::LOCATION) {
        Some(location) if is_redirect => {
            let target = location.to_str().map_err(|_| NOT_A_URL).and_then(|location| resolve_target(from, location));
            target.map(Some).map_err(|why| RequestError::RedirectRefused { why })
        }
        _ => Ok(None),
    }
}

/// Resolves the target of a redirect or a link, and decides whether it may be followed.
///
/// # Errors
///
/// When it may not be. The error continues "leads".
pub fn resolve_target(from: &Url, location: &str) -> Result<Url, &'static str> {
    let mut target = from.join(location).map_err(|_| NOT_A_URL)?;
    if !matches!(target.scheme(), "http" | "https") {
        return Err(OTHER_SCHEME);
    }
    if from.scheme() == "https" && target.scheme() == "http" {
        return Err(DOWNGRADE);
    }
    let is_same_origin = target.origin() == from.origin();
    // A relative URL inherits the credentials of its base.
    let has_same_credentials = (target.username(), target.password()) == (from.username(), from.password());
    let has_credentials = !target.username().is_empty() || target.password().is_some();
    if has_credentials && !(is_same_origin && has_same_credentials) {
        return Err(CREDENTIALS);
    }
    if is_same_origin {
        // Both succeed for every URL with a host. Without credentials, the response would be 401.
        let _ignored = target.set_username(from.username());
        let _ignored = target.set_password(from.password());
    }
    target.set_fragment(None);
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_targets_and_sends_credentials_to_the_same_origin_only() {
        for (from, location, target) in [
            ("http://a.example/feed", "/other?x=1", "http://a.example/other?x=1"),
            ("http://a.example/feed", "https://b.example/feed#part", "https://b.example/feed"),
            ("http://user:word@a.example/feed", "other", "http://user:word@a.example/other"),
            ("http://user:word@a.example/feed", "http://a.example/other", "http://user:word@a.example/other"),
            ("http://user:word@a.example/feed", "http://b.example/other", "http://b.example/other"),
            ("http://user:word@a.example/feed", "http://a.example:81/other", "http://a.example:81/other"),
            ("https://a.example/feed", "//b.example/", "https://b.example/"),
        ] {
            assert_eq!(resolve_target(&from.parse().unwrap(), location).unwrap().as_str(), target, "{from} {location}");
        }
    }

    #[test]
    fn refuses_targets_that_are_not_allowed() {
        for (from, location, expected) in [
            ("https://a.example/feed", "http://a.example/feed", DOWNGRADE),
            ("http://a.example/feed", "file:///etc/passwd", OTHER_SCHEME),
            ("http://a.example/feed", "ftp://a.example/", OTHER_SCHEME),
            ("http://a.example/feed", "http://user@a.example/", CREDENTIALS),
            ("http://user:word@a.example/feed", "http://user:word@b.example/", CREDENTIALS),
            ("http://a.example/feed", "http://:word@b.example/", CREDENTIALS),
            ("http://a.example/feed", "http://[", NOT_A_URL),
        ] {
            let result = resolve_target(&from.parse().unwrap(), location);
            assert_eq!(result, Err(expected), "{from} {location}");
        }
    }
}
