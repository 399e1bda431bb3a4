//! The token of a form: proof that it comes from a page that this service has sent to the same caller.
//!
//! A browser that knows a password adds it to the requests of pages of any origin, and any page can send a form. It cannot read our pages,
//! so it does not know the token. Nothing is stored: the token derives from the key of the caller, so it is the same in every process, and
//! becomes invalid with the key. Without keys it derives from a secret of the process.

use std::{fmt::Write, sync::LazyLock};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{Caller, Keys};
use crate::error::ApiError;

/// The name of the field of forms.
pub(crate) const FORM_TOKEN: &str = "token";

/// Distinguishes tokens from other digests of the same key.
const PURPOSE: &[u8] = b"marquee form token ";
static PROCESS_SECRET: LazyLock<[[u8; 16]; 2]> = LazyLock::new(|| [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()]);

impl Keys {
    /// The token of the forms of an authorized caller.
    pub(crate) fn form_token(&self, caller: &Caller) -> String {
        let hash = Sha256::new().chain_update(PURPOSE);
        let hash = match (&self.file, caller.digest()) {
            (Some(_), Some(key)) => hash.chain_update(key),
            _ => hash.chain_update(PROCESS_SECRET.as_flattened()),
        };
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _infallible = write!(text, "{byte:02x}");
            text
        })
    }

    /// Checks the token of a form.
    ///
    /// # Errors
    ///
    /// When it is missing, or belongs to another caller.
    pub(crate) fn check_form_token(&self, caller: &Caller, token: Option<&str>) -> Result<(), ApiError> {
        let expected = self.form_token(caller);
        if token.is_some_and(|token| token.as_bytes().ct_eq(expected.as_bytes()).into()) {
            return Ok(());
        }
        Err(ApiError::parameter(
            FORM_TOKEN,
            "must be that of a form which this server has sent to you: reload the page, and send the form again",
        ))
    }
}

#[cfg(test)]
mod tests {
    use poem::http::{HeaderMap, HeaderValue, header};

    use super::*;

    fn caller(authorization: &'static str) -> Caller {
        Caller::from_headers(&HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(authorization))]))
    }

    #[test]
    fn only_the_token_itself_is_accepted() {
        let (keys, caller) = (Keys::default(), caller("Bearer a"));
        let token = keys.form_token(&caller);
        assert!(keys.check_form_token(&caller, Some(&token)).is_ok());
        for other in [None, Some(""), Some("0"), Some(&token[1..]), Some(&token.to_uppercase())] {
            assert!(keys.check_form_token(&caller, other).is_err(), "{other:?}");
        }
    }
}
