//! The additional headers of the requests for a feed, such as a key of the provider's API.

use std::fmt;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use toml::{Table, Value};

/// What Marquee or the HTTP client sets, and headers of one connection (RFC 9110, section 7.6.1).
const RESERVED: [HeaderName; 15] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::ACCEPT_ENCODING,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::RANGE,
    header::EXPECT,
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The headers of a provider's entry. `Debug` shows only their names: a value may be a secret.
#[derive(Clone, Default, PartialEq)]
pub struct FeedHeaders {
    values: HeaderMap,
    /// As they are written, without the values of variables.
    templates: Table,
}

impl FeedHeaders {
    /// Reads a table of names and texts, in which `variable` returns the value of each `${NAME}`. No error quotes a value.
    pub(super) fn parse(templates: Table, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut values = HeaderMap::with_capacity(templates.len());
        for (name, template) in &templates {
            let Value::String(template) = template else {
                return Err(format!("the value of the header `{name}` must be a string"));
            };
            let parsed: HeaderName =
                name.parse().map_err(|_| format!("the name of a header must be a token of HTTP, got `{name}`"))?;
            if RESERVED.contains(&parsed) {
                return Err(format!("the header `{name}` cannot be set: Marquee or the connection determines it"));
            }
            let text = substitute(template, variable_of(name, &variable))?;
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| format!("the value of the header `{name}` must be one line of visible ASCII characters"))?;
            value.set_sensitive(true);
            if values.insert(parsed, value).is_some() {
                return Err(format!("the header `{name}` occurs twice"));
            }
        }
        Ok(Self { values, templates })
    }

    /// The headers with their secrets.
    #[must_use]
    pub fn expose(&self) -> &HeaderMap {
        &self.values
    }

    /// The headers as they are written, which determine the document that the provider sends. The values of variables may be renewed at
    /// any time, and are not among them.
    pub(crate) fn templates(&self) -> String {
        self.templates.to_string()
    }
}

fn variable_of<'a>(
    header: &'a str,
    variable: &'a impl Fn(&str) -> Option<String>,
) -> impl Fn(&str) -> Result<String, String> + 'a {
    move |name| {
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
        if !is_name {
            return Err(format!("the header `{header}` has `${{` without the name of a variable and `}}`"));
        }
        let value = variable(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("the header `{header}` needs the environment variable `{name}`, which is not set"))
    }
}

/// Replaces each `${NAME}`.
fn substitute(template: &str, variable: impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let mut parts = template.split("${");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or_default();
        text += &variable(name)?;
        text += rest;
    }
    Ok(text)
}

impl fmt::Debug for FeedHeaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.values.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(table: &str) -> Result<FeedHeaders, String> {
        let variable = |name: &str| match name {
            "TOKEN" => Some("swordfish".to_owned()),
            "EMPTY" => Some(String::new()),
            "LINES" => Some("sword\nfish".to_owned()),
            _ => None,
        };
        FeedHeaders::parse(table.parse().unwrap(), variable)
    }

    #[test]
    fn replaces_variables() {
        for (template, value) in [
            ("Bearer ${TOKEN}", "Bearer swordfish"),
            ("${TOKEN}${TOKEN}", "swordfishswordfish"),
            ("$TOKEN } {TOKEN} $", "$TOKEN } {TOKEN} $"),
            ("", ""),
        ] {
            let headers = parse(&format!("X-Key = \"{template}\"")).unwrap();
            assert_eq!(headers.expose()["x-key"], value, "{template}");
            assert!(headers.templates().contains(template));
        }
    }

    #[test]
    fn accepts_the_headers_that_publishers_require_without_showing_them() {
        let headers =
            parse("Authorization = \"swordfish\"\nCookie = \"a=swordfish\"\nUser-Agent = \"x\"\nAccept = \"*/*\"").unwrap();
        assert_eq!(headers.expose().len(), 4);
        let debug = format!("{headers:?} {:?}", headers.expose());
        assert!(debug.contains("authorization") && !debug.contains("swordfish"), "{debug}");
    }

    #[test]
    fn describes_errors_without_quoting_values() {
        for (table, expected) in [
            ("X-Key = \"swordfish ${UNSET}\"", "the header `X-Key` needs the environment variable `UNSET`, which is not set"),
            ("X-Key = \"swordfish ${EMPTY}\"", "environment variable `EMPTY`, which is not set"),
            ("X-Key = \"swordfish ${TOKEN\"", "the header `X-Key` has `${` without the name of a variable and `}`"),
            ("X-Key = \"swordfish ${}\"", "without the name of a variable"),
            ("X-Key = \"swordfish ${sword fish}\"", "without the name of a variable"),
            ("X-Key = \"${LINES}\"", "the value of the header `X-Key` must be one line"),
            ("X-Key = [\"swordfish\"]", "the value of the header `X-Key` must be a string"),
            ("\"X Key\" = \"swordfish\"", "must be a token of HTTP, got `X Key`"),
            ("X-Key = \"swordfish\"\nx-key = \"b\"", "the header `x-key` occurs twice"),
            ("Host = \"swordfish\"", "the header `Host` cannot be set"),
            ("content-length = \"7\"", "the header `content-length` cannot be set"),
            ("Transfer-Encoding = \"gzip\"", "cannot be set"),
            ("If-None-Match = \"*\"", "cannot be set"),
        ] {
            let error = parse(table).expect_err(table);
            assert!(error.contains(expected) && !error.contains("swordfish"), "{table}: {error}");
        }
    }
}
