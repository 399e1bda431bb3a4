//! Identifies clients by the address of the connection, or by what a trusted proxy reports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use poem::http::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A client of the rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    V4(Ipv4Addr),
    /// The 64-bit network, because that is what one client is assigned.
    V6(u64),
    /// The hash of the name of an API key.
    Key(u64),
    /// There is no socket, as in tests.
    Unknown,
}

impl Client {
    /// The client of a connection from `peer`: the peer, unless it is `trusted`; then the last address of `X-Forwarded-For` that is not
    /// trusted. Earlier addresses were written by the client.
    pub(super) fn identify(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else { return Self::Unknown };
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
        if !is_trusted(peer) {
            return peer.into();
        }
        for line in headers.get_all(X_FORWARDED_FOR).iter().rev() {
            for element in line.as_bytes().rsplit(|byte| *byte == b',') {
                // An element that is not an address was not written by a trusted proxy, nor was anything before it.
                let Some(address) = std::str::from_utf8(element).ok().and_then(parse_address) else { return peer.into() };
                if !is_trusted(address) {
                    return address.into();
                }
            }
        }
        peer.into()
    }
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// Parses an address as proxies write it: with or without a port, with or without brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identify(peer: &str, lines: &[&str]) -> Client {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, poem::http::HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        Client::identify(Some(peer.parse().unwrap()), &headers, &trusted)
    }

    fn client_at(address: &str) -> Client {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_sends() {
        assert_eq!(identify("192.0.2.1", &["198.51.100.7"]), client_at("192.0.2.1"));
        assert_eq!(identify("::ffff:192.0.2.1", &[]), client_at("192.0.2.1"));
    }

    #[test]
    fn a_trusted_proxy_reports_the_client() {
        for (lines, expected) in [
            (&["198.51.100.7"][..], "198.51.100.7"),
            (&["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
            (&["1.2.3.4, 198.51.100.7, 10.0.0.9"], "198.51.100.7"),
            (&["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
            (&["198.51.100.7", "10.0.0.9,10.0.0.10"], "198.51.100.7"),
            (&["198.51.100.7:5000"], "198.51.100.7"),
            (&["[2001:db8::7]:5000"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["2001:db8::7"], "2001:db8::7"),
            (&["::ffff:198.51.100.7"], "198.51.100.7"),
            (&["garbage, 198.51.100.7"], "198.51.100.7"),
        ] {
            assert_eq!(identify("10.0.0.1", lines), client_at(expected), "{lines:?}");
            assert_eq!(identify("fd00::1", lines), client_at(expected), "{lines:?}");
        }
    }

    #[test]
    fn a_trusted_proxy_that_reports_no_address_is_the_client() {
        for lines in [
            &[][..],
            &[""],
            &["unknown"],
            &["198.51.100.7, unknown"],
            &["198.51.100.7,"],
            &["10.0.0.2"],
            &["\u{fc}"],
            &["999.1.1.1"],
        ] {
            assert_eq!(identify("10.0.0.1", lines), client_at("10.0.0.1"), "{lines:?}");
        }
    }

    #[test]
    fn a_64_bit_network_is_one_client() {
        assert_eq!(identify("2001:db8::1", &[]), identify("2001:db8::ffff:1", &[]));
        assert_ne!(identify("2001:db8::1", &[]), identify("2001:db8:0:1::1", &[]));
    }
}
