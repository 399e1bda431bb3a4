//! `marquee-worker sync`.

use entity::ConnectionRole;
use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;

use super::{Office, SLUG};
use crate::{copy::Tables, entries, fixtures, served::Served};

fn path(name: &str) -> String {
    fixtures::path(name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_feed_from_a_file_goes_in() {
    let office = Office::new().await;
    let told = office.told(&["sync", SLUG, "--from", &path("three_answers/first.xml")]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert_eq!(
        told.stdout,
        "northstage: succeeded (run 1): 3 events fetched, 3 inserted, 0 updated, 0 unchanged, 0 left, 0 items rejected\n"
    );
    let told = office.told(&["sync", SLUG, "--from", &path("three_answers/second.xml")]);
    assert_eq!(told.code, Some(0), "a reject is no failure: {}", told.stderr);
    assert!(told.stdout.contains("2 updated, 0 unchanged, 1 left, 1 items rejected"), "{}", told.stdout);
    let tables = Tables::of(&office.database.connect(ConnectionRole::Worker).await).await;
    assert_eq!((tables.version, tables.events.len()), (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_from_the_provider_goes_in() {
    let served = Served::new(SimCatalogue::default()).await;
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let office = Office::with(database, &entries::entry_text(SLUG, &served.url, ""));
    let told = office.told(&["sync", SLUG]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("500 events fetched, 500 inserted"), "{}", told.stdout);
    assert!(office.told(&["sync", SLUG]).stdout.contains("northstage: unchanged (run 2)"));
}

#[tokio::test]
async fn an_untrusted_file_ends_with_1_and_the_reason() {
    let office = Office::new().await;
    for (file, reason) in [
        ("truncated/exactly_between_two_tags.xml", "the document is truncated"),
        ("doctype/entity_bomb.xml", "a DOCTYPE is not allowed (line 2)"),
        ("wrong_root/page_without_doctype.html", "must start with `<eventList>` or `<planList>`, got `<html>`"),
        ("byte_order_mark/utf_8.xml", "the document starts with a byte order mark"),
        ("empty_document/no_byte.xml", "the document is empty"),
    ] {
        let told = office.told(&["sync", SLUG, "--from", &path(&format!("untrusted/{file}"))]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""), "{file}");
        assert!(told.last_words().contains(reason), "{file}: {}", told.stderr);
    }
}

#[tokio::test]
async fn a_shrunk_feed_is_taken_only_if_it_is_said_to_be_meant() {
    let office = Office::new().await;
    let feed = |events: u64| SimCatalogue { events, ..SimCatalogue::default() }.feed(0);
    let (full, small) = (office.write("full.xml", feed(60)), office.write("small.xml", feed(10)));
    assert_eq!(office.told(&["sync", SLUG, "--from", full.to_str().unwrap()]).code, Some(0));
    let refused = office.told(&["sync", SLUG, "--from", small.to_str().unwrap()]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.last_words().contains("--accept-shrink"), "{}", refused.stderr);
    let taken = office.told(&["sync", SLUG, "--from", small.to_str().unwrap(), "--accept-shrink"]);
    assert_eq!(taken.code, Some(0), "{}", taken.stderr);
    assert!(taken.stdout.contains("50 left"), "{}", taken.stdout);
}

#[tokio::test]
async fn an_unknown_slug_ends_with_1_and_those_that_are_known() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let entry = |slug| entries::entry_text(slug, "http://127.0.0.1:1/feed", "");
    let office = Office::with(database, &(entry("northstage") + &entry("southstage")));
    let told = office.told(&["sync", "weststage"]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""));
    assert_eq!(told.last_words(), "marquee-worker: unknown provider `weststage`; the providers file has: northstage, southstage");
}

#[tokio::test]
async fn a_provider_that_is_away_ends_with_1_and_the_cause() {
    let office = Office::new().await;
    let told = office.told(&["sync", SLUG]);
    assert_eq!(told.code, Some(1));
    assert!(told.last_words().starts_with("marquee-worker: cannot connect to the provider: "), "{}", told.stderr);
}

#[tokio::test]
async fn without_a_schema_there_is_advice() {
    let providers = entries::entry_text(SLUG, "http://127.0.0.1:1/feed", "");
    let office = Office::with(TestDatabase::empty(Backend::Sqlite).await, &providers);
    let from = path("three_answers/first.xml");
    for arguments in [&["sync", SLUG, "--from", &from][..], &["status"], &["run"]] {
        let told = office.told(arguments);
        assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(told.last_words().contains("if it is new, run `marquee-migrate up`"), "{arguments:?}: {}", told.stderr);
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_ends_with_1() {
    let office = Office::new().await;
    let told = office.told(&["sync", SLUG, "--from", "nowhere.xml"]);
    assert_eq!(told.code, Some(1));
    assert!(told.last_words().contains("the file cannot be read: No such file"), "{}", told.stderr);
}
