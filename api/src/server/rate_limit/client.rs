//! Who asks: the address of the connection, or what a proxy of ours says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use poem::http::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A client, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    V4(Ipv4Addr),
    /// The network of 64 bits, which is what one client is given.
    V6(u64),
    /// There is no socket: a test.
    Unknown,
}

impl Client {
    /// The client behind a connection from `peer`: the peer itself, unless that is `trusted`; then the last address of
    /// `X-Forwarded-For` that is not. Whatever stands before that one was written by the client itself.
    pub(super) fn of(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else { return Self::Unknown };
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
        if !is_trusted(peer) {
            return peer.into();
        }
        for line in headers.get_all(X_FORWARDED_FOR).iter().rev() {
            for element in line.as_bytes().rsplit(|byte| *byte == b',') {
                // What a proxy of ours did not write as an address tells nothing, nor does what stands before it.
                let Some(address) = std::str::from_utf8(element).ok().and_then(address) else { return peer.into() };
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

/// An address as proxies write it: with a port or without, in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str]) -> Client {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, poem::http::HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        Client::of(Some(peer.parse().unwrap()), &headers, &trusted)
    }

    fn named(address: &str) -> Client {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn a_stranger_is_who_connects_whatever_it_says() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), named("192.0.2.1"));
        assert_eq!(client("::ffff:192.0.2.1", &[]), named("192.0.2.1"));
    }

    #[test]
    fn a_proxy_of_ours_is_believed_in_what_it_has_added() {
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
            assert_eq!(client("10.0.0.1", lines), named(expected), "{lines:?}");
            assert_eq!(client("fd00::1", lines), named(expected), "{lines:?}");
        }
    }

    #[test]
    fn a_proxy_that_names_nobody_is_the_client() {
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
            assert_eq!(client("10.0.0.1", lines), named("10.0.0.1"), "{lines:?}");
        }
    }

    #[test]
    fn a_network_of_64_bits_is_one_client() {
        assert_eq!(client("2001:db8::1", &[]), client("2001:db8::ffff:1", &[]));
        assert_ne!(client("2001:db8::1", &[]), client("2001:db8:0:1::1", &[]));
    }
}
