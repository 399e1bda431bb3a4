//! Text of feeds and of the database on a terminal: no command prints it raw.

use entity::{
    ConnectionRole,
    job::{SyncJob, queue as jobs},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use super::{CommandOutput, SLUG, Sandbox};

/// An escape sequence, a carriage return, a line break, a C1 control character, and characters that are invisible or change the direction.
const UNSAFE: &str = "\u{1b}[2J\u{7}\r\nx\u{9b}\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}";

fn assert_not_raw(output: &CommandOutput) {
    for text in [&output.stdout, &output.stderr] {
        let raw = text.chars().find(|&character| character != '\n' && command_line::is_unsafe(character));
        assert_eq!(raw, None, "{text}");
        assert!(!text.lines().any(|line| line.starts_with('x')), "{text}");
    }
}

/// The output contains the text, and not raw.
fn assert_escaped(output: &CommandOutput) {
    assert_not_raw(output);
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(text.contains("\\u{202e}") || text.contains("\\u202e"), "{text}");
}

async fn update(database: &DatabaseConnection, sql: &str) {
    let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, [UNSAFE.into()]);
    database.execute_raw(statement).await.unwrap();
}

/// A JSON feed with a rejected event, and text of a provider in each place that a command prints.
fn feed(text: &str) -> String {
    serde_json::json!([{
        "@context": "https://schema.org", "@type": "Event", "@id": text, "name": text, "startDate": text,
        "offers": { "@type": "Offer", "price": text, "priceCurrency": text },
    }])
    .to_string()
}

#[tokio::test]
async fn lint_escapes_the_text_of_a_feed() {
    let sandbox = Sandbox::new().await;
    sandbox.write("feed.json", feed(UNSAFE));
    assert_escaped(&sandbox.run(&["lint", "--format", "schema-org-json", "feed.json"]));
    // Control characters in attributes are removed.
    let attribute = UNSAFE.replace(char::is_control, "");
    let event = format!("<event event_id=\"{attribute}\" event_date=\"{attribute}\"/>");
    let base_event = format!("<base_event base_event_id=\"{attribute}\" sell_mode=\"{attribute}\">{event}</base_event>");
    sandbox.write("feed.xml", format!("<eventList><output>{base_event}</output></eventList>"));
    assert_escaped(&sandbox.run(&["lint", "feed.xml"]));
    for document in [format!("<{attribute}/>"), format!("<a>{UNSAFE}"), format!("<eventList>&{attribute};</eventList>")] {
        sandbox.write("feed.xml", document);
        assert_not_raw(&sandbox.run(&["lint", "feed.xml"]));
    }
    let name = format!("{UNSAFE}.xml");
    assert_escaped(&sandbox.run(&["lint", &name]));
}

#[tokio::test]
async fn sync_status_and_jobs_escape_the_text_of_the_database() {
    let sandbox = Sandbox::new().await;
    let database = sandbox.database.connect(ConnectionRole::Worker).await;
    sandbox.write("feed.xml", format!("<eventList><output>{}", UNSAFE.replace('\u{1b}', "")));
    let failed = sandbox.run(&["sync", SLUG, "--from", "feed.xml"]);
    assert_eq!(failed.code, Some(1));
    assert_not_raw(&failed);
    update(&database, "UPDATE sync_run SET reason = $1").await;
    jobs::enqueue(&database, &SyncJob::new(SLUG, UNSAFE)).await.unwrap().unwrap();
    update(&database, "UPDATE job SET reason = $1").await;
    for arguments in [&["status"][..], &["status", "--json"], &["jobs", "list"], &["jobs", "list", "--json"]] {
        assert_escaped(&sandbox.run(arguments));
    }
    let listed: serde_json::Value = serde_json::from_str(&sandbox.run(&["jobs", "list", "--json"]).stdout).unwrap();
    assert_eq!(listed[0]["reason"], UNSAFE, "the value is the same");
}
