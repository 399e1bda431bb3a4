//! A TCP proxy with faults, between a program and a server.

use std::{net::SocketAddr, time::Duration};

use programs::Failure;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyMode {
    /// Everything is forwarded.
    Forward,
    /// Open connections are closed, and new ones, too.
    Refuse,
    /// Each chunk is forwarded after this time.
    Delay(Duration),
    /// Connections are accepted and stay open, and nothing is forwarded.
    Hang,
    /// One bit of most chunks of the server is flipped.
    Corrupt,
}

/// One chunk in this number is not corrupted.
const INTACT_EVERY: u8 = 4;

/// A proxy that forwards until it is dropped.
#[derive(Debug)]
pub(crate) struct FaultProxy {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<ProxyMode>,
    _accepting: AbortOnDropHandle<()>,
}

impl FaultProxy {
    /// Starts a proxy in front of a server.
    pub(crate) async fn start(server: SocketAddr) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (mode, watched) = watch::channel(ProxyMode::Forward);
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, server, watched)));
        Ok(Self { address, mode, _accepting: accepting })
    }

    pub(crate) fn set(&self, mode: ProxyMode) {
        self.mode.send_replace(mode);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, mode: watch::Receiver<ProxyMode>) {
    while let Ok((client, _)) = listener.accept().await {
        if *mode.borrow() != ProxyMode::Refuse {
            tokio::spawn(forward(client, server, mode.clone()));
        }
    }
}

/// Forwards one connection until a side closes it or connections are refused.
async fn forward(mut client: TcpStream, server: SocketAddr, mode: watch::Receiver<ProxyMode>) {
    let mut refused = mode.clone();
    let forwarding = async {
        wait_while_hanging(&mode).await;
        let Ok(mut upstream) = TcpStream::connect(server).await else { return };
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = upstream.split();
        tokio::select! {
            () = copy(from_client, to_server, &mode, false) => (),
            () = copy(from_server, to_client, &mode, true) => (),
        }
    };
    tokio::select! {
        () = forwarding => (),
        _ = refused.wait_for(|mode| *mode == ProxyMode::Refuse) => (),
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mode: &watch::Receiver<ProxyMode>,
    is_from_server: bool,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        wait_while_hanging(mode).await;
        let chunk = &mut bytes[..count];
        let current = *mode.borrow();
        match current {
            ProxyMode::Delay(time) => sleep(time).await,
            ProxyMode::Corrupt if is_from_server && fastrand::u8(..INTACT_EVERY) > 0 => {
                chunk[fastrand::usize(..count)] ^= 1 << fastrand::u8(..8);
            }
            _ => (),
        }
        if to.write_all(chunk).await.is_err() {
            return;
        }
    }
}

async fn wait_while_hanging(mode: &watch::Receiver<ProxyMode>) {
    let mut mode = mode.clone();
    // Fails when the proxy is dropped, which also closes the connection.
    let _dropped = mode.wait_for(|mode| *mode != ProxyMode::Hang).await;
}
