//! A URL that can be logged.

use std::{convert::Infallible, fmt, str::FromStr};

/// What replaces a secret.
const MASK: &str = "***";

/// A URL that never shows its secrets in `Display` or `Debug` output: user name and password are replaced by `***`, query and fragment
/// are omitted, because a parameter may be a password or an API key under any name.
///
/// Every setting that holds a URL has this type: of a database, of Redis, of a provider's feed.
#[derive(Clone, PartialEq, Eq)]
pub struct RedactedUrl(String);

impl RedactedUrl {
    /// The complete URL, for the client that connects to it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for RedactedUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl FromStr for RedactedUrl {
    type Err = Infallible;

    /// Accepts any text. If parsing failed here, clap would print the value, with its password; the code that connects validates it.
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        Ok(Self(url.to_owned()))
    }
}

impl fmt::Debug for RedactedUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for RedactedUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
            // Without a scheme any part of the text may be the password.
            return formatter.write_str(MASK);
        };
        // An unescaped password may contain any character, also `/` and `?`: only the text after the last `@` is certainly not part of it.
        // If there is a `?` before it, the `@` may also belong to a parameter.
        let (credentials, location) = match rest.rsplit_once('@') {
            Some((before, location)) if !before.contains(['?', '#']) => (format!("{MASK}@"), location),
            Some(_) => return write!(formatter, "{scheme}://{MASK}"),
            None => (String::new(), rest),
        };
        let location = location.split(['?', '#']).next().unwrap_or(location);
        let authority = location.split('/').next().unwrap_or(location);
        // `USER:PASSWORD` without a host.
        let is_location = scheme == "sqlite" || authority.split(',').all(is_host);
        let location = if is_location { location } else { MASK };
        write!(formatter, "{scheme}://{credentials}{location}")
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'+')
}

/// Whether this is `HOST` or `HOST:PORT`, where the host may be an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    let port = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((_, port)) => port.strip_prefix(':'),
        None => text.split_once(':').map(|(_, port)| port),
    };
    port.is_none_or(|port| port.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_credentials_query_and_fragment() {
        for (url, shown) in [
            ("postgres://marquee:se@cret@db:5432/marquee?sslmode=require&password=x", "postgres://***@db:5432/marquee"),
            ("postgres://marquee:secret@one:5432,two:5432/marquee", "postgres://***@one:5432,two:5432/marquee"),
            ("postgres://marquee:se?c@ret@db/marquee", "postgres://***"),
            ("postgres://marquee@db/marquee?password=sec@ret", "postgres://***"),
            ("postgres://marquee:secret", "postgres://***"),
            ("postgres://marquee:secret/marquee", "postgres://***"),
            ("postgres://marquee@[::1]:5432/marquee", "postgres://***@[::1]:5432/marquee"),
            ("Secret://marquee", "***"),
            ("redis+cluster://:se/cret@one:1,two:2", "redis+cluster://***@one:1,two:2"),
            ("https://provider.example/feed?city=madrid&api_key=secret", "https://provider.example/feed"),
            ("https://provider.example/feed#token=secret", "https://provider.example/feed"),
            ("sqlite://marquee.db?mode=rwc", "sqlite://marquee.db"),
            ("marquee:secret", "***"),
            ("", "***"),
        ] {
            let parsed: RedactedUrl = url.parse().expect("any text is accepted");
            assert_eq!(format!("{parsed} {parsed:?}"), format!("{shown} {shown}"));
            assert_eq!(parsed.expose(), url);
        }
    }
}
