//! Authorization without keys: only requests from the local machine may write.

use std::net::{IpAddr, SocketAddr};

use poem::{
    Request,
    http::header::{HeaderMap, HeaderName},
};

use super::cross_origin::effective_host;
use crate::error::ApiError;

/// Headers that proxies, load balancers and content delivery networks add. A proxy on this machine forwards requests of other machines.
const PROXY_HEADERS: [&str; 13] = [
    "client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "forwarded-for",
    "proxy-client-ip",
    "proxy-connection",
    "true-client-ip",
    "via",
    "wl-proxy-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-proxyuser-ip",
];
/// The same, by the beginning of their names.
const PROXY_HEADER_PREFIXES: [&str; 11] = [
    "cdn-",
    "cf-",
    "x-amz-cf-",
    "x-appengine-",
    "x-azure-",
    "x-envoy-",
    "x-forwarded",
    "x-original-",
    "x-real-",
    "x-remote-",
    "x-vercel-",
];

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
    // Names of a header map are in lower case.
    headers
        .keys()
        .map(HeaderName::as_str)
        .any(|name| PROXY_HEADERS.contains(&name) || PROXY_HEADER_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
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
    fn recognizes_the_headers_of_proxies() {
        let is_local = |name: &str| require_local(&Request::builder().header(name, "192.0.2.7").finish()).is_ok();
        for name in [
            "Forwarded",
            "Via",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "X-Forwarded-Port",
            "X-Forwarded-Server",
            "X-Forwarded",
            "X-Real-IP",
            "X-Client-IP",
            "X-Cluster-Client-IP",
            "X-Original-Forwarded-For",
            "X-Original-URL",
            "X-Envoy-External-Address",
            "X-Azure-ClientIP",
            "X-AppEngine-User-IP",
            "CF-Connecting-IP",
            "CF-Connecting-IPv6",
            "CF-Ray",
            "CF-IPCountry",
            "CDN-Loop",
            "True-Client-IP",
            "Fastly-Client-IP",
            "Fly-Client-IP",
        ] {
            assert!(!is_local(name), "{name}");
        }
        for name in ["accept", "user-agent", "x-request-id", "content-type", "idempotency-key", "origin", "traceparent"] {
            assert!(is_local(name), "{name}");
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
