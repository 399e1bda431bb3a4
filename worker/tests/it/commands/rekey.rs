//! `marquee-worker rekey`.

use migration::testing::{Backend, TestDatabase};

use super::{SLUG, Sandbox};
use crate::entries;

const DOCUMENT: &str = r#"[
    {"@type":"Event","@id":"a1","identifier":"1","name":"A","startDate":"2131-07-01T20:00"},
    {"@type":"Event","@id":"b1","identifier":"2","name":"B","startDate":"2131-07-02T20:00"},
    {"@type":"Event","@id":"c1","identifier":"2","name":"C","startDate":"2131-07-02T20:00"}
]"#;

fn entry(format: &str, more: &str) -> String {
    entries::entry_text(SLUG, "http://127.0.0.1:1/feed", more).replace("event-list-xml", format)
}

#[tokio::test]
async fn a_changed_id_from_requires_a_rekey() {
    let sandbox = Sandbox::with(TestDatabase::migrated(Backend::Sqlite).await, &entry("schema-org-json", ""));
    let file = sandbox.write("feed.json", DOCUMENT).to_str().unwrap().to_owned();
    let run = |command: &str, more: &[&str]| sandbox.run(&[&[command, SLUG, "--from", &file], more].concat());
    assert_eq!(run("sync", &[]).code, Some(0));
    sandbox.write("providers.toml", entry("schema-org-json", "id_from = \"identifier\""));
    let refused = run("sync", &[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.error_message().contains("`marquee-worker rekey SLUG`"), "{}", refused.stderr);

    let planned = run("rekey", &["--dry-run"]);
    let done = run("rekey", &[]);
    assert_eq!((planned.code, done.code), (Some(0), Some(0)), "{}", done.stderr);
    assert_eq!(planned.stdout.replace("ids would be read", "ids are read"), done.stdout);
    let (summary, ambiguous) = done.stdout.split_once('\n').unwrap();
    assert_eq!(
        summary,
        "northstage: ids are read from `identifier` instead of the format's own ids: 1 event matched, 2 ambiguous, 0 unmatched; 1 base \
         event, 0 performers and 0 venues matched"
    );
    assert_eq!(ambiguous.lines().filter(|line| line.starts_with("ambiguous: event `")).count(), 2, "{ambiguous}");
    let again = run("rekey", &[]);
    assert_eq!((again.code, again.stdout.contains("nothing to do")), (Some(0), true), "{}", again.stderr);
    let synced = run("sync", &[]);
    assert!(synced.stdout.contains("2 events fetched, 1 inserted, 0 updated, 1 unchanged, 2 left"), "{}", synced.stdout);
}

#[tokio::test]
async fn what_cannot_be_read_again_exits_with_1_and_the_reason() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let sandbox = Sandbox::with(database, &entry("schema-org-json", "id_from = \"identifier\""));
    let output = sandbox.run(&["rekey", SLUG]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""));
    assert!(output.error_message().contains("provider northstage was never synced"), "{}", output.stderr);

    sandbox.write("providers.toml", entry("event-list-xml", "id_from = \"identifier\""));
    for arguments in [&["rekey", SLUG][..], &["sync", SLUG], &["check"]] {
        let output = sandbox.run(arguments);
        assert_eq!(output.code, Some(1));
        let message = "provider `northstage`: `id_from` is not possible with the format event-list-xml; it is with icalendar, ";
        assert!((output.stderr.clone() + &output.stdout).contains(message), "{output:?}");
    }
    let output = sandbox.run(&["lint", "feed.xml", "--id-from", "url"]);
    assert!(output.error_message().contains("`--id-from` is not possible with the format event-list-xml"), "{}", output.stderr);
}
