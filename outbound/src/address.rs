//! The addresses that may be connected to: those of the public internet, and networks that an operator adds.
//!
//! A URL, a redirect, or a DNS server could point into the network of this machine: at the metadata service of a cloud, a database or
//! the service itself. The addresses that are connected to are the ones that are checked, so DNS rebinding has no effect.
//! The special-purpose addresses are those in IANA's registries (RFC 6890 and its successors).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// An address is neither public nor in an added network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address {address} is not public")]
pub struct NonPublicAddress {
    /// The first such address.
    pub address: IpAddr,
}

/// Which addresses may be connected to.
#[derive(Clone, Debug)]
pub struct AllowedAddresses {
    /// Besides public addresses.
    networks: Arc<[IpNet]>,
}

impl AllowedAddresses {
    /// Public addresses, and those of these networks.
    #[must_use]
    pub fn public_and(networks: &[IpNet]) -> Self {
        Self { networks: networks.into() }
    }

    /// All addresses.
    #[must_use]
    pub fn all() -> Self {
        Self::public_and(&[Ipv4Net::default().into(), Ipv6Net::default().into()])
    }

    /// Rejects a URL with a refused IP address as its host, which is never resolved.
    pub(crate) fn check_literal(&self, url: &Url) -> Result<(), NonPublicAddress> {
        let host = url.host_str().unwrap_or_default();
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(address) if !self.allows(address) => Err(NonPublicAddress { address }),
            _ => Ok(()),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.networks.iter().any(|network| network.contains(&address))
    }

    /// The allowed addresses; an error if there are only others.
    fn filter(&self, resolved: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, NonPublicAddress> {
        let (allowed, others): (Vec<_>, Vec<_>) = resolved.into_iter().partition(|address| self.allows(address.ip()));
        match others.first() {
            Some(other) if allowed.is_empty() => Err(NonPublicAddress { address: other.ip() }),
            _ => Ok(allowed),
        }
    }
}

/// A resolver that returns only allowed addresses.
#[derive(Debug)]
pub(crate) struct Resolver(pub(crate) AllowedAddresses);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0.clone();
        Box::pin(async move {
            let resolved: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(allowed.filter(resolved)?.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is on the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// <https://www.iana.org/assignments/iana-ipv4-special-registry>
fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0, ..] => true,             // this network
        [10, ..] => true,            // private
        [100, 64..=127, ..] => true, // shared by carriers
        [127, ..] => true,           // loopback
        [169, 254, ..] => true,      // link-local, including cloud metadata
        [172, 16..=31, ..] => true,  // private
        [192, 0, 0, _] => true,      // protocol assignments
        [192, 0, 2, _] => true,      // documentation
        [192, 31, 196, _] => true,   // AS112
        [192, 52, 193, _] => true,   // AMT
        [192, 88, 99, _] => true,    // 6to4 relay anycast (deprecated)
        [192, 168, ..] => true,      // private
        [192, 175, 48, _] => true,   // AS112
        [198, 18..=19, ..] => true,  // benchmarks
        [198, 51, 100, _] => true,   // documentation
        [203, 0, 113, _] => true,    // documentation
        [224..=255, ..] => true,     // multicast, reserved, broadcast
        _ => false,
    };
    !special
}

/// <https://www.iana.org/assignments/iana-ipv6-special-registry>. Only 2000::/3 is global unicast, which excludes `::`, `::1`, IPv4 in
/// its mapped, compatible and translated (64:ff9b::/96) forms, unique-local, link-local, site-local and multicast addresses.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let special = match address.segments() {
        [0x2001, 0x0000..=0x01ff, ..] => true, // protocol assignments, including Teredo
        [0x2001, 0x0db8, ..] => true,          // documentation
        [0x2002, ..] => true,                  // 6to4: contains an IPv4 address
        [0x2620, 0x004f, 0x8000, ..] => true,  // AS112
        [0x3ffe, ..] => true,                  // 6bone (returned)
        [0x3fff, 0x0000..=0x0fff, ..] => true, // documentation
        [0x2000..=0x3fff, ..] => false,
        _ => true,
    };
    !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public() -> AllowedAddresses {
        AllowedAddresses::public_and(&[])
    }

    #[test]
    fn accepts_public_addresses() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.0.1",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2a00::1",
            "3ffd::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn rejects_special_purpose_addresses() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn recognizes_every_spelling_of_a_literal_address() {
        for url in ["http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://[::1]:80/", "http://[::ffff:10.0.0.1]/"]
        {
            assert!(public().check_literal(&url.parse().unwrap()).is_err(), "{url}");
            assert_eq!(AllowedAddresses::all().check_literal(&url.parse().unwrap()), Ok(()), "{url}");
        }
        for url in ["http://8.8.8.8/", "http://provider.example/", "http://[2606:4700:4700::1111]/"] {
            assert_eq!(public().check_literal(&url.parse().unwrap()), Ok(()), "{url}");
        }
    }

    #[test]
    fn drops_the_private_addresses_of_a_name_with_both() {
        let [internal, other]: [SocketAddr; 2] = ["10.0.0.1:0", "8.8.8.8:0"].map(|address| address.parse().unwrap());
        assert_eq!(public().filter(vec![internal, other]), Ok(vec![other]));
        assert_eq!(public().filter(vec![internal]), Err(NonPublicAddress { address: internal.ip() }));
        assert_eq!(public().filter(vec![]), Ok(vec![]));
    }

    #[test]
    fn allows_the_addresses_of_added_networks() {
        let allowed = AllowedAddresses::public_and(&["10.1.0.0/16".parse().unwrap()]);
        for (url, is_allowed) in [
            ("http://10.1.2.3/", true),
            ("http://8.8.8.8/", true),
            ("http://10.2.0.1/", false),
            ("http://[::ffff:10.1.2.3]/", false),
            ("http://127.0.0.1/", false),
        ] {
            assert_eq!(allowed.check_literal(&url.parse().unwrap()).is_ok(), is_allowed, "{url}");
        }
    }
}
