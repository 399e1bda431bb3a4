//! `marquee-worker purge`: arguments and output, and a purge that is killed.

use entity::{ConnectionRole, event, provider, tombstone};
use migration::testing::{Backend, TestDatabase};
use sea_orm::{DatabaseConnection, EntityTrait, PaginatorTrait};
use worker::{
    backfill::{self, totals::Totals},
    sync::identity,
};

use super::{SLUG, Sandbox};
use crate::{
    entries,
    feeds::{event as event_element, feed, online},
    patience::eventually,
};

/// More than one transaction deletes.
const LARGE: usize = 15_000;

/// A sandbox with a copy of base events with one event each.
async fn copy(backend: Backend, base_events: usize) -> (Sandbox, DatabaseConnection) {
    let database = TestDatabase::migrated(backend).await;
    let sandbox = Sandbox::with(database, &entries::entry_text(SLUG, "http://127.0.0.1:1/feed", ""));
    let base_events: Vec<String> = (0..base_events).map(|id| online(&id.to_string(), &[event_element("1", &["5.00"])])).collect();
    let file = sandbox.write("feed.xml", feed(&base_events));
    let output = sandbox.run(&["sync", SLUG, "--from", file.to_str().unwrap()]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let database = sandbox.database.connect(ConnectionRole::Worker).await;
    (sandbox, database)
}

async fn load_provider(database: &DatabaseConnection) -> provider::Model {
    provider::Entity::find().one(database).await.unwrap().unwrap()
}

async fn count_events(database: &DatabaseConnection) -> u64 {
    event::Entity::find().count(database).await.unwrap()
}

async fn an_event_and_then_its_provider_are_removed(backend: Backend) {
    let (sandbox, database) = copy(backend, 3).await;
    let id = identity::event_id(SLUG, "1", "1").to_string();
    let run = |arguments: &[&str]| sandbox.run(&[&["purge"], arguments].concat());
    let expect = |arguments: &[&str], expected: &str| {
        let output = run(arguments);
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), expected), "{output:?}");
    };
    let expect_failure = |arguments: &[&str], code: i32, expected: &str| {
        let output = run(arguments);
        assert!(output.code == Some(code) && output.stderr.contains(expected), "{output:?}");
    };

    expect_failure(&[], 2, "--provider <SLUG>");
    expect_failure(&["--event", &id], 2, "--reason <TEXT>");
    expect_failure(&["--event", &id, "--provider", SLUG, "--reason", "x"], 2, "cannot be used with");
    expect_failure(&["--event", &id, "--reason", " "], 2, "must have 1 to 500 characters");
    expect_failure(&["--event", "00000000-0000-0000-0000-000000000000", "--reason", "x"], 1, "does not exist");
    expect_failure(&["--provider", "other", "--reason", "x", "--yes"], 1, "provider other does not exist");
    expect_failure(&["--provider", SLUG, "--reason", "x"], 1, "without a terminal, add `--yes`; nothing was removed");
    expect_failure(&["--provider", SLUG, "--readmit"], 1, "was not purged");

    expect(&["--event", &id, "--dry-run"], &format!("event {id} would be removed\n"));
    expect(&["--provider", SLUG, "--dry-run"], &format!("{SLUG}: 3 events, 0 venues and 0 performers would be removed\n"));
    assert_eq!(count_events(&database).await, 3);
    expect(&["--event", &id, "--reason", "case 12"], &format!("event {id} removed\n"));
    expect(&["--event", &id, "--reason", "case 12"], &format!("event {id} was already removed\n"));
    assert_eq!(count_events(&database).await, 2);
    let purged = format!("{SLUG}: 2 events, 0 venues and 0 performers removed; its syncs are refused until `--readmit`\n");
    expect(&["--provider", SLUG, "--reason", "case 13", "--yes"], &purged);
    let reasons = tombstone::Entity::find().all(&database).await.unwrap();
    let mut reasons: Vec<&str> = reasons.iter().map(|tombstone| tombstone.reason.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["case 12", "case 13", "case 13"]);

    let sync = ["sync", SLUG, "--from", "feed.xml"];
    let output = sandbox.run(&sync);
    assert!(output.code == Some(1) && output.error_message().contains("the catalogue of the provider was purged"), "{output:?}");
    expect(&["--provider", SLUG, "--readmit"], &format!("{SLUG}: syncs are allowed again\n"));
    let output = sandbox.run(&sync);
    assert!(output.stdout.contains("3 events fetched, 2 inserted, 0 updated, 1 unchanged"), "{output:?}");
}

async fn a_killed_purge_is_hidden_and_completed_by_another(backend: Backend) {
    let (sandbox, database) = copy(backend, LARGE).await;
    backfill::run::<Totals>(&database).await.unwrap();
    assert!(load_provider(&database).await.totals_release.is_some());
    let purge = ["purge", "--provider", SLUG, "--reason", "case 13", "--yes"];
    let mut killed = sandbox.command(&purge).spawn().unwrap();
    let left = eventually("a part is deleted", async || {
        let left = count_events(&database).await;
        (left < LARGE as u64).then_some(left)
    })
    .await;
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(left > 0, "the purge had one part");
    let provider = load_provider(&database).await;
    assert!(provider.loading_since.is_some() && provider.purged_at.is_some(), "{provider:?}");
    assert_eq!(provider.totals_release, None, "a program of an earlier release may complete the purge");

    let output = sandbox.run(&["sync", SLUG, "--from", "feed.xml"]);
    assert!(output.error_message().contains("was purged"), "{output:?}");
    let output = sandbox.run(&["purge", "--provider", SLUG, "--readmit"]);
    assert!(output.error_message().contains("was interrupted"), "{output:?}");
    let output = sandbox.run(&purge);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(count_events(&database).await, 0);
    assert_eq!(tombstone::Entity::find().count(&database).await.unwrap(), LARGE as u64);
    let provider = load_provider(&database).await;
    assert_eq!((provider.loading_since, provider.totals_release), (None, provider.last_release));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_and_then_its_provider_are_removed_on_sqlite() {
    an_event_and_then_its_provider_are_removed(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_and_then_its_provider_are_removed_on_postgres() {
    an_event_and_then_its_provider_are_removed(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_purge_is_hidden_and_completed_by_another_on_sqlite() {
    a_killed_purge_is_hidden_and_completed_by_another(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_purge_is_hidden_and_completed_by_another_on_postgres() {
    a_killed_purge_is_hidden_and_completed_by_another(Backend::Postgres).await;
}
