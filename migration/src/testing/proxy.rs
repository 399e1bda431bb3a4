//! A TCP proxy in front of a PostgreSQL server, which a test can cut, freeze and restore.

use entity::{ConnectionRole, DatabaseSettings};
use sea_orm_migration::sea_orm::DatabaseConnection;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
};
use tokio_util::task::TaskTracker;

use super::TestDatabase;

/// What a proxy does with its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyMode {
    /// Forwards everything.
    Forward,
    /// Closes every connection, and new ones immediately.
    Cut,
    /// Accepts connections and sends nothing.
    Hang,
    /// On each connection, forwards everything up to the first statement that contains this text, and nothing after it in either direction,
    /// whatever the mode is then. With an empty text, nothing.
    HangAt(&'static str),
}

/// Listens on its own port until it is dropped.
#[derive(Debug)]
pub struct DatabaseProxy {
    mode: watch::Sender<ProxyMode>,
    /// How many connections hang at a statement, or have hung.
    hung: watch::Sender<usize>,
    tunnels: TaskTracker,
    url: String,
}

impl DatabaseProxy {
    /// Starts a proxy before the server of this database.
    pub async fn start(database: &TestDatabase, mode: ProxyMode) -> Self {
        let (before, server, after) = split_at_server(database.settings.url.expose());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("the proxy works");
        let address = listener.local_addr().expect("the proxy works");
        let mut url = format!("{before}{address}{after}");
        if !url.contains("sslmode=") {
            // `HangAt` must be able to read the statements.
            url.push_str(if url.contains('?') { "&sslmode=disable" } else { "?sslmode=disable" });
        }
        let (mode, watched) = watch::channel(mode);
        let (hung, tunnels) = (watch::Sender::new(0), TaskTracker::new());
        tokio::spawn(accept(listener, server, (watched, hung.clone()), tunnels.clone()));
        Self { mode, hung, tunnels, url }
    }

    /// The database behind the proxy.
    pub fn settings(&self) -> DatabaseSettings {
        DatabaseSettings { url: self.url.parse().expect("the proxy works") }
    }

    /// Opens the pool of an API process through the proxy.
    pub async fn connect(&self) -> DatabaseConnection {
        entity::connect(&self.settings(), ConnectionRole::Api).await.expect("the proxy works")
    }

    /// Opens the connection with which an API process watches the catalogue version.
    pub async fn connect_watch(&self) -> DatabaseConnection {
        entity::connect(&self.settings(), ConnectionRole::Watch).await.expect("the proxy works")
    }

    /// Changes the mode. After `Cut` no connection is open.
    pub async fn set_mode(&self, mode: ProxyMode) {
        self.mode.send_replace(mode);
        if mode == ProxyMode::Cut {
            self.tunnels.close();
            self.tunnels.wait().await;
            self.tunnels.reopen();
        }
    }

    /// Waits until a connection hangs at a statement.
    pub async fn wait_until_hung(&self) {
        self.hung.subscribe().wait_for(|hung| *hung > 0).await.expect("the sender lives in `self`");
    }
}

/// The mode of a proxy, and where it counts the connections that hang.
type ProxyState = (watch::Receiver<ProxyMode>, watch::Sender<usize>);

async fn accept(listener: TcpListener, server: String, (mode, hung): ProxyState, tunnels: TaskTracker) {
    let mut owner = mode.clone();
    loop {
        let client = tokio::select! {
            Ok((client, _)) = listener.accept() => client,
            // The proxy was dropped.
            Err(_) = async { loop { if let Err(dropped) = owner.changed().await { break Err::<(), _>(dropped) } } } => return,
        };
        if *mode.borrow() != ProxyMode::Cut {
            tunnels.spawn(forward(client, server.clone(), (mode.clone(), hung.clone())));
        }
    }
}

/// Forwards one connection until either side closes it or the proxy cuts it.
async fn forward(client: TcpStream, server: String, (mode, hung): ProxyState) {
    let forwarding = async {
        if *mode.borrow() == ProxyMode::Hang {
            std::future::pending::<()>().await;
        }
        let Ok(upstream) = TcpStream::connect(&server).await else { return };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = upstream.into_split();
        let hangs = tokio::select! {
            hangs = forward_statements(&mut from_client, &mut to_server, (mode.clone(), hung)) => hangs,
            _ = copy(&mut from_server, &mut to_client) => false,
        };
        if hangs {
            std::future::pending::<()>().await;
        }
    };
    let mut cut = mode.clone();
    tokio::select! {
        () = forwarding => (),
        _ = cut.wait_for(|mode| *mode == ProxyMode::Cut) => (),
    }
}

/// Forwards statements; `true` once one of them hangs.
async fn forward_statements(client: &mut tcp::OwnedReadHalf, server: &mut tcp::OwnedWriteHalf, (mode, hung): ProxyState) -> bool {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = client.read(&mut bytes).await {
        if let ProxyMode::HangAt(text) = *mode.borrow()
            && String::from_utf8_lossy(&bytes[..count]).contains(text)
        {
            hung.send_modify(|hung| *hung += 1);
            return true;
        }
        if server.write_all(&bytes[..count]).await.is_err() {
            return false;
        }
    }
    std::future::pending().await
}

/// Splits a URL into `postgres://user@`, `host:port` and `/name?query`.
fn split_at_server(url: &str) -> (String, String, String) {
    let authority_at = url.find("://").expect("the proxy works") + 3;
    let path_at = url[authority_at..].find('/').expect("the proxy works") + authority_at;
    let server_at = url[authority_at..path_at].rfind('@').map_or(authority_at, |at| authority_at + at + 1);
    let server = &url[server_at..path_at];
    let server = if server.contains(':') { server.to_owned() } else { format!("{server}:5432") };
    (url[..server_at].to_owned(), server, url[path_at..].to_owned())
}
