//! A TCP proxy before a PostgreSQL server that one test can cut and restore.

use entity::{ConnectionRole, DatabaseSettings};
use migration::testing::TestDatabase;
use sea_orm::DatabaseConnection;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
};
use tokio_util::task::TaskTracker;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyMode {
    /// Forwards everything.
    Forward,
    /// Closes every connection, and new ones immediately.
    Cut,
    /// Accepts connections and sends nothing.
    Hang,
    /// Forwards everything up to the first statement that contains this text, and nothing after it.
    HangAt(&'static str),
}

/// Listens on its own port until it is dropped.
pub(crate) struct DatabaseProxy {
    mode: watch::Sender<ProxyMode>,
    tunnels: TaskTracker,
    url: String,
}

impl DatabaseProxy {
    /// Starts a proxy before the server of this database.
    pub(crate) async fn start(database: &TestDatabase, mode: ProxyMode) -> Self {
        let (before, server, after) = split_at_server(database.settings.url.expose());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut url = format!("{before}{address}{after}");
        if !url.contains("sslmode=") {
            // `HangAt` must be able to read the statements.
            url.push_str(if url.contains('?') { "&sslmode=disable" } else { "?sslmode=disable" });
        }
        let (mode, watched) = watch::channel(mode);
        let tunnels = TaskTracker::new();
        tokio::spawn(accept(listener, server, watched, tunnels.clone()));
        Self { mode, tunnels, url }
    }

    /// The database behind the proxy.
    pub(crate) fn settings(&self) -> DatabaseSettings {
        DatabaseSettings { url: self.url.parse().unwrap() }
    }

    /// Opens the pool of an API process through the proxy.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        entity::connect(&self.settings(), ConnectionRole::Api).await.unwrap()
    }

    /// Opens the connection with which an API process watches the catalogue version.
    pub(crate) async fn connect_watch(&self) -> DatabaseConnection {
        entity::connect(&self.settings(), ConnectionRole::Watch).await.unwrap()
    }

    /// Changes the mode. After `Cut` no connection is open.
    pub(crate) async fn set_mode(&self, mode: ProxyMode) {
        self.mode.send_replace(mode);
        if mode == ProxyMode::Cut {
            self.tunnels.close();
            self.tunnels.wait().await;
            self.tunnels.reopen();
        }
    }
}

async fn accept(listener: TcpListener, server: String, mode: watch::Receiver<ProxyMode>, tunnels: TaskTracker) {
    let mut owner = mode.clone();
    loop {
        let client = tokio::select! {
            Ok((client, _)) = listener.accept() => client,
            // The proxy was dropped.
            Err(_) = async { loop { if let Err(dropped) = owner.changed().await { break Err::<(), _>(dropped) } } } => return,
        };
        if *mode.borrow() != ProxyMode::Cut {
            tunnels.spawn(forward(client, server.clone(), mode.clone()));
        }
    }
}

/// Forwards one connection until either side closes it or the proxy cuts it.
async fn forward(client: TcpStream, server: String, mode: watch::Receiver<ProxyMode>) {
    let forwarding = async {
        if *mode.borrow() == ProxyMode::Hang {
            std::future::pending::<()>().await;
        }
        let Ok(upstream) = TcpStream::connect(&server).await else { return };
        let (from_client, mut to_client) = client.into_split();
        let (mut from_server, to_server) = upstream.into_split();
        tokio::select! {
            () = forward_statements(from_client, to_server, mode.clone()) => (),
            _ = copy(&mut from_server, &mut to_client) => (),
        }
    };
    let mut cut = mode.clone();
    tokio::select! {
        () = forwarding => (),
        _ = cut.wait_for(|mode| *mode == ProxyMode::Cut) => (),
    }
}

async fn forward_statements(mut client: tcp::OwnedReadHalf, mut server: tcp::OwnedWriteHalf, mode: watch::Receiver<ProxyMode>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = client.read(&mut bytes).await {
        if let ProxyMode::HangAt(text) = *mode.borrow()
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

/// Splits a URL into `postgres://user@`, `host:port` and `/name?query`.
fn split_at_server(url: &str) -> (String, String, String) {
    let authority_at = url.find("://").unwrap() + 3;
    let path_at = url[authority_at..].find('/').unwrap() + authority_at;
    let server_at = url[authority_at..path_at].rfind('@').map_or(authority_at, |at| authority_at + at + 1);
    let server = &url[server_at..path_at];
    let server = if server.contains(':') { server.to_owned() } else { format!("{server}:5432") };
    (url[..server_at].to_owned(), server, url[path_at..].to_owned())
}
