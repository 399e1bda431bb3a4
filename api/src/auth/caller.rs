//! Who asks, as the `Authorization` header says it.

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

/// Characters of a header that is looked at: several times what a key takes.
const MAX_BYTES: usize = 1_024;
const BEARER: &str = "Key";
const BASIC: &str = "KeyAsPassword";

/// Whoever sent a request: the digest of the key that it shows, if it shows one.
pub struct Caller(Option<[u8; DIGEST_BYTES]>);

impl Caller {
    fn of(headers: &HeaderMap) -> Self {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        Self(shown.filter(|shown| shown.len() <= MAX_BYTES).and_then(key).map(|key| digest(&key)))
    }

    pub(super) fn digest(&self) -> Option<&[u8; DIGEST_BYTES]> {
        self.0.as_ref()
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

/// The key in `Bearer KEY`, or in `Basic` with any name ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750),
/// [RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
fn key(authorization: &str) -> Option<String> {
    let (scheme, credentials) = authorization.trim().split_once(' ')?;
    let credentials = credentials.trim();
    let key = if scheme.eq_ignore_ascii_case("bearer") {
        credentials.to_owned()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
        pair.split_once(':')?.1.to_owned()
    } else {
        return None;
    };
    Some(key).filter(|key| !key.is_empty())
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
        registry.create_security_scheme(BEARER, scheme("bearer", "A key, as `marquee-api keys new` prints it"));
        registry.create_security_scheme(BASIC, scheme("basic", "The same as a password, with any name of user"));
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BEARER, BASIC]
    }

    /// Without keys nobody needs one.
    fn has_security_fallback() -> bool {
        true
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        Ok(Self::of(request.headers()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_as_bearer_and_as_password() {
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
            assert_eq!(key(header).as_deref(), expected, "{header}");
        }
    }
}
