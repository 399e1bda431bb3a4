//! Where a redirect leads, and whether to follow.
//!
//! Looks at the two URLs only: the address behind the new one is `address`'s.

use reqwest::{Response, StatusCode, Url, header};

use super::FetchError;

/// Where the answer sends the request; nothing if it is no redirect.
pub(super) fn target(from: &Url, response: &Response) -> Result<Option<Url>, FetchError> {
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
            let location = location.to_str().map_err(|_| refused("to something that is no URL"))?;
            follow(from, location).map(Some)
        }
        _ => Ok(None),
    }
}

fn follow(from: &Url, location: &str) -> Result<Url, FetchError> {
    let mut to = from.join(location).map_err(|_| refused("to something that is no URL"))?;
    if !matches!(to.scheme(), "http" | "https") {
        return Err(refused("to something other than http and https"));
    }
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err(refused("from https to http"));
    }
    // A relative URL keeps the user of the one it is relative to.
    let is_users_own = to.origin() == from.origin() && (to.username(), to.password()) == (from.username(), from.password());
    if !is_users_own && (!to.username().is_empty() || to.password().is_some()) {
        return Err(refused("to a URL with a user or a password"));
    }
    if to.origin() == from.origin() {
        // Neither fails for a URL with a host, and the worst would be an answer of 401.
        let _kept = to.set_username(from.username());
        let _kept = to.set_password(from.password());
    }
    to.set_fragment(None);
    Ok(to)
}

fn refused(why: &'static str) -> FetchError {
    FetchError::RedirectRefused { why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_followed() {
        for (from, location, to) in [
            ("http://a.example/feed", "/other?x=1", "http://a.example/other?x=1"),
            ("http://a.example/feed", "https://b.example/feed#part", "https://b.example/feed"),
            ("http://user:word@a.example/feed", "other", "http://user:word@a.example/other"),
            ("http://user:word@a.example/feed", "http://a.example/other", "http://user:word@a.example/other"),
            ("http://user:word@a.example/feed", "http://b.example/other", "http://b.example/other"),
            ("http://user:word@a.example/feed", "http://a.example:81/other", "http://a.example:81/other"),
            ("https://a.example/feed", "//b.example/", "https://b.example/"),
        ] {
            assert_eq!(follow(&from.parse().unwrap(), location).unwrap().as_str(), to, "{from} {location}");
        }
    }

    #[test]
    fn what_is_not() {
        for (from, location, why) in [
            ("https://a.example/feed", "http://a.example/feed", "from https to http"),
            ("http://a.example/feed", "file:///etc/passwd", "to something other than http and https"),
            ("http://a.example/feed", "ftp://a.example/", "to something other than http and https"),
            ("http://a.example/feed", "http://user@a.example/", "to a URL with a user or a password"),
            ("http://user:word@a.example/feed", "http://user:word@b.example/", "to a URL with a user or a password"),
            ("http://a.example/feed", "http://:word@b.example/", "to a URL with a user or a password"),
            ("http://a.example/feed", "http://[", "to something that is no URL"),
        ] {
            let refused = follow(&from.parse().unwrap(), location);
            assert!(
                matches!(refused, Err(FetchError::RedirectRefused { why: told }) if told == why),
                "{from} {location}: {refused:?}"
            );
        }
    }
}
