//! `marquee-worker lint`.

use super::Office;
use crate::fixtures;

#[tokio::test]
async fn a_clean_feed_ends_with_0_and_what_would_be_taken() {
    let office = Office::new().await;
    let file = office.write("feed.xml", fixtures::bytes("three_answers/first.xml"));
    let told = office.told(&["lint", "feed.xml"]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    assert_eq!(told.stdout, "feed.xml: 3 base events (3 online), 3 events and 6 zones would be taken, 0 items rejected\n");
    assert!(file.exists());
}

#[tokio::test]
async fn each_reject_is_a_line_with_its_place() {
    let office = Office::new().await;
    office.write("feed.xml", fixtures::bytes("three_answers/second.xml"));
    let told = office.told(&["lint", "feed.xml"]);
    assert_eq!(told.code, Some(1));
    let lines: Vec<&str> = told.stdout.lines().collect();
    let [reject, summary] = lines.as_slice() else { panic!("{}", told.stdout) };
    assert!(
        reject.starts_with("feed.xml:18:7: event 444/1642 is rejected: date `2021-09-31T20:00:00`: there is no such day"),
        "{reject}"
    );
    assert_eq!(*summary, "feed.xml: 3 base events (1 offline, 2 online), 2 events and 5 zones would be taken, 1 items rejected");
}

#[tokio::test]
async fn what_has_no_id_is_told_by_its_place_alone() {
    let office = Office::new().await;
    for (name, line) in [
        ("missing_base_event_id", "feed.xml:4:5: base event ? is rejected: base_event_id or base_plan_id is missing"),
        ("missing_event_id", "feed.xml:6:18: event 2/? is rejected: event_id or plan_id is missing"),
    ] {
        office.write("feed.xml", fixtures::bytes(&format!("rejects/{name}.xml")));
        let told = office.told(&["lint", "feed.xml"]);
        assert_eq!((told.code, told.stdout.lines().next()), (Some(1), Some(line)));
    }
}

#[tokio::test]
async fn every_untrusted_document_ends_with_1_and_the_reason() {
    let office = Office::new().await;
    for document in fixtures::untrusted() {
        office.write("feed.xml", &document.bytes);
        let told = office.told(&["lint", "feed.xml"]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""), "{}", document.name);
        assert!(
            told.last_words().starts_with("marquee-worker: feed.xml would be refused whole: "),
            "{}: {}",
            document.name,
            told.stderr
        );
    }
}

#[tokio::test]
async fn the_providers_conventions_can_be_given() {
    let office = Office::new().await;
    office.write("feed.xml", fixtures::bytes("rejects/price_with_three_decimals.xml"));
    assert_eq!(office.told(&["lint", "feed.xml"]).code, Some(1));
    let told =
        office.told(&["lint", "feed.xml", "--currency", "KWD", "--time-zone", "Asia/Kuwait", "--format", "event-list-xml"]);
    assert_eq!(told.code, Some(0), "{}", told.stdout);
}

#[tokio::test]
async fn a_file_that_is_not_there_ends_with_1() {
    let told = Office::new().await.told(&["lint", "nowhere.xml"]);
    assert_eq!(told.code, Some(1));
    assert!(told.last_words().starts_with("marquee-worker: nowhere.xml cannot be read: "), "{}", told.stderr);
}
