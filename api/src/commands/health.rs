//! `marquee-api health`: checks the API that runs on this machine, for container images without an HTTP client.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use command_line::ListenAddress;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, StatusCode, Uri,
    client::conn::http1,
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};

/// Longer than a check of the database by `/readyz` on a busy machine, and shorter than the 30 s of Docker.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Args, Clone, Debug)]
pub struct HealthCommand {
    /// Exit with 0 only if it is ready: `/readyz` instead of `/livez`
    #[arg(long)]
    ready: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("the API at {address} is not {expected}")]
pub(super) struct HealthError {
    address: ListenAddress,
    expected: &'static str,
    #[source]
    cause: HealthErrorCause,
}

#[derive(Debug, thiserror::Error)]
enum HealthErrorCause {
    #[error("no connection")]
    Connect(#[from] io::Error),
    #[error("no valid response")]
    Http(#[from] hyper::Error),
    #[error("no response within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error("status {status}, code `{code}`")]
    Status { status: StatusCode, code: String },
}

impl HealthCommand {
    /// Runs the command, and returns what to print.
    ///
    /// # Errors
    ///
    /// When the API is not live or not ready.
    pub(super) async fn execute(&self, address: &ListenAddress) -> Result<String, HealthError> {
        let (path, expected) = if self.ready { ("/readyz", "ready") } else { ("/livez", "live") };
        let result = timeout(TIMEOUT, check(address, path)).await.unwrap_or(Err(HealthErrorCause::Timeout));
        match result {
            Ok(status) => Ok(format!("the API at {address} is {status}\n")),
            Err(cause) => Err(HealthError { address: address.clone(), expected, cause }),
        }
    }
}

/// Returns the `status` in the response, such as `live`.
async fn check(address: &ListenAddress, path: &'static str) -> Result<String, HealthErrorCause> {
    let (status, body) = get(to_loopback(address.resolve().await?), path).await?;
    // Null if something else listens at the address.
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    match body["status"].as_str() {
        Some(state) if status == StatusCode::OK => Ok(state.to_owned()),
        _ => Err(HealthErrorCause::Status { status, code: body["error"]["code"].as_str().unwrap_or("none").to_owned() }),
    }
}

/// The address at which a program on this machine connects to one that listens on all addresses.
fn to_loopback(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn get(address: SocketAddr, path: &'static str) -> Result<(StatusCode, Bytes), HealthErrorCause> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = Uri::from_static(path);
    request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
    let response = sender.send_request(request).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_address_for_all_interfaces_is_contacted_at_the_loopback_address() {
        for (listen, contacted) in [
            ("0.0.0.0:8000", "127.0.0.1:8000"),
            ("[::]:80", "[::1]:80"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("[fd00::1]:1", "[fd00::1]:1"),
        ] {
            assert_eq!(to_loopback(listen.parse().unwrap()), contacted.parse().unwrap());
        }
    }
}
