//! The house of one test: the real programs on a database of its own, with a simulated provider.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::Arc,
};

use migration::testing::TestDatabase;
use provider_sim::{SimCatalogue, SimProvider};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The slug of the only provider.
pub(crate) const SLUG: &str = "fever";

/// Everything that one test runs.
pub(crate) struct House {
    pub(crate) database: Arc<TestDatabase>,
    pub(crate) provider: SimProvider,
    /// Where the provider's feed is.
    pub(crate) url: String,
    folder: TempDir,
    _provider_stops_with_the_house: DropGuard,
}

impl House {
    /// A migrated database, a provider that serves on a socket, and the settings that name both.
    pub(crate) async fn new(database: Arc<TestDatabase>, catalogue: SimCatalogue) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let provider = SimProvider::new(catalogue);
        let stop = CancellationToken::new();
        tokio::spawn(provider_sim::serve(listener, provider.clone(), stop.clone()));

        let folder = TempDir::new().unwrap();
        let url = format!("http://{address}/feed");
        let house = Self { database, provider, url, folder, _provider_stops_with_the_house: stop.drop_guard() };
        house.write_providers(&entry(SLUG, &house.url, "* * * * * *"));
        house
    }

    /// Other entries than the one of the only provider.
    pub(crate) fn write_providers(&self, entries: &str) {
        std::fs::write(self.folder.path().join("providers.toml"), entries).unwrap();
    }

    /// Starts `marquee-worker run`, which logs to a file.
    pub(crate) fn run(&self, name: &str) -> Worker {
        let log = self.folder.path().join(format!("{name}.log"));
        let process = self.worker(&["run"]).stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        Worker { process, log }
    }

    /// `marquee-worker` with these arguments.
    pub(crate) fn worker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("marquee-worker"));
        command
            .args(arguments)
            .env("DATABASE_URL", self.database.settings.url.expose())
            .env("METRICS_LISTEN", "127.0.0.1:0")
            .env("PROVIDERS_FILE", self.folder.path().join("providers.toml"))
            // A dead worker is not waited for longer than a test has to.
            .env("JOB_LEASE_SECONDS", "2")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `marquee-worker sync` to its end and tells whether it went well.
    pub(crate) fn sync(&self) -> bool {
        self.worker(&["sync", SLUG]).status().unwrap().success()
    }

    /// Starts `marquee-api`.
    pub(crate) fn api(&self) -> Api {
        self.api_with(&[])
    }

    /// The same with more settings.
    pub(crate) fn api_with(&self, settings: &[(&str, &str)]) -> Api {
        let (api, log) = self.logged_api(settings);
        // Whoever does not read a pipe to its end stops its writer some day.
        std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(drop));
        api
    }

    /// A key that `marquee-api keys new` has made, and added to the file.
    pub(crate) fn new_key(&self, file: &str, scope: &str) -> String {
        let mut keys = Command::new(program("marquee-api"));
        let made = keys.args(["keys", "new", scope, "--scope", scope, "--api-keys-file", file]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// The same, with what it logs from now on.
    pub(crate) fn api_with_log(&self) -> (Api, BufReader<ChildStderr>) {
        self.logged_api(&[])
    }

    fn logged_api(&self, settings: &[(&str, &str)]) -> (Api, BufReader<ChildStderr>) {
        let mut process = Command::new(program("marquee-api"))
            .args(["--api-listen", "127.0.0.1:0"])
            .env("DATABASE_URL", self.database.settings.url.expose())
            .envs(settings.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut lines = log.by_ref().lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split("listen=").nth(1)?.split(' ').next()?.to_owned()));
        (Api { process, address: address.expect("the API logs where it listens") }, log)
    }
}

/// An entry of `providers.toml`.
pub(crate) fn entry(slug: &str, url: &str, schedule: &str) -> String {
    format!(
        "[[provider]]\nslug = \"{slug}\"\nurl = \"{url}\"\nformat = \"event-list-xml\"\nschedule = \"{schedule}\"\n\
         currency = \"EUR\"\nallow_private_addresses = true\n"
    )
}

/// A running `marquee-worker`.
pub(crate) struct Worker {
    process: Child,
    log: PathBuf,
}

impl Worker {
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "whoever reads why a test failed wants to see this")]
            {
                eprintln!("--- {}\n{}", self.log.display(), self.log());
            }
        }
        // Nothing can be done about a process that is gone already.
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A running `marquee-api`.
pub(crate) struct Api {
    process: Child,
    address: String,
}

impl Api {
    /// Status and body of a GET.
    pub(crate) async fn get(&self, path_and_query: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(format!("GET {path_and_query} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        answer(stream).await.unwrap()
    }
}

impl Api {
    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The text of a GET that goes well.
    pub(crate) async fn text(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        body.to_owned()
    }

    /// A connection on which the head of a request with a body of so many bytes was sent.
    pub(crate) async fn begin(&self, method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> TcpStream {
        begin(&self.address, method, path, headers, length).await.unwrap()
    }

    /// Status and body of a request with a body; none if the connection breaks before.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<(u16, Value)> {
        send_to(&self.address, method, path, headers, body).await
    }

    /// Whether somebody new can connect.
    pub(crate) async fn listens(&self) -> bool {
        TcpStream::connect(&self.address).await.is_ok()
    }

    /// Ends it as the kernel would, at once.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Tells it to end, as a platform would.
    pub(crate) fn signal(&self) {
        let told = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(told.success());
    }

    /// How it ends.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// Asks it to end, as a platform would, and waits for that.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal();
        self.end()
    }
}

async fn begin(address: &str, method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    Ok(stream)
}

/// Status and body of a request to whoever listens there; none if nobody does, or the connection breaks.
pub(crate) async fn send_to(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<(u16, Value)> {
    let mut stream = begin(address, method, path, headers, body.len()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()?;
    answer(stream).await
}

/// Status and body of what comes on a connection; none if it breaks before.
pub(crate) async fn answer(mut stream: TcpStream) -> Option<(u16, Value)> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some((status, serde_json::from_str(body).unwrap_or_default()))
}

impl Drop for Api {
    fn drop(&mut self) {
        // Nothing can be done about a process that is gone already.
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A program of the workspace, as `cargo test --workspace` built it beside this test.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.exists(), "{} is not built: run `make test`, or `cargo build --workspace` first", path.display());
    path
}
