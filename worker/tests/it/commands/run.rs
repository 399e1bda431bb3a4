//! `marquee-worker run`, and its shutdown.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex},
};

use entity::{ConnectionRole, provider, sync_run::RunState};
use migration::testing::{Backend, TestDatabase};
use sea_orm::EntityTrait;

use super::{SLUG, Sandbox};
use crate::{
    copy::{Tables, provider_of, runs_of},
    entries, fixtures,
    patience::eventually,
    served::ServedProvider,
};

/// A running worker and its log so far.
struct RunningWorker {
    worker: Child,
    log: Arc<Mutex<String>>,
}

impl RunningWorker {
    fn start(sandbox: &Sandbox) -> Self {
        Self::spawn(sandbox.command(&["run"]))
    }

    fn spawn(mut command: Command) -> Self {
        let mut worker = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, written) = (BufReader::new(worker.stderr.take().unwrap()).lines(), log.clone());
        // A pipe that is not read blocks its writer when it is full.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *written.lock().unwrap() += &(line + "\n");
            }
        });
        Self { worker, log }
    }

    async fn wait_for_log(&self, text: &str) {
        eventually(text, async || self.log.lock().unwrap().contains(text).then_some(())).await;
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.worker.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    async fn wait(&mut self) -> ExitStatus {
        eventually("the worker exits", async || self.worker.try_wait().unwrap()).await
    }
}

impl Drop for RunningWorker {
    fn drop(&mut self) {
        // The process may already have ended.
        let _gone = self.worker.kill();
        let _reaped = self.worker.wait();
    }
}

impl RunningWorker {
    /// The head and body of a response of the metrics endpoint.
    async fn metrics(&self, path: &str) -> (String, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        self.wait_for_log("metrics endpoint started metrics.listen=").await;
        let log = self.log.lock().unwrap().clone();
        let address = log.split("metrics endpoint started metrics.listen=").nth(1).unwrap().split_whitespace().next().unwrap();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: worker\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        (head.to_owned(), body.to_owned())
    }
}

async fn sandbox_for(served: &ServedProvider) -> Sandbox {
    Sandbox::with(TestDatabase::migrated(Backend::Sqlite).await, &entries::entry_text(SLUG, &served.url, ""))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_sync_is_finished_at_sigterm() {
    let served = ServedProvider::with_faults("latency:4000").await;
    let sandbox = sandbox_for(&served).await;
    let mut running = RunningWorker::start(&sandbox);
    eventually("the provider is polled", async || (served.provider.statistics().requests == 1).then_some(())).await;
    running.signal("TERM");
    running.wait_for_log("shutdown signal received").await;
    assert_eq!(served.provider.statistics().full_responses, 0, "the signal precedes the response");
    assert_eq!(running.wait().await.code(), Some(0));

    let database = sandbox.database.connect(ConnectionRole::Worker).await;
    let states: Vec<RunState> = runs_of(&database, SLUG).await.iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Succeeded]);
    assert_eq!(Tables::of(&database).await.events.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_exits_at_sigterm_and_ctrl_c() {
    for signal in ["TERM", "INT"] {
        let served = ServedProvider::with_faults("").await;
        let sandbox = sandbox_for(&served).await;
        let mut running = RunningWorker::start(&sandbox);
        running.wait_for_log("sync completed").await;
        running.signal(signal);
        assert_eq!(running.wait().await.code(), Some(0), "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_exits_immediately() {
    let served = ServedProvider::with_faults("hang").await;
    let sandbox = sandbox_for(&served).await;
    let mut running = RunningWorker::start(&sandbox);
    eventually("the provider is polled", async || (served.provider.statistics().requests == 1).then_some(())).await;
    running.signal("TERM");
    running.wait_for_log("shutdown signal received").await;
    running.signal("TERM");
    assert_eq!(running.wait().await.code(), Some(130));
    let database = sandbox.database.connect(ConnectionRole::Worker).await;
    assert_eq!(runs_of(&database, SLUG).await[0].state, RunState::Running, "the run was not closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_removed_from_the_file_is_retired_and_its_events_retained() {
    let served = ServedProvider::with_faults("").await;
    let sandbox = sandbox_for(&served).await;
    sandbox.write("providers.toml", entries::entry_text("old-stage", &served.url, ""));
    let from = fixtures::path("three_polls/first.xml");
    assert_eq!(sandbox.run(&["sync", "old-stage", "--from", from.to_str().unwrap()]).code, Some(0));
    sandbox.write("providers.toml", entries::entry_text(SLUG, &served.url, ""));

    // All providers of the database would be retired.
    let refused = sandbox.run(&["run"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.error_message().contains("any provider of the database (old-stage)")
            && refused.error_message().contains("nothing was changed")
            && refused.error_message().contains("--allow-retire"),
        "{}",
        refused.stderr
    );
    let database = sandbox.database.connect(ConnectionRole::Worker).await;
    assert_eq!(provider_of(&database, "old-stage").await.retired_at, None);

    let mut running = RunningWorker::spawn(sandbox.command(&["run", "--allow-retire"]));
    running.wait_for_log("WARN providers retired").await;
    running.wait_for_log("provider.slugs=\"old-stage\"").await;
    running.wait_for_log("sync completed").await;
    running.signal("TERM");
    assert_eq!(running.wait().await.code(), Some(0));
    let providers = provider::Entity::find().all(&database).await.unwrap();
    let retired: Vec<(&str, bool)> =
        providers.iter().map(|provider| (provider.slug.as_str(), provider.retired_at.is_some())).collect();
    assert_eq!(retired, [("old-stage", true), (SLUG, false)]);
    assert_eq!(Tables::of(&database).await.events.len(), 23, "its events are retained");
    let status = sandbox.run(&["status"]).stdout;
    assert!(status.lines().any(|line| line.starts_with("old-stage ") && line.contains(" retired ")), "{status}");

    // It is polled again when it is listed again.
    sandbox.write("providers.toml", entries::entry_text("old-stage", &served.url, ""));
    assert_eq!(sandbox.run(&["sync", "old-stage"]).code, Some(0));
    assert_eq!(provider_of(&database, "old-stage").await.retired_at, None);
}

/// Only retiring all providers is refused.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_providers_is_retired_without_a_flag() {
    let served = ServedProvider::with_faults("").await;
    // Too late to rename the other one.
    for more in ["", "previous_slugs = [\"old-stage\"]"] {
        let sandbox = sandbox_for(&served).await;
        sandbox.write("providers.toml", entries::entry_text(SLUG, &served.url, more));
        let database = sandbox.database.connect(ConnectionRole::Worker).await;
        for slug in ["old-stage", SLUG] {
            worker::sync::register::register(&database, &entries::entry(slug, &served.url, "")).await.unwrap();
        }
        let mut running = RunningWorker::start(&sandbox);
        running.wait_for_log("worker started").await;
        running.signal("TERM");
        assert_eq!(running.wait().await.code(), Some(0));
        assert!(provider_of(&database, "old-stage").await.retired_at.is_some(), "{more}");
        assert_eq!(provider_of(&database, SLUG).await.retired_at, None, "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slug_of_a_renamed_provider_changes_no_provider() {
    let served = ServedProvider::with_faults("").await;
    let sandbox = sandbox_for(&served).await;
    let database = sandbox.database.connect(ConnectionRole::Worker).await;
    let entry = |slug, more| entries::entry_text(slug, &served.url, more);
    for (slug, more) in [("old-stage", ""), (SLUG, "previous_slugs = [\"old-stage\"]"), ("southstage", "")] {
        worker::sync::register::register(&database, &entries::entry(slug, &served.url, more)).await.unwrap();
    }
    sandbox.write("providers.toml", entry(SLUG, "") + &entry("southstage", ""));
    let mut running = RunningWorker::start(&sandbox);
    running.wait_for_log("worker started").await;
    sandbox.write("providers.toml", entry(SLUG, "") + &entry("old-stage", ""));
    running.wait_for_log("not reloaded, previous providers remain error=the slug `old-stage` belonged to").await;
    assert_eq!(provider_of(&database, "southstage").await.retired_at, None);
    let refused = sandbox.run(&["run"]);
    assert!(refused.error_message().contains("belonged to the provider `northstage`"), "{}", refused.stderr);
    assert_eq!(provider_of(&database, "southstage").await.retired_at, None);
    sandbox.write("providers.toml", entry(SLUG, "") + &entry("southstage", "max_pages = 7"));
    running.wait_for_log("providers.added=\"\" providers.changed=\"southstage\" providers.removed=\"\"").await;
    running.signal("TERM");
    assert_eq!(running.wait().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_cover_runs_phases_and_freshness() {
    let served = ServedProvider::with_faults("").await;
    let sandbox = sandbox_for(&served).await;
    let mut running = RunningWorker::start(&sandbox);
    running.wait_for_log("sync completed").await;
    let body = eventually("the gauges are read", async || {
        let (_, body) = running.metrics("/metrics").await;
        body.contains("marquee_provider_freshness_seconds").then_some(body)
    })
    .await;
    let provider = format!("provider=\"{SLUG}\"");
    for series in [
        format!("marquee_sync_runs_total{{{provider},state=\"succeeded\",reason=\"\"}} 1"),
        format!("marquee_sync_events_total{{{provider},kind=\"inserted\"}} 20"),
        format!("marquee_sync_rejects_total{{{provider}}} 0"),
        format!("marquee_sync_duration_seconds_count{{{provider},phase=\"write\"}} 1"),
        format!("marquee_provider_freshness_seconds{{{provider}}} "),
        "marquee_jobs{state=\"dead\"} 0".to_owned(),
        "marquee_oldest_due_job_seconds 0".to_owned(),
        "# TYPE marquee_sync_duration_seconds histogram".to_owned(),
    ] {
        assert!(body.contains(&series), "{series} is missing in\n{body}");
    }
    let (head, _) = running.metrics("/metrics").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(running.metrics("/").await.0.starts_with("HTTP/1.1 404 "));
    running.signal("TERM");
    assert_eq!(running.wait().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metrics_address_in_use_does_not_prevent_syncs() {
    let occupied = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let served = ServedProvider::with_faults("").await;
    let sandbox = sandbox_for(&served).await;
    let address = occupied.local_addr().unwrap().to_string();
    let worker = sandbox.command(&["run", "--metrics-listen", &address]);
    let mut running = RunningWorker::spawn(worker);
    running.wait_for_log("to use another address, set METRICS_LISTEN").await;
    running.wait_for_log("sync completed").await;
    running.signal("TERM");
    assert_eq!(running.wait().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_file_is_reloaded() {
    let (first, second) = (ServedProvider::with_faults("").await, ServedProvider::with_faults("").await);
    let every_second = "schedule = \"* * * * * *\"";
    let entry = |served: &ServedProvider, slug: &str, more: &str| entries::entry_text(slug, &served.url, more);
    let requests = |served: &ServedProvider| served.provider.statistics().requests;
    let sandbox = sandbox_for(&first).await;
    let database = sandbox.database.connect(ConnectionRole::Worker).await;
    let mut running = RunningWorker::start(&sandbox);
    running.wait_for_log("sync completed").await;

    sandbox.write("providers.toml", entry(&first, SLUG, "") + &entry(&second, "southstage", ""));
    running.wait_for_log("providers.added=\"southstage\"").await;
    eventually("the new provider is polled", async || (requests(&second) == 1).then_some(())).await;
    eventually("it is copied", async || (runs_of(&database, "southstage").await.first()?.ended_at).map(drop)).await;

    // An invalid file is logged once, and changes nothing.
    sandbox.write("providers.toml", entry(&first, SLUG, "") + "[[provider]]\nslug = \"South\"");
    running.wait_for_log("providers file not reloaded, previous providers remain").await;
    running.wait_for_log("`slug` must have 1 to 64 characters of a-z, 0-9 and -, got `South` (line ").await;
    sandbox.write("providers.toml", entry(&first, "weststage", ""));
    running.wait_for_log("so all of them would be retired; nothing was changed").await;
    assert_eq!(running.log.lock().unwrap().matches("providers file not reloaded").count(), 2);

    sandbox.write("providers.toml", entry(&first, SLUG, every_second));
    running.wait_for_log("providers.changed=\"northstage\" providers.removed=\"southstage\"").await;
    let before = requests(&first);
    eventually("the new schedule is used", async || (requests(&first) > before + 2).then_some(())).await;
    assert_eq!(requests(&second), 1);
    assert_eq!(provider_of(&database, SLUG).await.retired_at, None);
    assert!(provider_of(&database, "southstage").await.retired_at.is_some());
    running.signal("TERM");
    assert_eq!(running.wait().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_sync_ends_with_the_entry_with_which_it_began() {
    let (first, second) = (ServedProvider::with_faults("latency:4000").await, ServedProvider::with_faults("").await);
    let sandbox = sandbox_for(&first).await;
    let mut running = RunningWorker::start(&sandbox);
    eventually("the provider is polled", async || (first.provider.statistics().requests == 1).then_some(())).await;
    sandbox.write("providers.toml", entries::entry_text(SLUG, &second.url, "schedule = \"* * * * * *\""));
    running.wait_for_log("providers.changed=\"northstage\"").await;
    assert_eq!(first.provider.statistics().full_responses, 0, "the sync is running");
    eventually("the next sync has the new entry", async || (second.provider.statistics().requests > 0).then_some(())).await;
    running.signal("TERM");
    assert_eq!(running.wait().await.code(), Some(0));
    let database = sandbox.database.connect(ConnectionRole::Worker).await;
    assert_eq!(runs_of(&database, SLUG).await[0].state, RunState::Succeeded);
    assert_eq!(first.provider.statistics().full_responses, 1);
}
