//! Authorization without keys: only requests from the local machine may write.

use std::net::{IpAddr, SocketAddr};

use poem::{
    Request,
    http::header::{self, HeaderMap, HeaderName},
};

use super::cross_origin::effective_host;
use crate::error::ApiError;

/// Headers of a forwarded request. A proxy on this machine forwards requests of other machines.
const FORWARDED: [HeaderName; 4] =
    [header::FORWARDED, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip"), header::VIA];

/// Checks that a request was sent from the local machine and not forwarded.
///
/// # Errors
///
/// When it was not.
pub(super) fn require_local(request: &Request) -> Result<(), ApiError> {
    // A request without a socket address was created in this process, by a test.
    let is_local = request.remote_addr().as_socket_addr().is_none_or(is_loopback_address);
    let has_local_host = effective_host(request).is_none_or(is_loopback_host);
    if is_local && has_local_host && !is_forwarded(request.headers()) { Ok(()) } else { Err(ApiError::RemoteWriteForbidden) }
}

fn is_loopback_address(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Whether a `Host` header names the local machine. With DNS rebinding, a web page can send requests from a local browser, but with
/// the page's own host name.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_loopback_hosts() {
        for (host, expected) in [
            ("localhost", true),
            ("LocalHost:8000", true),
            ("127.0.0.1:8000", true),
            ("[::1]:8000", true),
            ("[::1]", true),
            ("evil.example", false),
            ("evil.example:8000", false),
            ("localhost.evil.example", false),
            ("192.0.2.7:8000", false),
            ("", false),
        ] {
            assert_eq!(is_loopback_host(host), expected, "{host}");
        }
    }

    #[test]
    fn accepts_only_loopback_addresses() {
        for (address, expected) in [
            ("127.0.0.1:9", true),
            ("127.8.9.10:9", true),
            ("[::1]:9", true),
            ("[::ffff:127.0.0.1]:9", true),
            ("10.0.0.1:9", false),
            ("192.0.2.7:9", false),
            ("[2001:db8::1]:9", false),
            ("[::ffff:192.0.2.7]:9", false),
            ("0.0.0.0:9", false),
        ] {
            assert_eq!(is_loopback_address(&address.parse().unwrap()), expected, "{address}");
        }
    }
}
