//! `marquee-worker lint`.

use std::{io::Write, process::Stdio};

use super::{Office, Told};
use crate::{fixtures, served::Served};

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
        reject.starts_with(
            "feed.xml:18:7: event 444/1642 is rejected: `event_start_date` must be an existing date, got `2021-09-31T20:00:00`"
        ),
        "{reject}"
    );
    assert_eq!(*summary, "feed.xml: 3 base events (1 offline, 2 online), 2 events and 5 zones would be taken, 1 items rejected");
}

#[tokio::test]
async fn what_has_no_id_is_told_by_its_place_alone() {
    let office = Office::new().await;
    for (name, line) in [
        ("missing_base_event_id", "feed.xml:4:5: base event ? is rejected: `base_event_id` or `base_plan_id` is missing"),
        ("missing_event_id", "feed.xml:6:18: event 2/? is rejected: `event_id` or `plan_id` is missing"),
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

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_can_be_read_where_it_is_served() {
    let served = Served::with_faults("").await;
    let office = Office::new().await;
    let told = office.told(&["lint", &format!("{}?key=open-sesame", served.url)]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    assert!(told.stdout.starts_with("127.0.0.1/feed: ") && told.stdout.contains(" 20 events and "), "{}", told.stdout);
    let told = office.told(&["lint", &served.url, "--max-body-bytes", "1000"]);
    assert_eq!(told.code, Some(1));
    assert_eq!(told.last_words(), "marquee-worker: the document exceeds the limit of 1000 bytes");
}

#[tokio::test]
async fn a_feed_can_come_on_standard_input() {
    let office = Office::new().await;
    let mut command = office.command(&["lint", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    command.stdin.take().unwrap().write_all(&fixtures::bytes("three_answers/first.xml")).unwrap();
    let told = Told::of(command.wait_with_output().unwrap());
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    assert!(told.stdout.starts_with("standard input: 3 base events (3 online), 3 events"), "{}", told.stdout);
}

#[tokio::test]
async fn a_file_without_an_end_is_left_at_the_limit() {
    let told = Office::new().await.told(&["lint", "/dev/zero", "--max-body-bytes", "100000"]);
    assert_eq!(told.code, Some(1));
    assert!(told.last_words().contains("exceeds the limit of 100000 bytes"), "{}", told.stderr);
}
