//! Signatures of messages ([Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md)).

use base64::{Engine, engine::general_purpose::STANDARD};
use entity::webhook::WebhookSecret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The version of symmetric signatures.
const VERSION: &str = "v1";

/// The header `webhook-signature`: a signature for each secret, separated by spaces.
pub(super) fn sign<'a>(secrets: impl Iterator<Item = &'a WebhookSecret>, (id, timestamp): (&str, i64), body: &str) -> String {
    let prefix = format!("{id}.{timestamp}.");
    secrets.filter_map(|secret| sign_with(secret, &[&prefix, body])).collect::<Vec<_>>().join(" ")
}

fn sign_with(secret: &WebhookSecret, content: &[&str]) -> Option<String> {
    let key = STANDARD.decode(secret.base64()).ok()?;
    // HMAC accepts keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    content.iter().for_each(|part| mac.update(part.as_bytes()));
    Some(format!("{VERSION},{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn signs_as_the_specification() {
        let secret = WebhookSecret::of_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let header = sign([&secret].into_iter(), ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330), r#"{"test": 2432232314}"#);
        assert_eq!(header, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = sign([&secret, &secret].into_iter(), ("a", 1), "{}");
        assert_eq!(both.split(' ').count(), 2);
    }
}
