//! Real Redis servers that a test can kill, freeze and restart. They end with the test.

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

/// Generous, because the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The interval between two checks of a condition.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);
/// Below the ephemeral ports, so that a restarted server can bind its port again.
const FIRST_PORT: u16 = 12_000;
/// The number of ports to try. The cluster bus uses the port number plus 10,000.
const PORTS: u16 = 8_000;

/// Waits until `check` returns a value.
pub(crate) async fn eventually<T>(condition: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        let mut pauses = tokio::time::interval(CHECK_INTERVAL);
        loop {
            pauses.tick().await;
            if let Some(value) = check().await {
                return value;
            }
        }
    };
    timeout(TIMEOUT, wait).await.unwrap_or_else(|_| panic!("timed out waiting for: {condition}"))
}

/// A server on its own port.
pub(crate) struct RedisProcess {
    pub(crate) port: u16,
    arguments: Vec<String>,
    folder: TempDir,
    process: Option<Child>,
}

impl RedisProcess {
    /// Starts a server.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut server = Self::stopped(arguments);
        server.run().await;
        server
    }

    /// Reserves a port and a directory without starting the server.
    pub(crate) fn stopped(arguments: &[&str]) -> Self {
        Self {
            port: find_free_port(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            folder: TempDir::new().unwrap(),
            process: None,
        }
    }

    /// Starts the server on its port, and waits until it responds.
    pub(crate) async fn run(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", "", "--appendonly", "no"]);
        self.spawn(command).await;
    }

    /// Starts a sentinel that monitors a master under the name `main`.
    pub(crate) async fn start_sentinel(master: &Self) -> Self {
        let mut sentinel = Self::stopped(&[]);
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
        let process = command.spawn().expect("redis-server is installed; scripts/with-servers checks that");
        self.process = Some(process);
        eventually("the server responds", async || self.try_query("PING").await).await;
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends an inline command, and returns the first packet of the reply. Retries, because a server that changes its role
    /// closes its connections.
    pub(crate) async fn query(&self, command: &str) -> String {
        eventually(command, async || self.try_query(command).await).await
    }

    async fn try_query(&self, command: &str) -> Option<String> {
        let exchange = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
            stream.write_all(format!("{command}\r\n").as_bytes()).await.ok()?;
            let mut reply = vec![0; 64 * 1024];
            let count = stream.read(&mut reply).await.ok().filter(|&count| count > 0)?;
            Some(String::from_utf8_lossy(&reply[..count]).into_owned())
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

    /// Stops the process: connections stay open and are accepted, but nothing responds.
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

impl Drop for RedisProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn find_free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % u32::from(PORTS)).unwrap();
    for _ in 0..PORTS {
        let port = FIRST_PORT + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        if [port, port + 10_000].iter().all(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return port;
        }
    }
    panic!("found no free port")
}

/// Three masters.
pub(crate) struct RedisCluster {
    pub(crate) nodes: Vec<RedisProcess>,
}

impl RedisCluster {
    pub(crate) async fn start() -> Self {
        let arguments = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-node-timeout", "1000"];
        let (one, two, three) =
            tokio::join!(RedisProcess::start(&arguments), RedisProcess::start(&arguments), RedisProcess::start(&arguments));
        let nodes = vec![one, two, three];
        let mut create = tokio::process::Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)));
        let output = create.args(["--cluster-yes"]).output().await.expect("redis-cli is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        for node in &nodes {
            eventually("all nodes have joined the cluster", async || {
                let info = node.query("CLUSTER INFO").await;
                (info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")).then_some(())
            })
            .await;
        }
        Self { nodes }
    }

    pub(crate) fn url(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", addresses.join(","))
    }
}
