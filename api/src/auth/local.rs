//! Who may write where there are no keys: whoever is on this machine.

use std::net::{IpAddr, SocketAddr};

use poem::{
    Request,
    http::header::{self, HeaderMap, HeaderName},
};

use crate::error::ApiError;

/// Whatever hands on requests of others says so by one of these.
const FORWARDED: [HeaderName; 4] =
    [header::FORWARDED, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip"), header::VIA];

/// Makes sure that a request comes from this machine, and that nobody hands it on for another.
///
/// # Errors
///
/// When it does not.
pub(super) fn only_local(request: &Request) -> Result<(), ApiError> {
    // A request without a socket was made in this process.
    let is_near = request.remote_addr().as_socket_addr().is_none_or(is_of_this_machine);
    let is_meant = request.headers().get(header::HOST).is_none_or(|host| host.to_str().is_ok_and(is_name_of_this_machine));
    if is_near && is_meant && !is_forwarded(request.headers()) { Ok(()) } else { Err(ApiError::RemoteWriteForbidden) }
}

fn is_of_this_machine(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Whether a `Host` names this machine as only itself can. Any other name may be that of a page that a browser here was lured to.
fn is_name_of_this_machine(host: &str) -> bool {
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
    fn only_names_of_loopback_are_those_of_this_machine() {
        for (host, is_own) in [
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
            assert_eq!(is_name_of_this_machine(host), is_own, "{host}");
        }
    }

    #[test]
    fn only_loopback_is_this_machine() {
        for (address, is_near) in [
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
            assert_eq!(is_of_this_machine(&address.parse().unwrap()), is_near, "{address}");
        }
    }
}
