//! `marquee-api` as a process: its arguments, its address, its end, and a start without a database.

use std::{
    net::SocketAddr,
    process::{Output, Stdio},
    time::Duration,
};

use entity::ConnectionRole;
use migration::{
    Migrator, MigratorTrait,
    testing::{Backend, TestDatabase},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use crate::switch::{Line, Switch};

/// Longer than the process may take to drain, and a slow machine to start it.
const PATIENCE: Duration = Duration::from_secs(60);

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_marquee-api"));
    for setting in [
        "API_KEYS_FILE",
        "API_LISTEN",
        "CACHE_MIB",
        "DATABASE_READ_URL",
        "DATABASE_URL",
        "DRAIN_DELAY_SECONDS",
        "LOG_FILTER",
        "LOG_FORMAT",
        "RATE_LIMIT_BURST",
        "RATE_LIMIT_PER_SECOND",
        "REDIS_URL",
        "TRUSTED_PROXIES",
    ] {
        command.env_remove(setting);
    }
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn output(arguments: &[&str]) -> Output {
    timeout(PATIENCE, command(arguments).output()).await.unwrap().unwrap()
}

/// A process that serves, and its log from there on.
pub(crate) struct Running {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
    log: Lines<BufReader<ChildStderr>>,
    first_line: String,
}

impl Running {
    pub(crate) async fn start(database_url: &str, arguments: &[&str]) -> Self {
        let mut process = command(&["--api-listen", "127.0.0.1:0", "--database-url", database_url])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let first_line = timeout(PATIENCE, log.next_line()).await.unwrap().unwrap().unwrap();
        let rest = first_line.split_once("listen").unwrap_or_else(|| panic!("no address in {first_line}")).1;
        let address = rest.trim_start_matches(['=', '"', ':']).split([' ', '"']).next().unwrap();
        Self { address: address.parse().unwrap(), process, log, first_line }
    }

    /// The status line and the body of an answer.
    pub(crate) async fn get(&self, path: &str) -> (String, String) {
        let text = self.exchange(format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").as_bytes()).await;
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    async fn exchange(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// The exit code of a process that was told to stop.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        timeout(PATIENCE, self.process.wait()).await.unwrap().unwrap().code()
    }

    /// Sends a signal, and gives the exit code and what was logged since the start.
    pub(crate) async fn stop(mut self, signal: &str) -> (Option<i32>, Vec<String>) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
        let status = timeout(PATIENCE, self.process.wait()).await.unwrap().unwrap();
        let mut lines = Vec::new();
        while let Some(line) = self.log.next_line().await.unwrap() {
            lines.push(line);
        }
        (status.code(), lines)
    }
}

pub(crate) async fn sqlite() -> (TestDatabase, String) {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let url = database.settings.url.expose().to_owned();
    (database, url)
}

#[tokio::test]
async fn help_and_version_end_with_0() {
    let help = output(&["--help"]).await;
    assert_eq!(help.status.code(), Some(0));
    let help = String::from_utf8(help.stdout).unwrap();
    for setting in [
        "API_LISTEN",
        "CACHE_MIB",
        "DATABASE_READ_URL",
        "DATABASE_URL",
        "REDIS_URL",
        "LOG_FORMAT",
        "127.0.0.1:8000",
        "sqlite://marquee.db?mode=rwc",
    ] {
        assert!(help.contains(setting), "{setting} is not in: {help}");
    }
    let version = output(&["--version"]).await;
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(String::from_utf8(version.stdout).unwrap(), format!("marquee-api {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn wrong_arguments_end_with_2() {
    for arguments in [
        ["--api-listen", "here"],
        ["--api-listen", "127.0.0.1"],
        ["--log-format", "xml"],
        ["--log-filter", "a=b=c"],
        ["--port", "80"],
        ["serve", "now"],
    ] {
        let refused = output(&arguments).await;
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(refused.stdout.is_empty() && !refused.stderr.is_empty());
    }
}

#[tokio::test]
async fn a_signal_ends_it_with_0() {
    let (_database, url) = sqlite().await;
    for signal in ["-TERM", "-INT"] {
        let running = Running::start(&url, &[]).await;
        assert_eq!(running.get("/livez").await, ("HTTP/1.1 200 OK".to_owned(), "{\"status\":\"live\"}".to_owned()));
        assert_eq!(running.stop(signal).await.0, Some(0), "{signal}");
    }
}

/// A load balancer keeps connections open; they must not keep the process.
#[tokio::test]
async fn an_idle_connection_does_not_delay_the_end() {
    let (_database, url) = sqlite().await;
    let running = Running::start(&url, &[]).await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");

    let asked = std::time::Instant::now();
    assert_eq!(running.stop("-TERM").await.0, Some(0));
    assert!(asked.elapsed() < Duration::from_secs(8), "it waited for the idle connection: {:?}", asked.elapsed());
}

#[tokio::test]
async fn every_request_is_a_line_of_the_log_and_no_password_is_in_any() {
    let url = "postgres://marquee:hunter2@127.0.0.1:1/marquee?password=hunter2";
    let running = Running::start(url, &["--log-format", "json"]).await;
    assert!(running.first_line.contains("\"database\":\"postgres://***@127.0.0.1:1/marquee\""), "{}", running.first_line);
    running.get("/livez").await;
    running.get("/readyz").await;

    let (code, log) = running.stop("-TERM").await;

    assert_eq!(code, Some(0));
    let requests: Vec<serde_json::Value> = log
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["message"] == "request")
        .collect();
    let told: Vec<_> = requests.iter().map(|line| (line["route"].as_str().unwrap(), line["status"].as_u64().unwrap())).collect();
    assert_eq!(told, [("/livez", 200), ("/readyz", 503)]);
    assert!(requests[1]["error"].as_str().unwrap().starts_with("the database is away"), "the log knows the cause");
    assert!(!log.concat().contains("hunter2"));
}

/// What the driver of the other tests can't send: bytes that are no URI.
#[tokio::test]
async fn what_is_no_request_is_refused() {
    let (_database, url) = sqlite().await;
    let running = Running::start(&url, &[]).await;
    for request in
        [&b"GET /search?starts_at=\xff\xfe HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"[..], b"\x16\x03\x01\r\n\r\n"]
    {
        let answer = running.exchange(request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    let longest = format!("GET /search?{} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", "x".repeat(100_000));
    let answer = running.exchange(longest.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(running.get("/livez").await.0, "HTTP/1.1 200 OK");
    assert_eq!(running.stop("-TERM").await.0, Some(0));
}

#[tokio::test]
async fn a_port_in_use_ends_it_with_1() {
    let (_database, url) = sqlite().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = output(&["--api-listen", &address, "--database-url", &url]).await;
    assert_eq!(refused.status.code(), Some(1));
    let log = String::from_utf8(refused.stderr).unwrap();
    assert!(log.contains("the API cannot serve") && log.contains(&address), "{log}");
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_ends_it_with_1() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("nowhere/marquee.db").display());
    let refused = output(&["--api-listen", "127.0.0.1:0", "--database-url", &url]).await;
    assert_eq!(refused.status.code(), Some(1));
    let log = String::from_utf8(refused.stderr).unwrap();
    assert!(log.contains("the API cannot serve") && log.contains("unable to open database file"), "{log}");
}

#[tokio::test]
async fn it_starts_before_its_schema_and_is_ready_when_that_is_made() {
    let database = TestDatabase::empty(Backend::Sqlite).await;
    let running = Running::start(database.settings.url.expose(), &[]).await;
    assert_eq!(running.get("/livez").await.0, "HTTP/1.1 200 OK");
    assert_eq!(running.get("/readyz").await.0, "HTTP/1.1 503 Service Unavailable");

    Migrator::up(&database.connect(ConnectionRole::Worker).await, None).await.unwrap();

    assert_eq!(running.get("/readyz").await.0, "HTTP/1.1 200 OK");
    assert_eq!(running.stop("-TERM").await.0, Some(0));
}

/// News come from a primary that is away, so the process asks the replica for them.
#[tokio::test]
async fn reads_go_to_the_replica() {
    let (_database, replica) = sqlite().await;
    let running = Running::start("postgres://127.0.0.1:1/marquee", &["--database-read-url", &replica]).await;
    assert_eq!(running.get("/search").await.0, "HTTP/1.1 200 OK");
    assert_eq!(running.get("/readyz").await.0, "HTTP/1.1 200 OK");
    assert_eq!(running.stop("-TERM").await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_before_its_server_and_is_ready_when_that_comes() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let switch = Switch::before(&database, Line::Off).await;
    let running = Running::start(switch.settings().url.expose(), &[]).await;
    assert_eq!(running.get("/livez").await.0, "HTTP/1.1 200 OK");
    assert_eq!(running.get("/readyz").await.0, "HTTP/1.1 503 Service Unavailable");

    switch.turn(Line::On).await;

    assert_eq!(running.get("/readyz").await.0, "HTTP/1.1 200 OK");
    assert_eq!(running.stop("-TERM").await.0, Some(0));
    switch.turn(Line::Off).await;
    database.remove().await;
}
