//! A switch in the line to a PostgreSQL server: a database that goes away for real, and comes back, for one test alone.

use entity::{ConnectionRole, DatabaseSettings};
use migration::testing::TestDatabase;
use sea_orm::DatabaseConnection;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
};
use tokio_util::task::TaskTracker;

/// What the line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It carries everything.
    On,
    /// Every connection is cut, and new ones end at once.
    Off,
    /// Connections are taken, and nothing is ever said.
    Silent,
    /// Everything is carried up to the first statement that holds this text, and nothing after it.
    SilentFrom(&'static str),
}

/// The switch; it listens on a port of its own until it is dropped.
pub(crate) struct Switch {
    line: watch::Sender<Line>,
    tunnels: TaskTracker,
    url: String,
}

impl Switch {
    /// A switch before the server of this database.
    pub(crate) async fn before(database: &TestDatabase, line: Line) -> Self {
        let (before, server, after) = split_at_server(database.settings.url.expose());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut url = format!("{before}{address}{after}");
        if !url.contains("sslmode=") {
            // What is encrypted could not be told apart.
            url.push_str(if url.contains('?') { "&sslmode=disable" } else { "?sslmode=disable" });
        }
        let (line, watched) = watch::channel(line);
        let tunnels = TaskTracker::new();
        tokio::spawn(accept(listener, server, watched, tunnels.clone()));
        Self { line, tunnels, url }
    }

    /// The database behind the switch.
    pub(crate) fn settings(&self) -> DatabaseSettings {
        DatabaseSettings { url: self.url.parse().unwrap() }
    }

    /// The pool of an API process behind the switch.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        entity::connect(&self.settings(), ConnectionRole::Api).await.unwrap()
    }

    /// The connection behind the switch by which an API process follows the version.
    pub(crate) async fn watch(&self) -> DatabaseConnection {
        entity::connect(&self.settings(), ConnectionRole::Watch).await.unwrap()
    }

    /// Turns it. After `Off` no connection is left.
    pub(crate) async fn turn(&self, line: Line) {
        self.line.send_replace(line);
        if line == Line::Off {
            self.tunnels.close();
            self.tunnels.wait().await;
            self.tunnels.reopen();
        }
    }
}

async fn accept(listener: TcpListener, server: String, line: watch::Receiver<Line>, tunnels: TaskTracker) {
    let mut owner = line.clone();
    loop {
        let client = tokio::select! {
            Ok((client, _)) = listener.accept() => client,
            // The switch was dropped.
            Err(_) = async { loop { if let Err(gone) = owner.changed().await { break Err::<(), _>(gone) } } } => return,
        };
        if *line.borrow() != Line::Off {
            tunnels.spawn(tunnel(client, server.clone(), line.clone()));
        }
    }
}

/// Carries one connection until either side ends it or the line is cut.
async fn tunnel(client: TcpStream, server: String, mut line: watch::Receiver<Line>) {
    let carrying = async {
        if *line.borrow() == Line::Silent {
            std::future::pending::<()>().await;
        }
        let Ok(upstream) = TcpStream::connect(&server).await else { return };
        let (from_client, mut to_client) = client.into_split();
        let (mut from_server, to_server) = upstream.into_split();
        tokio::select! {
            () = carry_statements(from_client, to_server, line.clone()) => (),
            _ = copy(&mut from_server, &mut to_client) => (),
        }
    };
    let mut cut = line.clone();
    tokio::select! {
        () = carrying => (),
        _ = cut.wait_for(|line| *line == Line::Off) => (),
    }
    line.mark_unchanged();
}

async fn carry_statements(mut client: tcp::OwnedReadHalf, mut server: tcp::OwnedWriteHalf, line: watch::Receiver<Line>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = client.read(&mut bytes).await {
        if let Line::SilentFrom(text) = *line.borrow()
            && String::from_utf8_lossy(&bytes[..count]).contains(text)
        {
            break;
        }
        if server.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// `postgres://user@` `host:port` `/name?query`
fn split_at_server(url: &str) -> (String, String, String) {
    let authority_at = url.find("://").unwrap() + 3;
    let path_at = url[authority_at..].find('/').unwrap() + authority_at;
    let server_at = url[authority_at..path_at].rfind('@').map_or(authority_at, |at| authority_at + at + 1);
    let server = &url[server_at..path_at];
    let server = if server.contains(':') { server.to_owned() } else { format!("{server}:5432") };
    (url[..server_at].to_owned(), server, url[path_at..].to_owned())
}
