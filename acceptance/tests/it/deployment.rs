//! The environment of one test: the programs as processes on their own database, with a simulated provider.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    sync::Arc,
};

use entity::DatabaseSettings;
use migration::testing::TestDatabase;
use provider_sim::{SimCatalogue, SimProvider};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The slug of the default provider.
pub(crate) const SLUG: &str = "fever";

/// A database, a served provider, and the settings that the programs are started with.
pub(crate) struct Deployment {
    pub(crate) database: Arc<TestDatabase>,
    pub(crate) provider: SimProvider,
    /// The address of the provider's feed.
    pub(crate) url: String,
    /// Short, so that tests do not wait long for the lease of a killed worker to expire.
    pub(crate) lease_seconds: u32,
    /// The database of workers, which may be behind a proxy.
    pub(crate) worker_database: DatabaseSettings,
    /// The folder of the programs: those beside this test, if a test does not choose others.
    pub(crate) programs: PathBuf,
    folder: TempDir,
    _stop_provider_on_drop: DropGuard,
}

impl Deployment {
    /// `database` must be migrated. The provider is polled every second.
    pub(crate) async fn new(database: Arc<TestDatabase>, catalogue: SimCatalogue) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let provider = SimProvider::new(catalogue);
        let stop = CancellationToken::new();
        tokio::spawn(provider_sim::serve(listener, provider.clone(), stop.clone()));

        let folder = TempDir::new().unwrap();
        let url = format!("http://{address}/feed");
        let (worker_database, stop) = (database.settings.clone(), stop.drop_guard());
        let deployment = Self {
            database,
            provider,
            url,
            lease_seconds: 2,
            worker_database,
            programs: built_programs(),
            folder,
            _stop_provider_on_drop: stop,
        };
        deployment.write_providers(&format_entry(SLUG, &deployment.url, "* * * * * *"));
        deployment
    }

    /// Replaces the entries of `providers.toml`.
    pub(crate) fn write_providers(&self, entries: &str) {
        std::fs::write(self.folder.path().join("providers.toml"), entries).unwrap();
    }

    /// Runs `marquee-migrate up`.
    pub(crate) fn migrate(&self) -> Output {
        let mut command = Command::new(self.program("marquee-migrate"));
        command.arg("up").env("DATABASE_URL", self.database.settings.url.expose()).output().unwrap()
    }

    /// Starts `marquee-worker run` with its log in a file.
    pub(crate) fn start_worker(&self, name: &str) -> WorkerProcess {
        self.start_worker_with(name, &[])
    }

    /// Starts `marquee-worker run` with more settings.
    pub(crate) fn start_worker_with(&self, name: &str, settings: &[(&str, &str)]) -> WorkerProcess {
        let log = self.folder.path().join(format!("{name}.log"));
        let mut command = self.worker_command(&["run"]);
        let process =
            command.envs(settings.iter().copied()).stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        WorkerProcess { process, log }
    }

    /// `marquee-worker` with these arguments.
    pub(crate) fn worker_command(&self, arguments: &[&str]) -> Command {
        let mut command = limitable(&self.program("marquee-worker"));
        command
            .args(arguments)
            .env("DATABASE_URL", self.worker_database.url.expose())
            .env("METRICS_LISTEN", "127.0.0.1:0")
            .env("PROVIDERS_FILE", self.folder.path().join("providers.toml"))
            .env("JOB_LEASE_SECONDS", self.lease_seconds.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `marquee-worker sync`; returns whether it succeeded.
    pub(crate) fn sync(&self) -> bool {
        self.worker_command(&["sync", SLUG]).status().unwrap().success()
    }

    pub(crate) fn start_api(&self) -> ApiProcess {
        self.start_api_with(&[])
    }

    /// Starts `marquee-api` with more settings.
    pub(crate) fn start_api_with(&self, settings: &[(&str, &str)]) -> ApiProcess {
        let (api, log) = self.spawn_api(settings);
        // A full pipe would block the API.
        std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(drop));
        api
    }

    /// Starts `marquee-api`; returns it with the rest of its log.
    pub(crate) fn start_api_with_log(&self) -> (ApiProcess, BufReader<ChildStderr>) {
        self.spawn_api(&[])
    }

    /// Creates an API key with `marquee-api keys new`, which adds it to the file.
    pub(crate) fn create_key(&self, file: &str, scope: &str) -> String {
        let mut command = Command::new(self.program("marquee-api"));
        let output = command.args(["keys", "new", scope, "--scope", scope, "--api-keys-file", file]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn program(&self, name: &str) -> PathBuf {
        existing(self.programs.join(name))
    }

    fn spawn_api(&self, settings: &[(&str, &str)]) -> (ApiProcess, BufReader<ChildStderr>) {
        let mut process = limitable(&self.program("marquee-api"))
            .args(["--api-listen", "127.0.0.1:0"])
            .env("DATABASE_URL", self.database.settings.url.expose())
            .envs(settings.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut lines = log.by_ref().lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split("listen=").nth(1)?.split(' ').next()?.to_owned()));
        (ApiProcess { process, address: address.expect("the API logs its address") }, log)
    }
}

/// An entry of `providers.toml`.
pub(crate) fn format_entry(slug: &str, url: &str, schedule: &str) -> String {
    format!(
        "[[provider]]\nslug = \"{slug}\"\nurl = \"{url}\"\nformat = \"event-list-xml\"\nschedule = \"{schedule}\"\n\
         currency = \"EUR\"\nallow_private_addresses = true\n"
    )
}

/// Sends a signal to a process.
pub(crate) fn send_signal(process: u32, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), process.to_string()]).status().unwrap();
    assert!(status.success());
}

/// A running `marquee-worker`, which is killed on drop.
pub(crate) struct WorkerProcess {
    process: Child,
    log: PathBuf,
}

impl WorkerProcess {
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn send_signal(&self, name: &str) {
        send_signal(self.id(), name);
    }

    /// The exit status, if it has exited.
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    pub(crate) fn read_log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Its metrics; empty until the endpoint has started.
    pub(crate) async fn metrics(&self) -> String {
        let log = self.read_log();
        let Some(rest) = log.split("metrics.listen=").nth(1) else { return String::new() };
        get_text(rest.split_whitespace().next().unwrap(), "/metrics").await
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "the log explains why a test failed")]
            {
                eprintln!("--- {}\n{}", self.log.display(), self.read_log());
            }
        }
        // Fails if the process has exited.
        let _killed = self.process.kill();
        let _status = self.process.wait();
    }
}

/// A running `marquee-api`, which is killed on drop.
pub(crate) struct ApiProcess {
    process: Child,
    address: String,
}

impl ApiProcess {
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Status and body of a GET.
    pub(crate) async fn get(&self, path_and_query: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(format!("GET {path_and_query} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        read_response(stream).await.unwrap()
    }

    /// The body of a GET with status 200, as text.
    pub(crate) async fn text(&self, path: &str) -> String {
        get_text(&self.address, path).await
    }

    /// Opens a connection and sends the head of a request whose body has `length` bytes.
    pub(crate) async fn begin(&self, method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> TcpStream {
        begin_request(&self.address, method, path, headers, length).await.unwrap()
    }

    /// Status and body of a request with a body; `None` if the connection breaks.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<(u16, Value)> {
        send_to(&self.address, method, path, headers, body).await
    }

    /// Whether it accepts connections.
    pub(crate) async fn is_listening(&self) -> bool {
        TcpStream::connect(&self.address).await.is_ok()
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends SIGKILL and waits for the exit.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Sends SIGTERM.
    pub(crate) fn request_shutdown(&self) {
        send_signal(self.id(), "TERM");
    }

    pub(crate) fn wait_for_exit(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// Sends SIGTERM and waits for the exit.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.request_shutdown();
        self.wait_for_exit()
    }
}

impl Drop for ApiProcess {
    fn drop(&mut self) {
        // Fails if the process has exited.
        let _killed = self.process.kill();
        let _status = self.process.wait();
    }
}

async fn get_text(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{response}");
    body.to_owned()
}

async fn begin_request(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    length: usize,
) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    Ok(stream)
}

/// Status and body of a request; `None` if nothing listens at the address, or the connection breaks.
pub(crate) async fn send_to(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<(u16, Value)> {
    let mut stream = begin_request(address, method, path, headers, body.len()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()?;
    read_response(stream).await
}

/// Status and body of the response on a connection; `None` if the connection breaks.
pub(crate) async fn read_response(mut stream: TcpStream) -> Option<(u16, Value)> {
    let mut response = String::new();
    stream.read_to_string(&mut response).await.ok()?;
    let (head, body) = response.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some((status, serde_json::from_str(body).unwrap_or_default()))
}

/// A program that survives a limit on the size of its files: writes beyond it fail like those to a full disk.
fn limitable(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program);
    command
}

/// The path of a program, which `cargo test --workspace` builds beside this test.
pub(crate) fn program(name: &str) -> PathBuf {
    existing(built_programs().join(name))
}

fn built_programs() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().to_owned()
}

fn existing(program: PathBuf) -> PathBuf {
    assert!(program.exists(), "{} does not exist: run `make test`, or `cargo build` first", program.display());
    program
}
