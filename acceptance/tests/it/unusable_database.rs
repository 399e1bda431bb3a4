//! What the programs report if the database does not respond, rejects them, does not exist or has an outdated schema.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use migration::{
    Migrator, MigratorTrait, on_every_backend,
    testing::{Backend, TestDatabase},
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    deployment::{format_entry, program},
    wait::eventually,
};

on_every_backend!(an_outdated_schema_is_reported_until_it_is_migrated, a_newer_schema_is_accepted);

/// Every command that needs the database and exits.
const COMMANDS: [(&str, &[&str]); 8] = [
    ("marquee-migrate", &["up"]),
    ("marquee-migrate", &["down"]),
    ("marquee-migrate", &["status"]),
    ("marquee-worker", &["status"]),
    ("marquee-worker", &["jobs", "list"]),
    ("marquee-worker", &["jobs", "retry", "1"]),
    ("marquee-worker", &["rates", "delete", "1"]),
    ("marquee-worker", &["sync", "fever"]),
];
/// The long-running programs, which wait for the database.
const SERVICES: [(&str, &[&str]); 2] = [("marquee-worker", &["run"]), ("marquee-api", &[])];
/// More than the 5 s that the programs may take, because the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(15);

fn write_providers(folder: &Path) {
    std::fs::write(folder.join("providers.toml"), format_entry("fever", "http://127.0.0.1:1/feed", "0 0 0 1 1 *")).unwrap();
}

fn build_command(folder: &Path, name: &str, arguments: &[&str], url: &str) -> Command {
    let mut command = Command::new(program(name));
    command
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", url)
        .env("METRICS_LISTEN", "127.0.0.1:0")
        .env("API_LISTEN", "127.0.0.1:0")
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// A running program, which is killed on drop.
struct Service {
    process: Child,
    log: Arc<Mutex<String>>,
}

impl Service {
    fn start(folder: &Path, name: &str, arguments: &[&str], url: &str) -> Self {
        let mut process = build_command(folder, name, arguments, url).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, written) = (BufReader::new(process.stderr.take().unwrap()).lines(), log.clone());
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| *written.lock().unwrap() += &(line + "\n")));
        Self { process, log }
    }

    fn read_log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    async fn wait_for_log(&self, text: &str) {
        eventually(&format!("`{text}` is logged"), async || self.read_log().contains(text).then_some(())).await;
    }

    fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Status and body of a GET of the API.
    async fn get(&self, path: &str) -> (u16, serde_json::Value) {
        let log = self.read_log();
        let address = log.split("api.listen=").nth(1).unwrap().split(' ').next().unwrap();
        crate::deployment::send_to(address, "GET", path, &[], "").await.unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Fails if the process has exited.
        let _killed = self.process.kill();
        let _status = self.process.wait();
    }
}

/// Runs a command that must fail in time; returns what it prints on standard error.
fn fail(folder: &Path, name: &str, arguments: &[&str], url: &str) -> String {
    let started = Instant::now();
    let output = build_command(folder, name, arguments, url).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{name} {arguments:?}: {stderr}");
    assert!(started.elapsed() < PATIENCE, "{name} {arguments:?} takes {:?}", started.elapsed());
    stderr
}

/// Checks that every program reports the error of this URL: `texts` are the host and the cause.
async fn assert_reported(url: &str, texts: &[&str]) {
    let folder = TempDir::new().unwrap();
    write_providers(folder.path());
    let assert_complete = |name: &str, report: &str| {
        assert!(texts.iter().all(|text| report.contains(text)), "{name}: {texts:?} expected in\n{report}");
        assert!(!report.contains("open-sesame"), "{name}: {report}");
    };
    for (name, arguments) in COMMANDS {
        assert_complete(name, &fail(folder.path(), name, arguments, url));
    }
    for (name, arguments) in SERVICES {
        let started = Instant::now();
        let mut service = Service::start(folder.path(), name, arguments, url);
        service.wait_for_log("the database cannot be used").await;
        assert!(started.elapsed() < PATIENCE, "{name} takes {:?}", started.elapsed());
        assert_complete(name, &service.read_log());
        assert!(service.is_running(), "{name} waits for the database");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_reported() {
    assert_reported(
        "postgres://marquee:open-sesame@127.0.0.1:1/marquee",
        &["postgres://***@127.0.0.1:1/marquee", "Connection refused"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_name_that_does_not_exist_is_reported() {
    let url = "postgres://marquee:open-sesame@no-such-host.invalid/marquee";
    assert_reported(url, &["postgres://***@no-such-host.invalid/marquee", "failed to lookup address"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_respond_is_reported() {
    // Connections are completed by the kernel, and never served.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let location = format!("{}/marquee", server.local_addr().unwrap());
    let url = format!("postgres://marquee:open-sesame@{location}");
    assert_reported(&url, &[&format!("postgres://***@{location}"), "no response within 4 s"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_connection_is_reported() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let url = database.settings.url.expose();
    let name = url.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    let missing = url.replace(name, "no_such_database");
    assert_reported(&missing, &["rejected the connection", "no_such_database", "does not exist"]).await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_sqlite_file_is_reported_and_not_created() {
    let folder = TempDir::new().unwrap();
    write_providers(folder.path());
    for (name, arguments) in COMMANDS.into_iter().filter(|(_, arguments)| *arguments != ["up"]) {
        let error = fail(folder.path(), name, arguments, "sqlite://marquee.db?mode=rwc");
        assert!(error.contains("the SQLite file marquee.db does not exist; to create it, run `marquee-migrate up`"), "{error}");
    }
    let mut worker = Service::start(folder.path(), "marquee-worker", &["run"], "sqlite://marquee.db?mode=rwc");
    worker.wait_for_log("the SQLite file marquee.db does not exist").await;
    assert!(worker.is_running());
    assert!(!folder.path().join("marquee.db").exists());
}

async fn an_outdated_schema_is_reported_until_it_is_migrated(database: Arc<TestDatabase>) {
    let (folder, url) = (TempDir::new().unwrap(), database.settings.url.expose());
    write_providers(folder.path());
    let connection = database.connect(entity::ConnectionRole::Worker).await;
    for steps in [Some(1), None] {
        Migrator::down(&connection, steps).await.unwrap();
        for (name, arguments) in COMMANDS.into_iter().filter(|(name, _)| *name == "marquee-worker") {
            let error = fail(folder.path(), name, arguments, url);
            assert!(
                error.contains(" is outdated: it lacks the migration ") && error.contains("run `marquee-migrate up`"),
                "{error}"
            );
        }
        let worker = Service::start(folder.path(), "marquee-worker", &["run"], url);
        worker.wait_for_log("run `marquee-migrate up`").await;
        let api = Service::start(folder.path(), "marquee-api", &[], url);
        api.wait_for_log("schema outdated").await;
        let (status, problem) = api.get("/readyz").await;
        assert_eq!((status, &problem["error"]["code"]), (503, &json!("schema_outdated")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("run `marquee-migrate up`"), "{problem}");
        assert_eq!(api.get("/livez").await.0, 200);

        Migrator::up(&connection, None).await.unwrap();
        worker.wait_for_log("worker started").await;
        eventually("the API is ready", async || (api.get("/readyz").await.0 == 200).then_some(())).await;
    }
    connection.close().await.unwrap();
}

async fn a_newer_schema_is_accepted(database: Arc<TestDatabase>) {
    use sea_orm::ConnectionTrait;
    let (folder, url) = (TempDir::new().unwrap(), database.settings.url.expose());
    write_providers(folder.path());
    let connection = database.connect(entity::ConnectionRole::Worker).await;
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000001_newer', 0)";
    connection.execute_unprepared(newer).await.unwrap();
    connection.close().await.unwrap();
    assert!(build_command(folder.path(), "marquee-worker", &["status"], url).status().unwrap().success());
    let api = Service::start(folder.path(), "marquee-api", &[], url);
    api.wait_for_log("api.listen=").await;
    let (status, body) = api.get("/readyz").await;
    assert_eq!(status, 200, "{body}");
}
