//! `marquee-worker sync`.

use entity::ConnectionRole;
use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;

use super::{SLUG, Sandbox};
use crate::{copy::Tables, entries, feeds, fixtures, served::ServedProvider};

fn path(name: &str) -> String {
    fixtures::path(name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn copies_a_feed_from_a_file() {
    let sandbox = Sandbox::new().await;
    let output = sandbox.run(&["sync", SLUG, "--from", &path("three_polls/first.xml")]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(
        output.stdout,
        "northstage: succeeded (run 1): 3 events fetched, 3 inserted, 0 updated, 0 unchanged, 0 left, 0 items rejected\n"
    );
    let output = sandbox.run(&["sync", SLUG, "--from", &path("three_polls/second.xml")]);
    assert_eq!(output.code, Some(0), "a reject is not a failure: {}", output.stderr);
    assert!(output.stdout.contains("2 updated, 0 unchanged, 1 left, 1 item rejected"), "{}", output.stdout);
    let tables = Tables::of(&sandbox.database.connect(ConnectionRole::Worker).await).await;
    assert_eq!((tables.version, tables.events.len()), (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_a_feed_from_the_provider() {
    let served = ServedProvider::new(SimCatalogue::default()).await;
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let sandbox = Sandbox::with(database, &entries::entry_text(SLUG, &served.url, ""));
    let output = sandbox.run(&["sync", SLUG]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stdout.contains("500 events fetched, 500 inserted"), "{}", output.stdout);
    assert!(sandbox.run(&["sync", SLUG]).stdout.contains("northstage: unchanged (run 2)"));
}

#[tokio::test]
async fn an_untrusted_file_exits_with_1_and_the_reason() {
    let sandbox = Sandbox::new().await;
    for (file, reason) in [
        ("truncated/exactly_between_two_tags.xml", "the document is truncated"),
        ("doctype/entity_bomb.xml", "a DOCTYPE is not allowed (line 2)"),
        ("html_page/page_without_doctype.html", "the document is a web page"),
        ("wrong_root/another_list.xml", "must start with `<eventList>` or `<planList>`"),
        ("empty_document/no_byte.xml", "the document is empty"),
    ] {
        let output = sandbox.run(&["sync", SLUG, "--from", &path(&format!("untrusted/{file}"))]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{file}");
        assert!(output.error_message().contains(reason), "{file}: {}", output.stderr);
    }
}

#[tokio::test]
async fn a_shrunk_feed_is_accepted_only_with_accept_shrink() {
    let sandbox = Sandbox::new().await;
    let feed = |events: u64| SimCatalogue { events, ..SimCatalogue::default() }.feed(0);
    let (full, small) = (sandbox.write("full.xml", feed(60)), sandbox.write("small.xml", feed(10)));
    assert_eq!(sandbox.run(&["sync", SLUG, "--from", full.to_str().unwrap()]).code, Some(0));
    let rejected = sandbox.run(&["sync", SLUG, "--from", small.to_str().unwrap()]);
    assert_eq!(rejected.code, Some(1));
    assert!(rejected.error_message().contains("--accept-shrink"), "{}", rejected.stderr);
    let accepted = sandbox.run(&["sync", SLUG, "--from", small.to_str().unwrap(), "--accept-shrink"]);
    assert_eq!(accepted.code, Some(0), "{}", accepted.stderr);
    assert!(accepted.stdout.contains("50 left"), "{}", accepted.stdout);
}

#[tokio::test]
async fn implausible_prices_are_accepted_only_with_accept_prices() {
    let sandbox = Sandbox::new().await;
    let document = |price: &str| {
        let events: Vec<String> = (0..20).map(|id| feeds::event(&id.to_string(), &[price])).collect();
        feeds::feed(&[feeds::online("1", &events)])
    };
    let (euros, cents) = (sandbox.write("euros.xml", document("5.00")), sandbox.write("cents.xml", document("500.00")));
    assert_eq!(sandbox.run(&["sync", SLUG, "--from", euros.to_str().unwrap()]).code, Some(0));
    let rejected = sandbox.run(&["sync", SLUG, "--from", cents.to_str().unwrap()]);
    assert_eq!(rejected.code, Some(1));
    assert!(rejected.error_message().contains("--accept-prices"), "{}", rejected.stderr);
    let accepted = sandbox.run(&["sync", SLUG, "--from", cents.to_str().unwrap(), "--accept-prices"]);
    assert_eq!(accepted.code, Some(0), "{}", accepted.stderr);
    assert!(accepted.stdout.contains("20 updated"), "{}", accepted.stdout);
}

#[tokio::test]
async fn other_ids_are_accepted_only_with_accept_churn() {
    let sandbox = Sandbox::new().await;
    let export = |number: u32| {
        let events: Vec<String> = (0..20).map(|id| feeds::event(&format!("{number}-{id}"), &["5.00"])).collect();
        let path = sandbox.write("feed.xml", feeds::feed(&[feeds::online(&number.to_string(), &events)]));
        path.to_str().unwrap().to_owned()
    };
    assert_eq!(sandbox.run(&["sync", SLUG, "--from", &export(1)]).code, Some(0));
    let rejected = sandbox.run(&["sync", SLUG, "--from", &export(2)]);
    assert_eq!(rejected.code, Some(1));
    assert!(rejected.error_message().contains("--accept-churn"), "{}", rejected.stderr);
    let accepted = sandbox.run(&["sync", SLUG, "--from", &export(2), "--accept-churn"]);
    assert_eq!(accepted.code, Some(0), "{}", accepted.stderr);
    assert!(accepted.stdout.contains("20 inserted") && accepted.stdout.contains("20 left"), "{}", accepted.stdout);
}

#[tokio::test]
async fn an_unknown_slug_exits_with_1_and_the_known_slugs() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let entry = |slug| entries::entry_text(slug, "http://127.0.0.1:1/feed", "");
    let sandbox = Sandbox::with(database, &(entry("northstage") + &entry("southstage")));
    let output = sandbox.run(&["sync", "weststage"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        output.error_message(),
        "marquee-worker: unknown provider `weststage`; the providers file has: northstage, southstage"
    );
}

#[tokio::test]
async fn an_unreachable_provider_exits_with_1_and_the_cause() {
    let sandbox = Sandbox::new().await;
    let output = sandbox.run(&["sync", SLUG]);
    assert_eq!(output.code, Some(1));
    assert!(output.error_message().starts_with("marquee-worker: cannot connect to the provider: "), "{}", output.stderr);
}

#[tokio::test]
async fn a_missing_schema_is_reported_with_advice() {
    let providers = entries::entry_text(SLUG, "http://127.0.0.1:1/feed", "");
    let sandbox = Sandbox::with(TestDatabase::empty(Backend::Sqlite).await, &providers);
    let from = path("three_polls/first.xml");
    // Creates the file.
    sandbox.database.connect(ConnectionRole::Worker).await.close().await.unwrap();
    for arguments in [&["sync", SLUG, "--from", &from][..], &["status"], &["jobs", "list"]] {
        let output = sandbox.run(arguments);
        assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(
            output.error_message().contains("is outdated: it lacks the migration ")
                && output.stderr.contains("; run `marquee-migrate up`"),
            "{arguments:?}: {}",
            output.stderr
        );
    }
}

#[tokio::test]
async fn a_missing_file_exits_with_1() {
    let sandbox = Sandbox::new().await;
    let output = sandbox.run(&["sync", SLUG, "--from", "nowhere.xml"]);
    assert_eq!(output.code, Some(1));
    assert!(output.error_message().contains("the file cannot be read: No such file"), "{}", output.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_requests_an_unmodified_document_again() {
    let served = ServedProvider::new(SimCatalogue { churn: 0.0, ..SimCatalogue::default() }).await;
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let sandbox = Sandbox::with(database, &entries::entry_text(SLUG, &served.url, ""));
    for (arguments, full_responses, not_modified) in
        [(&["sync", SLUG][..], 1, 0), (&["sync", SLUG], 1, 1), (&["sync", SLUG, "--full"], 2, 1), (&["sync", SLUG], 2, 2)]
    {
        assert_eq!(sandbox.run(arguments).code, Some(0), "{arguments:?}");
        let statistics = served.provider.statistics();
        assert_eq!((statistics.full_responses, statistics.not_modified), (full_responses, not_modified), "{arguments:?}");
    }
}
