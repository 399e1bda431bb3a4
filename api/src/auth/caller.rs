//! The API key of a request, from its `Authorization` header.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use poem::{
    Request, RequestBody,
    http::{HeaderMap, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};
use sha2::{Digest, Sha256};

use super::file::DIGEST_BYTES;

/// Longest header that is parsed: several times the length of a key.
const MAX_HEADER_BYTES: usize = 1_024;
const BEARER: &str = "Key";
const BASIC: &str = "KeyAsPassword";

/// The API key of a request, if it has one.
pub struct Caller(Option<Credentials>);

/// How a request sends its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// `Bearer KEY` ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)). Only a program or a script sets it.
    Bearer,
    /// `Basic` with any user name ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)). A browser that knows the password adds it to
    /// requests of pages of other origins.
    Basic,
}

struct Credentials {
    scheme: Scheme,
    digest: [u8; DIGEST_BYTES],
}

impl Caller {
    /// The key in the headers of a request.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let parsed = header.filter(|header| header.len() <= MAX_HEADER_BYTES).and_then(parse_key);
        Self(parsed.map(|(scheme, key)| Credentials { scheme, digest: digest(&key) }))
    }

    /// The digest of the key.
    pub(super) fn digest(&self) -> Option<&[u8; DIGEST_BYTES]> {
        self.0.as_ref().map(|credentials| &credentials.digest)
    }

    /// Whether the client sent a key on purpose, which a browser never does by itself.
    pub(super) fn is_bearer(&self) -> bool {
        self.0.as_ref().is_some_and(|credentials| credentials.scheme == Scheme::Bearer)
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Caller")
    }
}

pub(super) fn digest(key: &str) -> [u8; DIGEST_BYTES] {
    Sha256::digest(key.as_bytes()).into()
}

fn parse_key(authorization: &str) -> Option<(Scheme, String)> {
    let (scheme, credentials) = authorization.trim().split_once(' ')?;
    let credentials = credentials.trim();
    let (scheme, key) = if scheme.eq_ignore_ascii_case("bearer") {
        (Scheme::Bearer, credentials.to_owned())
    } else if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
        (Scheme::Basic, pair.split_once(':')?.1.to_owned())
    } else {
        return None;
    };
    Some((scheme, key)).filter(|(_, key)| !key.is_empty())
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = |scheme, description| MetaSecurityScheme {
            ty: "http",
            description: Some(description),
            name: None,
            key_in: None,
            scheme: Some(scheme),
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(BEARER, scheme("bearer", "An API key, created with `marquee-api keys new`"));
        registry.create_security_scheme(BASIC, scheme("basic", "An API key as the password, with any user name"));
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BEARER, BASIC]
    }

    /// A server without keys accepts local writes.
    fn has_security_fallback() -> bool {
        true
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        Ok(Self::from_headers(request.headers()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_bearer_and_basic_authorization() {
        for (header, expected) in [
            ("Bearer mq_1", Some("mq_1")),
            ("bearer   mq_1 ", Some("mq_1")),
            ("Basic OmtleQ==", Some("key")),
            ("basic YW55OmtleTp3aXRoOmNvbG9ucw==", Some("key:with:colons")),
            ("Basic YW55", None),
            ("Basic !!!", None),
            ("Basic YW55Og==", None),
            ("Bearer ", None),
            ("Bearer", None),
            ("mq_1", None),
            ("Digest mq_1", None),
            ("", None),
        ] {
            assert_eq!(parse_key(header).map(|(_, key)| key).as_deref(), expected, "{header}");
        }
    }
}
