//! Snapshots of what people read: the help of each command, the tables, and the log line of a sync.
//!
//! After an intended change run the tests with `INSTA_UPDATE=always` and review the difference.

use entity::{
    ConnectionRole, UtcInstant,
    job::{SyncJob, queue as jobs},
    provider,
    provider::ProviderState,
};
use insta::assert_snapshot;
use migration::testing::{Backend, TestDatabase};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::Value;

use super::{CommandOutput, SLUG, Sandbox};
use crate::{entries, fixtures};

#[tokio::test]
async fn help_of_every_command() {
    let sandbox = Sandbox::new().await;
    for command in [
        "",
        "run",
        "sync",
        "check",
        "lint",
        "status",
        "jobs",
        "jobs list",
        "jobs retry",
        "rates",
        "rates load",
        "rates delete",
        "revert",
        "rekey",
        "purge",
    ] {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let output = CommandOutput::new(sandbox.command(&arguments).env_clear().output().unwrap());
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{command}");
        assert_snapshot!(format!("help_{}", command.replace(' ', "_")), output.stdout);
    }
}

/// Makes times that the tables show independent of the time of the test.
async fn freeze(database: &DatabaseConnection) {
    let seconds_from_now = |seconds: i64| UtcInstant::now().0 + seconds * 1_000_000;
    for statement in [
        format!("UPDATE provider SET last_success_at = {} WHERE last_success_at IS NOT NULL", seconds_from_now(-3 * 3_600)),
        format!("UPDATE provider SET pause_until = {}", seconds_from_now(30 * 60 + 40)),
        "UPDATE job SET run_at = 1625000000000000, worker = NULL".to_owned(),
    ] {
        database.execute_unprepared(&statement).await.unwrap();
    }
}

#[tokio::test]
async fn table_of_status_shows_the_state_of_the_api() {
    let entry = |slug| entries::entry_text(slug, "http://127.0.0.1:1/feed", "schedule = \"* * * * * *\"");
    let providers = ["copied", "failing", "new", "retired"].map(entry).concat();
    let sandbox = Sandbox::with(TestDatabase::migrated(Backend::Sqlite).await, &providers);
    let sync = |slug: &str, file: &str| sandbox.run(&["sync", slug, "--from", fixtures::path(file).to_str().unwrap()]).code;
    assert_eq!(sync("copied", "three_polls/first.xml"), Some(0));
    assert_eq!(sync("failing", "untrusted/doctype/bare_doctype.xml"), Some(1));
    assert_eq!(sync("retired", "three_polls/second.xml"), Some(0));
    let database = sandbox.database.connect(ConnectionRole::Worker).await;
    for (slug, change) in [("new", "last_success_at = NULL"), ("retired", "retired_at = 1")] {
        let entry = entries::entry(slug, "http://127.0.0.1:1/feed", "schedule = \"* * * * * *\"");
        worker::sync::register::register(&database, &entry).await.unwrap();
        database.execute_unprepared(&format!("UPDATE provider SET {change} WHERE slug = '{slug}'")).await.unwrap();
    }
    freeze(&database).await;
    let table = sandbox.run(&["status"]).stdout;
    assert_snapshot!("status", table);

    // The API computes the state with the same function.
    let summaries = provider::load_summaries(&database).await.unwrap();
    let states: Vec<(&str, ProviderState)> =
        summaries.iter().map(|summary| (summary.provider.slug.as_str(), summary.state)).collect();
    for (line, (slug, state)) in table.lines().skip(1).zip(states) {
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        assert_eq!(words, [slug, state.name()]);
    }
}

#[tokio::test]
async fn table_of_jobs() {
    let sandbox = Sandbox::new().await;
    let database = sandbox.database.connect(ConnectionRole::Worker).await;
    for trigger in ["first", "second"] {
        jobs::enqueue(&database, &SyncJob::new(SLUG, trigger)).await.unwrap().unwrap();
    }
    freeze(&database).await;
    database.execute_unprepared("UPDATE job SET state = 'dead', attempt = 5, reason = 'no response' WHERE id = 1").await.unwrap();
    assert_snapshot!("jobs", sandbox.run(&["jobs", "list"]).stdout);
}

#[tokio::test]
async fn output_of_rates() {
    let sandbox = Sandbox::new().await;
    sandbox.write("invalid.csv", "orig_code,dest_code,day,price\nAAAAA,BBBBB,2021-01-31,-1\n");
    let invalid = sandbox.run(&["rates", "load", "invalid.csv"]);
    sandbox.write("empty.txt", "");
    let unknown = sandbox.run(&["rates", "load", "empty.txt"]);
    let missing = sandbox.run(&["rates", "take-back", "1"]);
    assert_snapshot!("rates", format!("{}{}{}", invalid.stdout, unknown.stderr, missing.stderr));
}

/// The log line of a sync as JSON, with the same time and durations in every run.
fn sync_line(sandbox: &Sandbox, file: &str, message: &str) -> String {
    let from = fixtures::path(file);
    let mut command = sandbox.command(&["sync", SLUG, "--from", from.to_str().unwrap()]);
    let output = CommandOutput::new(command.env("LOG_FORMAT", "json").output().unwrap());
    let line = output.stderr.lines().find(|line| line.contains(message)).unwrap_or_else(|| panic!("{}", output.stderr));
    let mut line: Value = serde_json::from_str(line).unwrap();
    for (field, value) in line.as_object_mut().unwrap() {
        if field == "timestamp" || field.ends_with("_ms") {
            *value = format!("[{field}]").into();
        }
    }
    format!("{line:#}")
}

#[tokio::test]
async fn log_line_of_a_sync() {
    let sandbox = Sandbox::new().await;
    assert_snapshot!("sync_completed", sync_line(&sandbox, "three_polls/second.xml", "sync completed"));
    assert_snapshot!("sync_failed", sync_line(&sandbox, "untrusted/doctype/bare_doctype.xml", "sync failed"));
}
