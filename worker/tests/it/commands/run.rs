//! `marquee-worker run`, and how it ends.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex},
};

use entity::{ConnectionRole, provider, sync_run::RunState};
use migration::testing::{Backend, TestDatabase};
use sea_orm::EntityTrait;

use super::{Office, SLUG};
use crate::{
    copy::{Tables, provider_of, runs_of},
    entries, fixtures,
    patience::eventually,
    served::Served,
};

/// A running worker and what it has logged so far.
struct Running {
    worker: Child,
    log: Arc<Mutex<String>>,
}

impl Running {
    fn start(office: &Office) -> Self {
        Self::of(office.command(&["run"]))
    }

    fn of(mut command: Command) -> Self {
        let mut worker = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, written) = (BufReader::new(worker.stderr.take().unwrap()).lines(), log.clone());
        // Whoever does not read a pipe to its end stops its writer some day.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *written.lock().unwrap() += &(line + "\n");
            }
        });
        Self { worker, log }
    }

    async fn logged(&self, words: &str) {
        eventually(words, async || self.log.lock().unwrap().contains(words).then_some(())).await;
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.worker.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    async fn end(&mut self) -> ExitStatus {
        eventually("the worker ends", async || self.worker.try_wait().unwrap()).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing can be done about a process that is gone already.
        let _gone = self.worker.kill();
        let _reaped = self.worker.wait();
    }
}

impl Running {
    /// Head and body of a GET to where the worker serves its metrics.
    async fn metrics(&self, path: &str) -> (String, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        self.logged("metrics are served listen=").await;
        let log = self.log.lock().unwrap().clone();
        let address = log.split("metrics are served listen=").nth(1).unwrap().split_whitespace().next().unwrap();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: worker\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }
}

async fn office_of(served: &Served) -> Office {
    Office::with(TestDatabase::migrated(Backend::Sqlite).await, &entries::entry_text(SLUG, &served.url, ""))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_is_under_way_at_sigterm_is_finished() {
    let served = Served::with_faults("latency:4000").await;
    let office = office_of(&served).await;
    let mut running = Running::start(&office);
    eventually("the provider is asked", async || (served.provider.statistics().requests == 1).then_some(())).await;
    running.signal("TERM");
    running.logged("shutdown signal received").await;
    assert_eq!(served.provider.statistics().full_responses, 0, "the signal came before the answer");
    assert_eq!(running.end().await.code(), Some(0));

    let database = office.database.connect(ConnectionRole::Worker).await;
    let states: Vec<RunState> = runs_of(&database, SLUG).await.iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Succeeded]);
    assert_eq!(Tables::of(&database).await.events.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_ends_at_sigterm_and_at_ctrl_c() {
    for signal in ["TERM", "INT"] {
        let served = Served::with_faults("").await;
        let office = office_of(&served).await;
        let mut running = Running::start(&office);
        running.logged("sync ended").await;
        running.signal(signal);
        assert_eq!(running.end().await.code(), Some(0), "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_worker_that_waits_at_once() {
    let served = Served::with_faults("hang").await;
    let office = office_of(&served).await;
    let mut running = Running::start(&office);
    eventually("the provider is asked", async || (served.provider.statistics().requests == 1).then_some(())).await;
    running.signal("TERM");
    running.logged("shutdown signal received").await;
    running.signal("TERM");
    assert_eq!(running.end().await.code(), Some(130));
    let database = office.database.connect(ConnectionRole::Worker).await;
    assert_eq!(runs_of(&database, SLUG).await[0].state, RunState::Running, "it was not allowed to close its run");
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_that_are_no_longer_named_are_retired_and_kept() {
    let served = Served::with_faults("").await;
    let office = office_of(&served).await;
    office.write("providers.toml", entries::entry_text("old-stage", &served.url, ""));
    let from = fixtures::path("three_answers/first.xml");
    assert_eq!(office.told(&["sync", "old-stage", "--from", from.to_str().unwrap()]).code, Some(0));
    office.write("providers.toml", entries::entry_text(SLUG, &served.url, ""));
    let mut running = Running::start(&office);
    running.logged("sync ended").await;
    running.signal("TERM");
    assert_eq!(running.end().await.code(), Some(0));

    let database = office.database.connect(ConnectionRole::Worker).await;
    let providers = provider::Entity::find().all(&database).await.unwrap();
    let retired: Vec<(&str, bool)> =
        providers.iter().map(|provider| (provider.slug.as_str(), provider.retired_at.is_some())).collect();
    assert_eq!(retired, [("old-stage", true), (SLUG, false)]);
    assert_eq!(Tables::of(&database).await.events.len(), 23, "nothing of it is deleted");
    let status = office.told(&["status"]).stdout;
    assert!(status.lines().any(|line| line.starts_with("old-stage ") && line.contains(" retired ")), "{status}");

    // Named again, it is polled again.
    office.write("providers.toml", entries::entry_text("old-stage", &served.url, ""));
    assert_eq!(office.told(&["sync", "old-stage"]).code, Some(0));
    assert_eq!(provider_of(&database, "old-stage").await.retired_at, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_runs_their_phases_and_the_freshness_of_each_copy() {
    let served = Served::with_faults("").await;
    let office = office_of(&served).await;
    let mut running = Running::start(&office);
    running.logged("sync ended").await;
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
    assert_eq!(running.end().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metrics_address_that_is_taken_costs_the_metrics_and_not_the_syncs() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let served = Served::with_faults("").await;
    let office = office_of(&served).await;
    let address = taken.local_addr().unwrap().to_string();
    let worker = office.command(&["run", "--metrics-listen", &address]);
    let mut running = Running::of(worker);
    running.logged("METRICS_LISTEN names another address").await;
    running.logged("sync ended").await;
    running.signal("TERM");
    assert_eq!(running.end().await.code(), Some(0));
}
