//! The address of the service on the web, which absolute URLs begin with ([ADR 52](../../docs/adr/0052-public-url.md)).
//!
//! It is a setting, or else the origin to which the request was sent. A client chooses that, and with it where links lead, so no response
//! to a request of another origin contains it: the address is part of every cache key.

use std::{fmt, str::FromStr, sync::Arc};

use clap::Args;
use poem::http::{HeaderMap, Uri, header};

/// Punctuation of hosts and of paths that XML and headers contain as it is.
const HOST_PUNCTUATION: &[u8] = b"-._~:[]%";
const PATH_PUNCTUATION: &[u8] = b"/-._~!$()*+,;=:@%";
/// Of the connection between the client and a proxy. It may be forged: only the response to the same request contains it.
const FORWARDED_SCHEME: &str = "x-forwarded-proto";
/// A proxy reports with it that the origin is not the address of the service.
const FORWARDED_PREFIX: &str = "x-forwarded-prefix";
const REQUIREMENT: &str =
    "must be an http or https URL without a query, such as https://events.example or https://example.org/events";

/// The address of the service.
#[derive(Args, Clone, Debug, Default)]
pub struct PublicUrlSettings {
    /// URL of the service on the web, such as `https://events.example`, for absolute links in pages, feeds, calendars and the sitemap;
    /// unset, the origin to which the request was sent
    #[arg(long, env = "PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<PublicUrl>,
}

/// An origin, and the path prefix if there is one, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Arc<str>);

impl PublicUrl {
    /// The address in the response to a request with these headers: the `configured` one, or the origin to which the request was sent.
    #[must_use]
    pub fn for_request(configured: Option<&Self>, headers: &HeaderMap) -> Option<Self> {
        configured.cloned().or_else(|| Self::of_origin(headers))
    }

    /// The `Host` of a request, and the scheme that a proxy reports. None without a valid host, and behind a path prefix.
    fn of_origin(headers: &HeaderMap) -> Option<Self> {
        if is_behind_prefix(headers) {
            return None;
        }
        let host = headers.get(header::HOST)?.to_str().ok()?;
        format!("{}://{host}", forwarded_scheme(headers)).parse().ok().filter(|url: &Self| url.prefix().is_empty())
    }

    /// Appends what determines [`for_request`](Self::for_request) to a key. Parsing it for each request would take longer than finding a
    /// response. None if that is not text.
    #[must_use]
    pub(crate) fn append_key(configured: Option<&Self>, headers: &HeaderMap, key: &mut String) -> Option<()> {
        if configured.is_none() {
            let host = headers.get(header::HOST).map_or(Some(""), |host| host.to_str().ok())?;
            key.push_str(if is_behind_prefix(headers) { "prefix" } else { forwarded_scheme(headers) });
            key.push(' ');
            key.push_str(host);
        }
        Some(())
    }

    /// The absolute URL of a path of the service, which begins with a slash.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// The absolute URL of a path for programs that subscribe to calendars.
    #[must_use]
    pub fn webcal(&self, path: &str) -> String {
        let (_, rest) = self.0.split_once("://").unwrap_or_default();
        format!("webcal://{rest}{path}")
    }

    /// The path prefix; empty if there is none.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let (_, rest) = self.0.split_once("://").unwrap_or_default();
        rest.find('/').map_or("", |slash| &rest[slash..])
    }
}

fn is_behind_prefix(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED_PREFIX)
}

fn forwarded_scheme(headers: &HeaderMap) -> &'static str {
    if headers.get(FORWARDED_SCHEME).is_some_and(|scheme| scheme == "https") { "https" } else { "http" }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("{REQUIREMENT}, got `{text}`");
        let uri: Uri = text.trim().parse().map_err(|_| invalid())?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(invalid());
        };
        let consists_of =
            |text: &str, punctuation: &[u8]| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || punctuation.contains(&byte));
        let is_plain = uri.query().is_none()
            && !text.contains('#')
            && consists_of(authority.as_str(), HOST_PUNCTUATION)
            && consists_of(uri.path(), PATH_PUNCTUATION);
        let has_segments = uri.path().trim_end_matches('/').split('/').skip(1).all(|segment| !["", ".", ".."].contains(&segment));
        if authority.host().is_empty() || !is_plain || !has_segments {
            return Err(invalid());
        }
        let authority = authority.as_str().to_ascii_lowercase();
        Ok(Self(format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/')).into()))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_origin_with_a_path() {
        for (text, expected, prefix) in [
            ("https://events.example", "https://events.example", ""),
            ("HTTPS://Events.Example/", "https://events.example", ""),
            (" http://localhost:8000/Marquee/v1/ ", "http://localhost:8000/Marquee/v1", "/Marquee/v1"),
            ("http://[::1]:8000", "http://[::1]:8000", ""),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.prefix()), (expected, prefix));
        }
        let url: PublicUrl = "https://events.example/x".parse().unwrap();
        assert_eq!(url.join("/e/1"), "https://events.example/x/e/1");
        assert_eq!(url.webcal("/events.ics?q=a"), "webcal://events.example/x/events.ics?q=a");
    }

    #[test]
    fn other_addresses_are_invalid() {
        for text in [
            "",
            "events.example",
            "/events",
            "//events.example",
            "ftp://events.example",
            "javascript:alert(1)",
            "https://",
            "https://user@events.example",
            "https://events.example?a=b",
            "https://events.example/#a",
            "https://a&b",
            "https://events.example/a b",
            "https://events.example/\"<b>",
            "https://events.example/a//b",
            "https://events.example/../x",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
