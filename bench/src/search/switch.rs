//! A TCP proxy that disconnects one process from PostgreSQL.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::Failure;

/// The state of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SwitchState {
    On,
    /// Connections are closed, and new ones are closed immediately.
    Off,
}

/// A proxy that runs until the runtime stops.
#[derive(Debug)]
pub(super) struct ConnectionSwitch {
    line: watch::Sender<SwitchState>,
    url: String,
}

impl ConnectionSwitch {
    /// Starts a proxy to the server of a database.
    pub(super) async fn start(url: &str) -> Result<Self, Failure> {
        let (before, server, after) = split_at_server(url).ok_or("the database URL has no server")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("{before}{}{after}", listener.local_addr()?);
        let (line, watched) = watch::channel(SwitchState::On);
        tokio::spawn(accept(listener, server, watched));
        Ok(Self { line, url })
    }

    /// The database URL through the proxy.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn set(&self, line: SwitchState) {
        self.line.send_replace(line);
    }
}

async fn accept(listener: TcpListener, server: String, line: watch::Receiver<SwitchState>) {
    while let Ok((mut client, _)) = listener.accept().await {
        if *line.borrow() == SwitchState::Off {
            continue;
        }
        let (server, mut line) = (server.clone(), line.clone());
        tokio::spawn(async move {
            let Ok(mut upstream) = TcpStream::connect(server).await else { return };
            tokio::select! {
                // Closing one side closes the other.
                _ = copy_bidirectional(&mut client, &mut upstream) => (),
                _ = line.wait_for(|line| *line == SwitchState::Off) => (),
            }
        });
    }
}

/// `postgres://user@` `host:port` `/name?query`
fn split_at_server(url: &str) -> Option<(String, String, String)> {
    let authority_at = url.find("://")? + 3;
    let path_at = url[authority_at..].find('/')? + authority_at;
    let server_at = url[authority_at..path_at].rfind('@').map_or(authority_at, |at| authority_at + at + 1);
    let server = &url[server_at..path_at];
    let server = if server.contains(':') { server.to_owned() } else { format!("{server}:5432") };
    Some((url[..server_at].to_owned(), server, url[path_at..].to_owned()))
}
