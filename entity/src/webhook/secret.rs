//! The secret of an endpoint.

use std::fmt;

use sea_orm::DeriveValueType;

/// What [Standard Webhooks](https://www.standardwebhooks.com) prefix the base64 of a secret with.
const PREFIX: &str = "whsec_";
/// Characters of a secret after its prefix that are shown, to tell secrets apart: 24 of 256 bits.
const SHOWN_CHARACTERS: usize = 4;

/// `whsec_` and the base64 of random bytes. It is stored as it is, because signing needs it, and it is never logged.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct WebhookSecret(String);

impl WebhookSecret {
    /// The secret with this base64.
    #[must_use]
    pub fn of_base64(base64: &str) -> Self {
        Self(format!("{PREFIX}{base64}"))
    }

    /// The text that its owner needs to verify signatures.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The base64 of its bytes.
    #[must_use]
    pub fn base64(&self) -> &str {
        self.0.strip_prefix(PREFIX).unwrap_or(&self.0)
    }

    /// Its beginning, which identifies it.
    #[must_use]
    pub fn prefix(&self) -> String {
        self.0.chars().take(PREFIX.len() + SHOWN_CHARACTERS).collect()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebhookSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_is_shown() {
        let secret = WebhookSecret::of_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(secret.expose(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!((secret.prefix().as_str(), secret.base64().len()), ("whsec_MfKQ", 32));
        assert_eq!(format!("{secret:?}"), "WebhookSecret");
    }
}
