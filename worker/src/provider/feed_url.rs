//! The URL of a feed.

use std::{fmt, str::FromStr};

use entity::RedactedUrl;
use reqwest::Url;

/// An `http` or `https` URL. `Debug` and `Display` hide its credentials and its query.
#[derive(Clone, PartialEq, Eq)]
pub struct FeedUrl(Url);

impl FeedUrl {
    /// The complete URL, with its secrets.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// The root of its server, without secrets.
    #[must_use]
    pub fn origin(&self) -> Url {
        let mut origin = self.0.clone();
        origin.set_path("");
        origin.set_query(None);
        origin.set_fragment(None);
        // An http or https URL has a host, so it can have credentials.
        let _ = (origin.set_username(""), origin.set_password(None));
        origin
    }
}

impl FromStr for FeedUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<Url>() {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Self(url)),
            _ => {
                let shown = RedactedUrl::from(text.to_owned());
                Err(format!("must be an absolute http:// or https:// URL, got `{shown}`"))
            }
        }
    }
}

impl fmt::Debug for FeedUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for FeedUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        RedactedUrl::from(self.0.to_string()).fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_neither_credentials_nor_the_query() {
        let url: FeedUrl = "https://user:swordfish@provider.example/feed?key=open-sesame".parse().expect("a URL");
        assert_eq!(format!("{url} {url:?}"), "https://***@provider.example/feed https://***@provider.example/feed");
    }

    #[test]
    fn the_origin_has_no_secrets() {
        let url: FeedUrl = "https://user:swordfish@provider.example:8443/a/feed?key=open-sesame#top".parse().expect("a URL");
        assert_eq!(url.origin().as_str(), "https://provider.example:8443/");
    }

    #[test]
    fn rejects_other_schemes_and_relative_urls_without_quoting_secrets() {
        for text in ["ftp://user:swordfish@provider.example/feed", "user:swordfish@provider.example", "feed.xml", ""] {
            let error = text.parse::<FeedUrl>().expect_err(text);
            assert!(error.starts_with("must be") && !error.contains("swordfish"), "{error}");
        }
    }
}
