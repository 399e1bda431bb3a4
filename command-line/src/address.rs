//! Addresses to listen on.

use std::{fmt, io, net::SocketAddr, str::FromStr};

use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// Connections that wait in the kernel until they are accepted: those of a burst, while all cores are busy.
const BACKLOG: u32 = 1_024;

/// An address to listen on: a host name or an IP address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress(String);

/// Why a program cannot listen on an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}; to use another address, set {setting}")]
pub struct ListenError {
    /// The address.
    pub address: ListenAddress,
    /// The environment variable that contains the address.
    pub setting: &'static str,
    /// What the system reports. Part of the message, which would otherwise end with the cause instead of the solution.
    pub cause: io::Error,
}

impl ListenAddress {
    /// Looks up the host name. Like the default addresses, the result is an IPv4 address if the host has one: clients that were
    /// given `127.0.0.1` could not connect to the `::1` of `localhost`.
    ///
    /// # Errors
    ///
    /// When the name does not exist, or cannot be looked up.
    pub async fn resolve(&self) -> io::Result<SocketAddr> {
        let addresses: Vec<SocketAddr> = lookup_host(&self.0).await?.collect();
        let address = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
        address.copied().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))
    }

    /// Listens on the address. `setting` is the environment variable that contains it.
    ///
    /// # Errors
    ///
    /// When the host name cannot be looked up, or the address is in use or not an address of this machine.
    pub async fn bind(&self, setting: &'static str) -> Result<TcpListener, ListenError> {
        let bind = async {
            let address = self.resolve().await?;
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // As the standard library does: a restarted program need not wait for its old connections.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        bind.await.map_err(|cause| ListenError { address: self.clone(), setting, cause })
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_host = |host: &str| match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && !host.contains([':', '/', ' ']),
        };
        match text.rsplit_once(':') {
            Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok() => Ok(Self(text.to_owned())),
            _ => Err("must be HOST:PORT, such as 127.0.0.1:8000, localhost:8000 or [::1]:8000".to_owned()),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for text in ["127.0.0.1:8000", "localhost:0", "[::1]:8000", "0.0.0.0:80", "api.internal:8000"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        for text in
            ["", "here", "127.0.0.1", ":8000", "8000", "localhost:http", "localhost:65536", "::1:8000", "http://localhost:8000"]
        {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn localhost_is_resolved_to_ipv4() {
        let address: ListenAddress = "localhost:8000".parse().unwrap();
        assert_eq!(address.resolve().await.unwrap(), "127.0.0.1:8000".parse().unwrap());
    }

    #[tokio::test]
    async fn an_error_contains_the_address_the_cause_and_the_setting() {
        let occupied = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("localhost:{}", occupied.local_addr().unwrap().port());
        let error = address.parse::<ListenAddress>().unwrap().bind("API_LISTEN").await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {address}: Address already in use")), "{error}");
        assert!(error.ends_with("; to use another address, set API_LISTEN"), "{error}");
    }
}
