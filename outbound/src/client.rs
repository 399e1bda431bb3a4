//! An HTTP client that checks every address that it connects to.

use std::{sync::Arc, time::Duration};

use reqwest::{RequestBuilder, Response, StatusCode, Url, header, redirect::Policy};

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

/// A message for an endpoint.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// Names and values of its headers.
    pub headers: [(&'static str, &'a str); 3],
    /// Its JSON.
    pub body: String,
    /// How long the endpoint may take to respond, with the body of the response.
    pub timeout: Duration,
    /// How many bytes of that body are read. The rest is ignored.
    pub response_bytes: usize,
}

/// The response of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its status.
    pub status: u16,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// `Date`, to which a date in `Retry-After` refers.
    pub date: Option<String>,
}

impl Receipt {
    /// Whether the message was accepted.
    #[must_use]
    pub fn is_success(&self) -> bool {
        StatusCode::from_u16(self.status).is_ok_and(|status| status.is_success())
    }

    /// Whether the endpoint has moved.
    #[must_use]
    pub fn is_redirect(&self) -> bool {
        StatusCode::from_u16(self.status).is_ok_and(|status| status.is_redirection())
    }

    /// Whether the endpoint wants no more messages.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.status == StatusCode::GONE.as_u16()
    }
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

    /// Posts a message. Redirects are not followed: the body would be sent to a URL that no owner has registered.
    ///
    /// # Errors
    ///
    /// When there is no complete response in time, or the target is not allowed.
    pub async fn post(&self, url: &Url, message: Message<'_>) -> Result<Receipt, RequestError> {
        self.allowed.check_literal(url).map_err(RequestError::AddressRefused)?;
        let request = self.client.post(url.clone()).header(header::CONTENT_TYPE, "application/json").timeout(message.timeout);
        let request = message.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let mut response = request.body(message.body).send().await?;
        let text = |name: header::HeaderName| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let receipt =
            Receipt { status: response.status().as_u16(), retry_after: text(header::RETRY_AFTER), date: text(header::DATE) };
        // To the end, so that the connection can be used again.
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await? {
            bytes += chunk.len();
            if bytes > message.response_bytes {
                break;
            }
        }
        Ok(receipt)
    }
}
