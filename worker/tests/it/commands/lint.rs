//! `marquee-worker lint`.

use std::{io::Write, process::Stdio};

use serde_json::json;

use super::{CommandOutput, Sandbox};
use crate::{fixtures, pages::PageServer, served::ServedProvider};

#[tokio::test]
async fn a_valid_feed_exits_with_0_and_a_summary() {
    let sandbox = Sandbox::new().await;
    let file = sandbox.write("feed.xml", fixtures::bytes("three_polls/first.xml"));
    let output = sandbox.run(&["lint", "feed.xml"]);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        output.stdout,
        "feed.xml: 3 base events (3 online), 3 events and 6 zones accepted, 0 items rejected\n\
         feed.xml: shown: 3 events on 3 days, 2031-02-10 to 2031-07-31\n\
         feed.xml: by status: scheduled 3\n\
         feed.xml: by category: none 3\n\
         feed.xml: by city: none 3\n\
         feed.xml: by day: 2031-02-10 1, 2031-06-30 1, 2031-07-31 1\n\
         feed.xml: without: image 100 %, price 0 %, url 100 %, venue 100 %\n"
    );
    assert!(file.exists());
}

#[tokio::test]
async fn each_reject_is_a_line_with_its_position() {
    let sandbox = Sandbox::new().await;
    sandbox.write("feed.xml", fixtures::bytes("three_polls/second.xml"));
    let output = sandbox.run(&["lint", "feed.xml"]);
    assert_eq!(output.code, Some(1));
    let lines: Vec<&str> = output.stdout.lines().collect();
    let [reject, summary, ..] = lines.as_slice() else { panic!("{}", output.stdout) };
    assert!(
        reject.starts_with(
            "feed.xml:18:7: event 444/1642 rejected: `event_start_date` must be an existing date, got `2021-09-31T20:00:00`"
        ),
        "{reject}"
    );
    assert_eq!(*summary, "feed.xml: 3 base events (1 offline, 2 online), 2 events and 5 zones accepted, 1 item rejected");
}

#[tokio::test]
async fn each_warning_is_a_line_with_its_position_and_does_not_fail() {
    let sandbox = Sandbox::new().await;
    let feed = fixtures::text("sound/small.xml").replace("<zone ", "<zoen/>\n<zone ");
    sandbox.write("feed.xml", feed);
    let output = sandbox.run(&["lint", "feed.xml"]);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    assert!(
        output.stdout.starts_with(
            "feed.xml:6:9: warning: unknown element `<zoen>` is ignored; did you mean `<zone>`?\n\
             feed.xml: 1 base event (1 online), 1 event and 1 zone accepted, 0 items rejected, 1 warning\n"
        ),
        "{}",
        output.stdout
    );
}

#[tokio::test]
async fn several_feeds_are_all_reported() {
    let sandbox = Sandbox::new().await;
    sandbox.write("one.xml", fixtures::bytes("sound/small.xml"));
    sandbox.write("two.xml", "<eventList");
    sandbox.write("three.xml", fixtures::bytes("rejects/impossible_date.xml"));
    let output = sandbox.run(&["lint", "one.xml", "two.xml", "missing.xml", "three.xml"]);
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("one.xml: 1 base event") && output.stdout.contains("three.xml:6:"), "{}", output.stdout);
    let errors: Vec<&str> = output.stderr.lines().collect();
    let [truncated, missing] = errors.as_slice() else { panic!("{}", output.stderr) };
    assert!(truncated.contains("two.xml is rejected as a whole") && missing.contains("missing.xml cannot be read"));
    assert_eq!(sandbox.run(&["lint", "one.xml", "three.xml"]).code, Some(1));
    assert_eq!(sandbox.run(&["lint", "one.xml", "one.xml"]).code, Some(0));
}

#[tokio::test]
async fn an_item_without_an_id_is_identified_by_its_position() {
    let sandbox = Sandbox::new().await;
    for (name, line) in [
        ("missing_base_event_id", "feed.xml:4:5: base event ? rejected: `base_event_id` or `base_plan_id` is missing"),
        ("missing_event_id", "feed.xml:6:18: event 2/? rejected: `event_id` or `plan_id` is missing"),
    ] {
        sandbox.write("feed.xml", fixtures::bytes(&format!("rejects/{name}.xml")));
        let output = sandbox.run(&["lint", "feed.xml"]);
        assert_eq!((output.code, output.stdout.lines().next()), (Some(1), Some(line)));
    }
}

#[tokio::test]
async fn every_untrusted_document_exits_with_1_and_the_reason() {
    let sandbox = Sandbox::new().await;
    for document in fixtures::untrusted() {
        sandbox.write("feed.xml", &document.bytes);
        let output = sandbox.run(&["lint", "feed.xml"]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{}", document.name);
        assert!(
            output.error_message().starts_with("marquee-worker: feed.xml is rejected as a whole: "),
            "{}: {}",
            document.name,
            output.stderr
        );
    }
}

#[tokio::test]
async fn accepts_the_conventions_of_the_provider() {
    let sandbox = Sandbox::new().await;
    sandbox.write("feed.xml", fixtures::bytes("details/price_with_three_decimals.xml"));
    let has_warning = |arguments: &[&str]| {
        let output = sandbox.run(&[&["lint", "feed.xml"], arguments].concat());
        assert_eq!(output.code, Some(0), "{}", output.stdout);
        output.stdout.contains("1 warning")
    };
    assert!(has_warning(&[]));
    assert!(!has_warning(&["--currency", "KWD", "--time-zone", "Asia/Kuwait", "--format", "event-list-xml"]));
}

#[tokio::test]
async fn a_missing_file_exits_with_1() {
    let output = Sandbox::new().await.run(&["lint", "nowhere.xml"]);
    assert_eq!(output.code, Some(1));
    assert!(output.error_message().starts_with("marquee-worker: nowhere.xml cannot be read: "), "{}", output.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_a_feed_from_a_url() {
    let served = ServedProvider::with_faults("").await;
    let sandbox = Sandbox::new().await;
    let output = sandbox.run(&["lint", &format!("{}?key=open-sesame", served.url)]);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    assert!(output.stdout.starts_with("127.0.0.1/feed: ") && output.stdout.contains(" 20 events and "), "{}", output.stdout);
    let output = sandbox.run(&["lint", &served.url, "--max-body-bytes", "1000"]);
    assert_eq!(output.code, Some(1));
    assert_eq!(output.error_message(), "marquee-worker: the document exceeds the limit of 1000 bytes");
}

#[tokio::test]
async fn reads_a_feed_from_standard_input() {
    let sandbox = Sandbox::new().await;
    let mut command = sandbox.command(&["lint", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    command.stdin.take().unwrap().write_all(&fixtures::bytes("three_polls/first.xml")).unwrap();
    let output = CommandOutput::new(command.wait_with_output().unwrap());
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    assert!(output.stdout.starts_with("standard input: 3 base events (3 online), 3 events"), "{}", output.stdout);
}

#[tokio::test]
async fn a_file_without_an_end_is_left_at_the_limit() {
    let output = Sandbox::new().await.run(&["lint", "/dev/zero", "--max-body-bytes", "100000"]);
    assert_eq!(output.code, Some(1));
    assert!(output.error_message().contains("exceeds the limit of 100000 bytes"), "{}", output.stderr);
}

#[tokio::test]
async fn json_has_errors_warnings_and_what_would_be_shown() {
    let sandbox = Sandbox::new().await;
    sandbox.write(
        "feed.xml",
        fixtures::text("three_polls/second.xml")
            .replacen("<zone ", "<zoen/>\n<zone ", 1)
            .replace("base_event_id=\"1591\" sell_mode=\"online\"", "base_event_id=\"1591\" sell_mode=\"offline\""),
    );
    sandbox.write("truncated.xml", "<eventList");
    let output = sandbox.run(&["lint", "--json", "feed.xml", "truncated.xml"]);
    assert_eq!((output.code, output.stderr.as_str()), (Some(1), ""));
    let mut reports = serde_json::Deserializer::from_str(&output.stdout).into_iter::<serde_json::Value>().map(Result::unwrap);
    let report = reports.next().unwrap();
    assert_eq!((&report["feed"], &report["rejected"], &report["warned"]), (&json!("feed.xml"), &json!(1), &json!(1)));
    assert_eq!(
        report["accepted"],
        json!({ "base_events": 3, "sell_modes": { "offline": 2, "online": 1 }, "events": 2, "zones": 5 })
    );
    let error = &report["errors"][0];
    assert_eq!((&error["base_event_id"], &error["event_id"], &error["column"]), (&json!("444"), &json!("1642"), &json!(7)));
    assert!(error["reason"].as_str().unwrap().starts_with("`event_start_date` must be an existing date"), "{error}");
    assert!(report["warnings"][0]["reason"].as_str().unwrap().contains("did you mean `<zone>`?"), "{report}");
    let shown = &report["shown"];
    assert_eq!(shown["events"], 1, "events of the offline base event are not shown");
    assert_eq!((&shown["days"], &shown["first_day"]), (&json!(1), &shown["last_day"]));
    assert_eq!(shown["by_status"], json!([{ "value": "scheduled", "events": 1 }]));
    assert_eq!(shown["by_category"], json!([{ "value": null, "events": 1 }]));
    assert_eq!(shown["by_day"], json!([{ "value": shown["first_day"], "events": 1 }]));
    assert_eq!(shown["without"]["image"], json!({ "events": 1, "share": 1.0 }));
    assert_eq!(
        reports.next().unwrap(),
        json!({
            "feed": "truncated.xml",
            "reason_code": "truncated",
            "reason": "the document is truncated: it ends before its root is closed",
        })
    );
    assert_eq!(reports.next(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_of_a_url_are_linted() {
    let sandbox = Sandbox::new().await;
    let server = PageServer::new().await;
    let event = |id, start| format!("{{\"@type\":\"Event\",\"@id\":\"{id}\",\"name\":\"{id}\",\"startDate\":\"{start}\"}}");
    server.page("/feed", "Link: </feed/2>; rel=next", event("A", "2031-08-01"));
    server.page("/feed/2", "", format!("[\n{}, {}]", event("B", "soon"), event("C", "2031-08-01")));
    let output = sandbox.run(&["lint", &format!("{}/feed", server.url), "--format", "schema-org-json"]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines[0].starts_with("127.0.0.1/feed:2:1: event B/B rejected: "), "{}", lines[0]);
    assert!(lines[0].ends_with(&format!(" (page 2, {}/feed/2)", server.url)), "{}", lines[0]);
    assert_eq!(lines[1], "127.0.0.1/feed: 2 base events (2 online), 2 events and 0 zones accepted, 1 item rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_feed_has_a_json_object() {
    let sandbox = Sandbox::new().await;
    let server = PageServer::new().await;
    sandbox.write("feed.gz", b"\x1f\x8b\x08");
    sandbox.write("sound.xml", fixtures::bytes("sound/small.xml"));
    let missing = format!("{}/feed?key=swordfish", server.url);
    let feeds = ["nowhere.xml", "feed.gz", ".", &missing, "https://user:swordfish@:1/", "sound.xml"];
    let output = sandbox.run(&[&["lint", "--json"], feeds.as_slice()].concat());
    assert_eq!((output.code, output.stderr.as_str()), (Some(1), ""));
    assert!(!output.stdout.contains("swordfish"), "{}", output.stdout);
    let reports = serde_json::Deserializer::from_str(&output.stdout).into_iter::<serde_json::Value>().map(Result::unwrap);
    let codes: Vec<(String, Option<String>)> = reports
        .map(|report| (report["feed"].as_str().unwrap().to_owned(), report["reason_code"].as_str().map(str::to_owned)))
        .collect();
    let failed = |feed: &str, code: &str| (feed.to_owned(), Some(code.to_owned()));
    assert_eq!(
        codes,
        [
            failed("nowhere.xml", "unreadable_file"),
            failed("feed.gz", "unreadable_file"),
            failed(".", "unreadable_file"),
            failed("127.0.0.1/feed", "http_status"),
            failed("?", "invalid_url"),
            ("sound.xml".to_owned(), None),
        ]
    );
}

#[tokio::test]
async fn a_report_that_cannot_be_written_is_no_crash() {
    let sandbox = Sandbox::new().await;
    sandbox.write("feed.xml", fixtures::bytes("sound/small.xml"));
    for arguments in [&["lint", "feed.xml"][..], &["lint", "--json", "feed.xml"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = sandbox.command(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), errors.as_str()), (Some(1), ""));
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = sandbox.command(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(errors.starts_with("standard output cannot be written: No space left on device"), "{errors}");
    }
}
