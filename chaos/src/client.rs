//! The HTTP client of the load.

use std::{net::SocketAddr, time::Duration};

use programs::Failure;
use reqwest::{Method, header::HeaderMap};
use serde_json::Value;

/// How long a client waits: longer than any deadline of the API.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A client of one address. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    address: SocketAddr,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Result<Self, Failure> {
        Self::with_timeout(address, TIMEOUT)
    }

    pub(crate) fn with_timeout(address: SocketAddr, timeout: Duration) -> Result<Self, Failure> {
        Ok(Self { http: reqwest::Client::builder().timeout(timeout).no_proxy().build()?, address })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Response, reqwest::Error> {
        self.send(Method::GET, path, &[], String::new()).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Response, reqwest::Error> {
        let mut request = self.http.request(method, format!("http://{}{path}", self.address)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Response { status, headers, body: response.bytes().await?.to_vec() })
    }
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What is wrong, for a person.
    pub(crate) fn describe(&self) -> String {
        format!("status {}: {}", self.status, String::from_utf8_lossy(&self.body).chars().take(300).collect::<String>())
    }
}
