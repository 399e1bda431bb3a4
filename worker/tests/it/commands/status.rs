//! `marquee-worker status`.

use migration::testing::{Backend, TestDatabase};

use super::{SLUG, Sandbox};
use crate::{entries, fixtures};

/// The line of a provider in the table.
fn line<'a>(table: &'a str, slug: &str) -> &'a str {
    table.lines().find(|line| line.split_whitespace().next() == Some(slug)).unwrap_or_else(|| panic!("no {slug} in\n{table}"))
}

#[tokio::test]
async fn without_providers_the_table_is_empty() {
    let output = Sandbox::new().await.run(&["status"]);
    assert_eq!((output.code, output.stdout.lines().count()), (Some(0), 1), "{}", output.stdout);
    assert!(output.stdout.starts_with("PROVIDER"));
}

#[tokio::test]
async fn shows_each_provider_with_its_last_run() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let entry = |slug| entries::entry_text(slug, "http://127.0.0.1:1/feed", "schedule = \"0 0 0 * * *\"");
    let sandbox = Sandbox::with(database, &(entry(SLUG) + &entry("southstage")));
    let sync = |slug: &str, file: &str| sandbox.run(&["sync", slug, "--from", fixtures::path(file).to_str().unwrap()]).code;
    assert_eq!(sync(SLUG, "three_polls/first.xml"), Some(0));
    assert_eq!(sync("southstage", "untrusted/doctype/bare_doctype.xml"), Some(1));

    let output = sandbox.run(&["status"]);
    assert_eq!(output.code, Some(0));
    let northstage = line(&output.stdout, SLUG);
    assert!(northstage.contains(" ok ") && northstage.contains(" s ") && northstage.contains(" in "), "{northstage}");
    assert!(
        northstage.ends_with("#1 succeeded: 3 events fetched, 3 inserted, 0 updated, 0 unchanged, 0 left, 0 rejected"),
        "{northstage}"
    );
    let southstage = line(&output.stdout, "southstage");
    assert!(southstage.contains(" failing ") && southstage.contains(" - "), "{southstage}");
    assert!(southstage.contains("#2 failed: a DOCTYPE is not allowed (line 2)"), "{southstage}");

    assert_eq!(sync(SLUG, "three_polls/first.xml"), Some(0));
    assert!(line(&sandbox.run(&["status"]).stdout, SLUG).contains("#3 unchanged: "));
}

#[tokio::test]
async fn prints_json_for_programs() {
    let sandbox = Sandbox::new().await;
    assert_eq!(sandbox.run(&["status", "--json"]).stdout, "[]\n");
    let path = fixtures::path("three_polls/first.xml");
    assert_eq!(sandbox.run(&["sync", SLUG, "--from", path.to_str().unwrap()]).code, Some(0));
    let output = sandbox.run(&["status", "--json"]);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    let providers: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let [provider] = providers.as_array().unwrap().as_slice() else { panic!("{providers}") };
    assert_eq!((&provider["slug"], &provider["state"]), (&SLUG.into(), &"ok".into()));
    assert!(provider["age_seconds"].as_u64().unwrap() < 60);
    for instant in [&provider["last_success_at"], &provider["next_tick_at"], &provider["last_run"]["ended_at"]] {
        let text = instant.as_str().unwrap();
        assert!(text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok(), "{text}");
    }
    let run = &provider["last_run"];
    assert_eq!((&run["fetched"], &run["inserted"], &run["left"]), (&3.into(), &3.into(), &0.into()));
    assert!(run["reason"].is_null() && run["http_status"].is_null());
}
