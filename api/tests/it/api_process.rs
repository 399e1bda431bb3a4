//! The `marquee-api` process: arguments, startup, logs and exit codes.

use std::{
    net::SocketAddr,
    process::{Output, Stdio},
    time::Duration,
};

use entity::ConnectionRole;
use migration::{
    Migrator, MigratorTrait,
    testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStderr, Command},
    time::timeout,
};

/// Longer than the drain time, and generous because the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn build_command(arguments: &[&str]) -> Command {
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

async fn run(arguments: &[&str]) -> Output {
    timeout(TIMEOUT, build_command(arguments).output()).await.unwrap().unwrap()
}

/// A process that accepts connections.
pub(crate) struct RunningApi {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) first_line: String,
    /// Everything after the first line.
    log: Lines<BufReader<ChildStderr>>,
}

impl RunningApi {
    pub(crate) async fn start(database_url: &str, arguments: &[&str]) -> Self {
        let mut child = build_command(&["--api-listen", "127.0.0.1:0", "--database-url", database_url])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let first_line = timeout(TIMEOUT, log.next_line()).await.unwrap().unwrap().unwrap();
        let rest = first_line.split_once("listen").unwrap_or_else(|| panic!("no listen address in {first_line}")).1;
        let address = rest.trim_start_matches(['=', '"', ':']).split([' ', '"']).next().unwrap();
        Self { child, address: address.parse().unwrap(), first_line, log }
    }

    /// Sends a request, and returns the status line and the body of the response.
    pub(crate) async fn get(&self, path: &str) -> (String, String) {
        let text = self.exchange(format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").as_bytes()).await;
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    pub(crate) async fn exchange(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut response = Vec::new();
        timeout(TIMEOUT, stream.read_to_end(&mut response)).await.unwrap().unwrap();
        String::from_utf8(response).unwrap()
    }

    /// Waits for the process to exit, and returns its exit code.
    pub(crate) async fn wait(mut self) -> Option<i32> {
        timeout(TIMEOUT, self.child.wait()).await.unwrap().unwrap().code()
    }

    pub(crate) async fn send_signal(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
    }

    /// Sends a signal, waits for the process to exit, and returns the exit code and the log lines.
    pub(crate) async fn stop(mut self, signal: &str) -> (Option<i32>, Vec<String>) {
        self.send_signal(signal).await;
        let status = timeout(TIMEOUT, self.child.wait()).await.unwrap().unwrap();
        let mut lines = Vec::new();
        while let Some(line) = self.log.next_line().await.unwrap() {
            lines.push(line);
        }
        (status.code(), lines)
    }
}

pub(crate) async fn create_sqlite_database() -> (TestDatabase, String) {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let url = database.settings.url.expose().to_owned();
    (database, url)
}

#[tokio::test]
async fn help_matches_the_snapshots() {
    for arguments in
        [&["--help"][..], &["check", "--help"], &["keys", "--help"], &["keys", "new", "--help"], &["health", "--help"]]
    {
        let help = run(arguments).await;
        assert_eq!(help.status.code(), Some(0), "{arguments:?}");
        insta::assert_snapshot!(arguments.join("_").replace("--", ""), String::from_utf8(help.stdout).unwrap());
    }
}

#[tokio::test]
async fn help_and_version_exit_with_0() {
    let help = run(&["--help"]).await;
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
        assert!(help.contains(setting), "{setting} is missing in: {help}");
    }
    let version = run(&["--version"]).await;
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(String::from_utf8(version.stdout).unwrap(), format!("marquee-api {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn invalid_arguments_exit_with_2() {
    for arguments in [
        ["--api-listen", "here"],
        ["--api-listen", "127.0.0.1"],
        ["--log-format", "xml"],
        ["--log-filter", "a=b=c"],
        ["--port", "80"],
        ["serve", "now"],
    ] {
        let output = run(&arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[tokio::test]
async fn a_termination_signal_exits_with_0() {
    let (_database, url) = create_sqlite_database().await;
    for signal in ["-TERM", "-INT"] {
        let process = RunningApi::start(&url, &[]).await;
        assert_eq!(process.get("/livez").await, ("HTTP/1.1 200 OK".to_owned(), "{\"status\":\"live\"}".to_owned()));
        assert_eq!(process.stop(signal).await.0, Some(0), "{signal}");
    }
}

/// Load balancers keep connections open.
#[tokio::test]
async fn idle_connections_do_not_delay_shutdown() {
    let (_database, url) = create_sqlite_database().await;
    let process = RunningApi::start(&url, &[]).await;
    let mut idle = TcpStream::connect(process.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");

    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

#[tokio::test]
async fn every_request_is_logged_without_passwords() {
    let url = "postgres://marquee:hunter2@127.0.0.1:1/marquee?password=hunter2";
    let process = RunningApi::start(url, &["--log-format", "json"]).await;
    assert!(process.first_line.contains("postgres://***@127.0.0.1:1/marquee"), "{}", process.first_line);
    process.get("/livez").await;
    process.get("/readyz").await;
    process.exchange(b"POST /providers/fever/sync HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;

    let (code, log) = process.stop("-TERM").await;

    assert_eq!(code, Some(0));
    let mut requests: Vec<Value> = log
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["span"]["name"] == "request")
        .collect();
    assert!(requests[1]["error"].as_str().unwrap().starts_with("the database "), "the cause is logged");
    requests.iter_mut().for_each(redact_fields);
    insta::assert_snapshot!("log_lines", serde_json::to_string_pretty(&requests).unwrap());
    assert!(!log.concat().contains("hunter2"));
}

/// Replaces the fields of a log line, and of its span, that differ between runs.
fn redact_fields(line: &mut Value) {
    for (name, value) in line.as_object_mut().unwrap() {
        if ["timestamp", "request.id", "http.duration_ms", "error"].contains(&name.as_str()) {
            *value = json!(format!("[{name}]"));
        } else if value.is_object() {
            redact_fields(value);
        }
    }
}

#[tokio::test]
async fn malformed_requests_are_rejected() {
    let (_database, url) = create_sqlite_database().await;
    let process = RunningApi::start(&url, &[]).await;
    for request in
        [&b"GET /search?starts_at=\xff\xfe HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"[..], b"\x16\x03\x01\r\n\r\n"]
    {
        let response = process.exchange(request).await;
        assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    }
    let longest = format!("GET /search?{} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", "x".repeat(100_000));
    let response = process.exchange(longest.as_bytes()).await;
    assert!(response.starts_with("HTTP/1.1 4"), "{response}");
    assert_eq!(process.get("/livez").await.0, "HTTP/1.1 200 OK");
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

#[tokio::test]
async fn a_port_in_use_exits_with_1() {
    let (_database, url) = create_sqlite_database().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let output = run(&["--api-listen", &address, "--database-url", &url]).await;
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("API failed") && log.contains(&address), "{log}");
}

#[tokio::test]
async fn an_inaccessible_database_file_exits_with_1() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("missing/marquee.db").display());
    let output = run(&["--api-listen", "127.0.0.1:0", "--database-url", &url]).await;
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("API failed") && log.contains("unable to open database file"), "{log}");
}

#[tokio::test]
async fn becomes_ready_once_the_schema_exists() {
    let database = TestDatabase::empty(Backend::Sqlite).await;
    let process = RunningApi::start(database.settings.url.expose(), &[]).await;
    assert_eq!(process.get("/livez").await.0, "HTTP/1.1 200 OK");
    assert_eq!(process.get("/readyz").await.0, "HTTP/1.1 503 Service Unavailable");

    Migrator::up(&database.connect(ConnectionRole::Worker).await, None).await.unwrap();

    assert_eq!(process.get("/readyz").await.0, "HTTP/1.1 200 OK");
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

/// The primary is unreachable, so the replica also supplies the catalogue version.
#[tokio::test]
async fn reads_go_to_the_replica() {
    let (_database, replica) = create_sqlite_database().await;
    let process = RunningApi::start("postgres://127.0.0.1:1/marquee", &["--database-read-url", &replica]).await;
    assert_eq!(process.get("/search").await.0, "HTTP/1.1 200 OK");
    assert_eq!(process.get("/readyz").await.0, "HTTP/1.1 200 OK");
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn becomes_ready_once_the_database_server_is_reachable() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Cut).await;
    let process = RunningApi::start(proxy.settings().url.expose(), &[]).await;
    assert_eq!(process.get("/livez").await.0, "HTTP/1.1 200 OK");
    assert_eq!(process.get("/readyz").await.0, "HTTP/1.1 503 Service Unavailable");

    proxy.set_mode(ProxyMode::Forward).await;

    assert_eq!(process.get("/readyz").await.0, "HTTP/1.1 200 OK");
    assert_eq!(process.stop("-TERM").await.0, Some(0));
    proxy.set_mode(ProxyMode::Cut).await;
    database.remove().await;
}
