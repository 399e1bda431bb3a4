//! A switch in the line to a PostgreSQL server: a database that goes away for one process alone, at once and for real.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::Failure;

/// What the line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    On,
    /// Every connection is cut, and new ones end at once.
    Off,
}

/// The switch; it listens on a port of its own as long as the runtime lasts.
#[derive(Debug)]
pub(super) struct Switch {
    line: watch::Sender<Line>,
    url: String,
}

impl Switch {
    /// A switch before the server of this database, on.
    pub(super) async fn before(url: &str) -> Result<Self, Failure> {
        let (before, server, after) = split_at_server(url).ok_or("the URL of the database names no server")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("{before}{}{after}", listener.local_addr()?);
        let (line, watched) = watch::channel(Line::On);
        tokio::spawn(accept(listener, server, watched));
        Ok(Self { line, url })
    }

    /// The database behind it.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn turn(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn accept(listener: TcpListener, server: String, line: watch::Receiver<Line>) {
    while let Ok((mut client, _)) = listener.accept().await {
        if *line.borrow() == Line::Off {
            continue;
        }
        let (server, mut line) = (server.clone(), line.clone());
        tokio::spawn(async move {
            let Ok(mut upstream) = TcpStream::connect(server).await else { return };
            tokio::select! {
                // Whoever ends it, the other side sees that by itself.
                _ = copy_bidirectional(&mut client, &mut upstream) => (),
                _ = line.wait_for(|line| *line == Line::Off) => (),
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
