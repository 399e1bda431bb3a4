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
        let Some((scheme, rest)) = self.0.split_once("://") else {
            // Without a scheme any part of the text may be the password.
            return formatter.write_str(MASK);
        };
        // An unescaped password may contain any character, also `/` and `?`: only the text after the last `@` is certainly not part of it.
        let (credentials, location) = match rest.rsplit_once('@') {
            Some((_, location)) => (format!("{MASK}@"), location),
            None => (String::new(), rest),
        };
        let location = location.split(['?', '#']).next().unwrap_or(location);
        write!(formatter, "{scheme}://{credentials}{location}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_credentials_query_and_fragment() {
        for (url, shown) in [
            ("postgres://marquee:se@c?ret@db:5432/marquee?sslmode=require&password=x", "postgres://***@db:5432/marquee"),
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
