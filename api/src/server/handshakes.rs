//! Closes a listener without losing a connection.
//!
//! Closing a listener resets the connections that the kernel has queued, also one that arrives after the last accept: its client has sent
//! a request that nothing answers. So the kernel first drops new handshakes. Their clients repeat them after a second, and are refused
//! then, or reach another process.

use std::{io, net::TcpListener};

use socket2::{SockFilter, SockRef};

/// The offset of the flags in a TCP header, and two of them (RFC 9293, section 3.1).
const FLAGS: u32 = 13;
const SYN: u32 = 0x02;
const ACK: u32 = 0x10;

/// Instructions of classic BPF (`linux/filter.h`): load a byte of the packet, bitwise and, jump if equal, return.
const LOAD_BYTE: u16 = 0x30;
const AND: u16 = 0x54;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// What a filter returns: the number of bytes of a packet that the socket receives.
const NONE: u32 = 0;
const ALL: u32 = u32::MAX;

/// Makes the kernel drop the first packet of new handshakes. Those in progress complete, and no queued connection is lost.
///
/// # Errors
///
/// When the kernel has no socket filters.
pub(super) fn drop_new(listener: &TcpListener) -> io::Result<()> {
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, NONE),
        SockFilter::new(RETURN, 0, 0, ALL),
    ])
}

#[cfg(test)]
mod tests {
    use std::{
        io::{ErrorKind, Read, Write},
        net::{SocketAddr, TcpStream},
        time::Duration,
    };

    use super::*;

    #[test]
    fn only_new_handshakes_are_dropped() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let address: SocketAddr = listener.local_addr().unwrap();
            let mut queued = TcpStream::connect(address).unwrap();
            drop_new(&listener).unwrap();
            let error = TcpStream::connect_timeout(&address, Duration::from_millis(200)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{address}");
            queued.write_all(b"request").unwrap();
            let (mut accepted, _) = listener.accept().unwrap();
            drop(listener);
            let mut request = [0; 7];
            accepted.read_exact(&mut request).unwrap();
            accepted.write_all(&request).unwrap();
            queued.read_exact(&mut request).unwrap();
            assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused, "{address}");
        }
    }
}
