//! Real Redis servers that a test may kill, freeze and start again; they are gone when the test is.

use std::{
    fs::File,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long to wait for what must come: far more than it takes, on a machine with much else to do.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often to look for it.
const PAUSE: Duration = Duration::from_millis(10);
/// Ports from here on are tried: below those that systems give to clients, so that a server finds its own again.
const FIRST_PORT: u16 = 12_000;
/// How many are tried; those of a cluster's bus lie 10,000 higher.
const PORTS: u16 = 8_000;

/// What `look` finds, as soon as it finds something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        let mut pauses = tokio::time::interval(PAUSE);
        loop {
            pauses.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    timeout(TIMEOUT, looking).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// A server on a port of its own.
pub(crate) struct RedisServer {
    pub(crate) port: u16,
    arguments: Vec<String>,
    folder: TempDir,
    process: Option<Child>,
}

impl RedisServer {
    /// A server that runs.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut server = Self::absent(arguments);
        server.run().await;
        server
    }

    /// A server that does not run yet.
    pub(crate) fn absent(arguments: &[&str]) -> Self {
        Self {
            port: free_port(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            folder: TempDir::new().unwrap(),
            process: None,
        }
    }

    /// Starts it, on its own port, and waits until it answers.
    pub(crate) async fn run(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", "", "--appendonly", "no"]);
        self.spawn(command).await;
    }

    /// A sentinel that watches over a master by the name of `main`.
    pub(crate) async fn sentinel(master: &Self) -> Self {
        let mut sentinel = Self::absent(&[]);
        let file = sentinel.folder.path().join("sentinel.conf");
        let lines = format!(
            "port {}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {} 1\nsentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 2000\n",
            sentinel.port, master.port,
        );
        std::fs::write(&file, lines).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(file).arg("--sentinel");
        sentinel.spawn(command).await;
        sentinel
    }

    async fn spawn(&mut self, mut command: Command) {
        let log = File::create(self.folder.path().join("server.log")).unwrap();
        command.args(&self.arguments).current_dir(self.folder.path()).stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
        let process = command.spawn().expect("redis-server starts: scripts/with-servers sees to it that it is installed");
        self.process = Some(process);
        eventually("a server that answers", async || self.try_query("PING").await).await;
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What the server answers, up to the end of its first packet. It is asked again if it says nothing: a server that changes its role
    /// closes its connections.
    pub(crate) async fn query(&self, command: &str) -> String {
        eventually(command, async || self.try_query(command).await).await
    }

    async fn try_query(&self, command: &str) -> Option<String> {
        let exchange = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
            stream.write_all(format!("{command}\r\n").as_bytes()).await.ok()?;
            let mut response = vec![0; 64 * 1024];
            let count = stream.read(&mut response).await.ok().filter(|&count| count > 0)?;
            Some(String::from_utf8_lossy(&response[..count]).into_owned())
        };
        timeout(Duration::from_secs(2), exchange).await.ok()?
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// It keeps its connections, takes new ones, and answers nothing.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn wake(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % u32::from(PORTS)).unwrap();
    for _ in 0..PORTS {
        let port = FIRST_PORT + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        if [port, port + 10_000].iter().all(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return port;
        }
    }
    panic!("no port is free")
}

/// Three masters that share all slots.
pub(crate) struct RedisCluster {
    pub(crate) nodes: Vec<RedisServer>,
}

impl RedisCluster {
    pub(crate) async fn start() -> Self {
        let arguments = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-node-timeout", "1000"];
        let (one, two, three) =
            tokio::join!(RedisServer::start(&arguments), RedisServer::start(&arguments), RedisServer::start(&arguments));
        let nodes = vec![one, two, three];
        let mut create = tokio::process::Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)));
        let output = create.args(["--cluster-yes"]).output().await.expect("redis-cli is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        for node in &nodes {
            eventually("a cluster that is whole", async || {
                let info = node.query("CLUSTER INFO").await;
                (info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")).then_some(())
            })
            .await;
        }
        Self { nodes }
    }

    pub(crate) fn url(&self) -> String {
        let places: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", places.join(","))
    }
}
