//! An HTTP client that checks every address that it connects to.

use std::{sync::Arc, time::Duration};

use reqwest::{RequestBuilder, Response, Url, redirect::Policy};

use crate::{AllowedAddresses, RequestError, address, redirect};

/// Redirects that are followed: a server moves once or twice, more is a loop.
pub const MAX_REDIRECTS: usize = 5;

/// How long a client waits for a server.
#[derive(Clone, Copy, Debug)]
pub struct ClientTimeouts {
    /// Until it accepts a connection.
    pub connect: Duration,
    /// Until it continues within a response.
    pub read: Duration,
    /// How long a connection waits for another request.
    pub idle: Duration,
}

/// A client for URLs that others choose. It reuses connections.
#[derive(Clone, Debug)]
pub struct OutboundClient {
    client: reqwest::Client,
    allowed: AllowedAddresses,
}

impl OutboundClient {
    /// A client that connects to these addresses only.
    ///
    /// # Errors
    ///
    /// When the TLS certificates of the machine cannot be read.
    pub fn new(allowed: AllowedAddresses, timeouts: ClientTimeouts) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("marquee/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.read)
            .pool_idle_timeout(timeouts.idle)
            .redirect(Policy::none())
            // With a proxy, the checked address would be the proxy's.
            .no_proxy()
            .dns_resolver(Arc::new(address::Resolver(allowed.clone())))
            .build()?;
        Ok(Self { client, allowed })
    }

    /// The first response to a GET that is not a redirect, and its URL. `prepare` adds the headers of each request to its URL.
    ///
    /// # Errors
    ///
    /// When there is no response, or a target is not allowed.
    pub async fn get(
        &self,
        url: &Url,
        prepare: impl Fn(&Url, RequestBuilder) -> RequestBuilder,
    ) -> Result<(Response, Url), RequestError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            self.allowed.check_literal(&url).map_err(RequestError::AddressRefused)?;
            let response = prepare(&url, self.client.get(url.clone())).send().await?;
            match redirect::find_target(&url, &response)? {
                Some(target) => url = target,
                None => return Ok((response, url)),
            }
        }
        Err(RequestError::TooManyRedirects)
    }
}
