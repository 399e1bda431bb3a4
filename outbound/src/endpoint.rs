//! The URLs of webhooks: which ones the API accepts, and which ones a worker sends to.

use clap::{ArgAction, Args, builder::BoolishValueParser};
use reqwest::Url;

use crate::{AllowedAddresses, NonPublicAddress};

/// The longest URL of an endpoint: what common servers accept.
pub const MAX_URL_BYTES: usize = 2_048;

/// Where webhooks may be sent.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct EndpointSettings {
    /// Whether webhooks may be sent to private addresses, and without TLS
    #[arg(long, env = "WEBHOOK_ALLOW_PRIVATE_ADDRESSES", value_name = "BOOL", default_value = "false", action = ArgAction::Set,
        value_parser = BoolishValueParser::new())]
    pub webhook_allow_private_addresses: bool,
}

/// Why a URL cannot be one of an endpoint. Display continues a sentence that begins with the name of its parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointUrlError {
    /// It is too long.
    #[error("must have at most {MAX_URL_BYTES} bytes")]
    TooLong,
    /// It is not a URL.
    #[error("must be a URL such as https://hooks.example/marquee")]
    NotAUrl,
    /// It has another scheme.
    #[error("must begin with https://")]
    NotHttps,
    /// It has another scheme.
    #[error("must begin with https:// or http://")]
    NotHttp,
    /// It has credentials, which belong in no URL.
    #[error("must not contain a user name or password: verify the signature instead")]
    HasCredentials,
    /// It has a fragment, which is never sent.
    #[error("must not contain a fragment")]
    HasFragment,
    /// Its host is the local machine.
    #[error("must not refer to the local machine")]
    Local,
    /// Its host is an address that is not public.
    #[error("must not refer to {}, which is not a public address", .0.address)]
    NonPublic(NonPublicAddress),
}

impl EndpointSettings {
    /// The addresses that may be connected to.
    #[must_use]
    pub fn allowed(self) -> AllowedAddresses {
        if self.webhook_allow_private_addresses { AllowedAddresses::all() } else { AllowedAddresses::public_and(&[]) }
    }

    /// Parses the URL of an endpoint. Names are resolved, and their addresses checked, at each delivery.
    ///
    /// # Errors
    ///
    /// When it is not accepted.
    pub fn parse(self, text: &str) -> Result<Url, EndpointUrlError> {
        if text.len() > MAX_URL_BYTES {
            return Err(EndpointUrlError::TooLong);
        }
        let url: Url = text.parse().map_err(|_| EndpointUrlError::NotAUrl)?;
        // Its encoded form may be longer.
        if url.as_str().len() > MAX_URL_BYTES {
            return Err(EndpointUrlError::TooLong);
        }
        let allows_private = self.webhook_allow_private_addresses;
        match url.scheme() {
            "https" => (),
            "http" if allows_private => (),
            _ if allows_private => return Err(EndpointUrlError::NotHttp),
            _ => return Err(EndpointUrlError::NotHttps),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointUrlError::HasCredentials);
        }
        if url.fragment().is_some() {
            return Err(EndpointUrlError::HasFragment);
        }
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        if !allows_private && (host == "localhost" || host.ends_with(".localhost")) {
            return Err(EndpointUrlError::Local);
        }
        self.allowed().check_literal(&url).map_err(EndpointUrlError::NonPublic)?;
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const PUBLIC: EndpointSettings = EndpointSettings { webhook_allow_private_addresses: false };
    const PRIVATE: EndpointSettings = EndpointSettings { webhook_allow_private_addresses: true };

    #[test]
    fn only_public_https_urls_are_accepted() {
        assert_eq!(PUBLIC.parse("https://hooks.example/a?b=c").unwrap().as_str(), "https://hooks.example/a?b=c");
        for (url, expected) in [
            ("http://hooks.example/", "must begin with https://"),
            ("ftp://hooks.example/", "must begin with https://"),
            ("hooks.example", "must be a URL such as https://hooks.example/marquee"),
            ("https://user:word@hooks.example/", "must not contain a user name or password: verify the signature instead"),
            ("https://hooks.example/#a", "must not contain a fragment"),
            ("https://LOCALHOST:8000/", "must not refer to the local machine"),
            ("https://a.localhost./", "must not refer to the local machine"),
            ("https://127.1/", "must not refer to 127.0.0.1, which is not a public address"),
            ("https://[::1]/", "must not refer to ::1, which is not a public address"),
            ("https://169.254.169.254/latest", "must not refer to 169.254.169.254, which is not a public address"),
        ] {
            assert_eq!(PUBLIC.parse(url).unwrap_err().to_string(), expected, "{url}");
        }
        let long = format!("https://hooks.example/{}", "a".repeat(MAX_URL_BYTES));
        assert_eq!(PUBLIC.parse(&long).unwrap_err(), EndpointUrlError::TooLong);
    }

    #[test]
    fn private_addresses_may_be_allowed() {
        for url in ["http://127.0.0.1:8000/", "http://localhost/", "https://10.0.0.1/"] {
            assert!(PRIVATE.parse(url).is_ok(), "{url}");
        }
        assert_eq!(PRIVATE.parse("file:///etc/passwd").unwrap_err(), EndpointUrlError::NotHttp);
        assert_eq!(PRIVATE.parse("http://user@localhost/").unwrap_err(), EndpointUrlError::HasCredentials);
    }
}
