//! `marquee-worker status`.

use migration::testing::{Backend, TestDatabase};

use super::{Office, SLUG};
use crate::{entries, fixtures};

/// The line of a provider in the table.
fn line<'a>(table: &'a str, slug: &str) -> &'a str {
    table.lines().find(|line| line.split_whitespace().next() == Some(slug)).unwrap_or_else(|| panic!("no {slug} in\n{table}"))
}

#[tokio::test]
async fn a_database_that_knows_no_provider_has_an_empty_table() {
    let told = Office::new().await.told(&["status"]);
    assert_eq!((told.code, told.stdout.lines().count()), (Some(0), 1), "{}", told.stdout);
    assert!(told.stdout.starts_with("PROVIDER"));
}

#[tokio::test]
async fn each_provider_is_told_with_its_last_run() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let entry = |slug| entries::entry_text(slug, "http://127.0.0.1:1/feed", "schedule = \"0 0 0 * * *\"");
    let office = Office::with(database, &(entry(SLUG) + &entry("southstage")));
    let sync = |slug: &str, file: &str| office.told(&["sync", slug, "--from", fixtures::path(file).to_str().unwrap()]).code;
    assert_eq!(sync(SLUG, "three_answers/first.xml"), Some(0));
    assert_eq!(sync("southstage", "untrusted/doctype/bare_doctype.xml"), Some(1));

    let told = office.told(&["status"]);
    assert_eq!(told.code, Some(0));
    let northstage = line(&told.stdout, SLUG);
    assert!(northstage.contains("succeeded") && northstage.contains(" s ") && northstage.contains("  in "), "{northstage}");
    assert!(northstage.ends_with("#1 3 fetched, 3 inserted, 0 updated, 0 unchanged, 0 left, 0 rejected"), "{northstage}");
    let southstage = line(&told.stdout, "southstage");
    assert!(southstage.contains("failed") && southstage.contains("never taken"), "{southstage}");
    assert!(southstage.ends_with("#2 a DOCTYPE is not allowed (line 2); send the document without it"), "{southstage}");

    assert_eq!(sync(SLUG, "three_answers/first.xml"), Some(0));
    assert!(line(&office.told(&["status"]).stdout, SLUG).contains("unchanged"));
}

#[tokio::test]
async fn programs_read_the_same_as_json() {
    let office = Office::new().await;
    assert_eq!(office.told(&["status", "--json"]).stdout, "[]\n");
    let path = fixtures::path("three_answers/first.xml");
    assert_eq!(office.told(&["sync", SLUG, "--from", path.to_str().unwrap()]).code, Some(0));
    let told = office.told(&["status", "--json"]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    let providers: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let [provider] = providers.as_array().unwrap().as_slice() else { panic!("{providers}") };
    assert_eq!((&provider["slug"], &provider["state"]), (&SLUG.into(), &"succeeded".into()));
    assert!(provider["age_seconds"].as_u64().unwrap() < 60);
    for instant in [&provider["last_success_at"], &provider["next_tick_at"], &provider["last_run"]["ended_at"]] {
        let text = instant.as_str().unwrap();
        assert!(text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok(), "{text}");
    }
    let run = &provider["last_run"];
    assert_eq!((&run["fetched"], &run["inserted"], &run["left"]), (&3.into(), &3.into(), &0.into()));
    assert!(run["reason"].is_null() && run["http_status"].is_null());
}
