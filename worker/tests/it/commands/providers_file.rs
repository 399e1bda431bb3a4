//! An invalid `providers.toml` is reported with file, provider and position, and no command starts.

use migration::testing::{Backend, TestDatabase};

use super::{CommandOutput, SLUG, Sandbox};

const VALID: &str = r#"[[provider]]
slug = "northstage"
url = "http://127.0.0.1:1/feed"
format = "event-list-xml"
schedule = "0 */5 * * * *"
time_zone = "Europe/Madrid"
currency = "EUR"
"#;

#[tokio::test]
async fn every_error_is_reported_with_provider_and_setting() {
    let sandbox = Sandbox::with(TestDatabase::migrated(Backend::Sqlite).await, VALID);
    for (from, to, expected) in [
        ("currency", "colour = \"red\"\ncurrency", "unknown field `colour`"),
        ("[[provider]]", "interval = 5\n[[provider]]", "unknown field `interval`"),
        (
            "event-list-xml",
            "event-list-yaml",
            "provider `northstage`: `format` must be one of event-list-xml, icalendar, schema-org-html, schema-org-json, got `event-list-yaml` (line 4, column 10)",
        ),
        ("0 */5 * * * *", "*/5 * * * *", "such as `0 */10 * * * *`, got `*/5 * * * *`"),
        ("0 */5 * * * *", "0 */5 * * * * * *", "`schedule` must be a cron schedule of six fields"),
        ("0 */5 * * * *", "0 99 * * * *", "`schedule` must be a cron schedule of six fields"),
        (
            "Europe/Madrid",
            "Europe/Atlantis",
            "`time_zone` must be an IANA time zone such as Europe/Madrid, got `Europe/Atlantis`",
        ),
        ("\"EUR\"", "\"euro\"", "`currency` must be an ISO 4217 currency code such as EUR, got `euro`"),
        (
            "http://127.0.0.1:1/feed",
            "ftp://127.0.0.1/feed",
            "`url` must be an absolute http:// or https:// URL, got `ftp://127.0.0.1/feed`",
        ),
        ("http://127.0.0.1:1/feed", "feed.xml", "`url` must be an absolute http:// or https:// URL"),
        ("northstage", "North ProgressStage", "`slug` must have 1 to 64 characters of a-z, 0-9 and -, got `North ProgressStage`"),
        ("\"northstage\"", "\"\"", "`slug` must have 1 to 64 characters of a-z, 0-9 and -, got ``"),
        ("slug = \"northstage\"\n", "", "provider 1: missing field `slug`"),
        ("url = \"http://127.0.0.1:1/feed\"\n", "", "provider `northstage`: missing field `url`"),
        ("currency", "max_rejects_share = 1.5\ncurrency", "`max_rejects_share` must be a number between 0 and 1, got `1.5`"),
        ("currency", "max_price_jump_factor = 0.5\ncurrency", "`max_price_jump_factor` must be a number of 1 or more, got `0.5`"),
        ("currency", "max_body_bytes = -1\ncurrency", "`max_body_bytes` must be an integer of 0 or more, got `-1`"),
        (
            "currency",
            "answer_timeout_seconds = \"soon\"\ncurrency",
            "`answer_timeout_seconds` must be an integer between 1 and 600, got `\"soon\"`",
        ),
        ("currency", "max_pages = 0\ncurrency", "`max_pages` must be an integer between 1 and 50000, got `0`"),
        (
            "currency",
            "max_requests_per_second = 0\ncurrency",
            "`max_requests_per_second` must be a number between 0.001 and 1000, got `0`",
        ),
        (
            "currency",
            "pages_timeout_seconds = 86401\ncurrency",
            "`pages_timeout_seconds` must be an integer between 1 and 86400, got `86401`",
        ),
        ("currency", "headers = \"swordfish\"\ncurrency", "provider `northstage`: `headers` must be a table of names and values"),
        (
            "currency",
            "headers = { Authorization = \"Bearer ${MARQUEE_TOKEN}\" }\ncurrency",
            "the header `Authorization` needs the environment variable `MARQUEE_TOKEN`, which is not set (line 7, column 11)",
        ),
        ("currency = \"EUR\"", "currency = ", "not valid TOML: "),
        ("format = \"event-list-xml\"", "format = 5", "`format` must be a string, got integer `5`"),
    ] {
        let invalid = VALID.replacen(from, to, 1);
        assert_ne!(invalid, VALID, "{from}");
        sandbox.write("providers.toml", &invalid);
        for arguments in [&["sync", SLUG][..], &["run"]] {
            let output = sandbox.run(arguments);
            assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{arguments:?} with {to}");
            assert!(
                output.stderr.contains("the providers file providers.toml is invalid: "),
                "{arguments:?} with {to}: {}",
                output.stderr
            );
            assert!(output.stderr.contains(expected), "{arguments:?} with {to}: {}", output.stderr);
        }
    }
}

#[tokio::test]
async fn parameters_of_ticket_links_are_texts() {
    let sandbox = Sandbox::with(TestDatabase::migrated(Backend::Sqlite).await, VALID);
    for (affiliate, expected) in [
        ("\"aid=7\"", "provider `northstage`: `affiliate` must be a table of at most 20 names and texts"),
        ("{ aid = 7 }", "such as { utm_source = \"marquee\" }, got `aid`"),
        ("{ aid = \"\" }", "got `aid`"),
    ] {
        sandbox.write("providers.toml", format!("{VALID}affiliate = {affiliate}\n"));
        let output = sandbox.run(&["sync", SLUG]);
        assert!(output.code == Some(1) && output.stderr.contains(expected), "{affiliate}: {}", output.stderr);
    }
}

#[tokio::test]
async fn rejects_two_providers_with_the_same_slug() {
    let sandbox = Sandbox::with(TestDatabase::migrated(Backend::Sqlite).await, &VALID.repeat(2));
    let output = sandbox.run(&["sync", SLUG]);
    assert_eq!(output.code, Some(1));
    assert_eq!(
        output.error_message(),
        "marquee-worker: the providers file providers.toml is invalid: two providers have the slug `northstage`"
    );
}

#[tokio::test]
async fn rejects_a_file_without_providers() {
    let sandbox = Sandbox::with(TestDatabase::migrated(Backend::Sqlite).await, "# nothing\n");
    for arguments in [&["sync", SLUG][..], &["run"]] {
        let output = sandbox.run(arguments);
        assert_eq!(output.code, Some(1));
        assert_eq!(
            output.error_message(),
            "marquee-worker: the providers file providers.toml is invalid: it must have at least one [[provider]] entry"
        );
    }
}

#[tokio::test]
async fn reports_a_missing_file_with_its_variable() {
    let sandbox = Sandbox::new().await;
    let output = sandbox.run(&["sync", SLUG, "--providers-file", "nowhere.toml"]);
    assert_eq!(output.code, Some(1));
    assert!(
        output
            .error_message()
            .starts_with("marquee-worker: cannot read the providers file nowhere.toml (set by PROVIDERS_FILE): "),
        "{}",
        output.stderr
    );
}

#[tokio::test]
async fn rejects_more_providers_than_the_limit() {
    let many: String = (0..1_001).map(|number| VALID.replace("northstage", &format!("stage-{number}"))).collect();
    let sandbox = Sandbox::with(TestDatabase::migrated(Backend::Sqlite).await, &many);
    let output = sandbox.run(&["sync", "stage-1"]);
    assert_eq!(output.code, Some(1));
    assert_eq!(
        output.error_message(),
        "marquee-worker: the providers file providers.toml is invalid: at most 1000 providers are allowed, got 1001"
    );
}

#[tokio::test]
async fn headers_may_be_a_table_with_secrets_of_the_environment() {
    let file =
        format!("{VALID}allow_private_addresses = true\n[provider.headers]\nAuthorization = \"Bearer ${{MARQUEE_TOKEN}}\"\n");
    let sandbox = Sandbox::with(TestDatabase::migrated(Backend::Sqlite).await, &file);
    let unset = sandbox.run(&["check"]);
    assert_eq!(unset.code, Some(1));
    assert!(unset.stdout.contains("environment variable `MARQUEE_TOKEN`, which is not set"), "{}", unset.stdout);
    let mut command = sandbox.command(&["sync", SLUG]);
    command.env("MARQUEE_TOKEN", "swordfish").env("LOG_FILTER", "trace");
    let output = CommandOutput::new(command.output().unwrap());
    assert!(output.error_message().starts_with("marquee-worker: cannot connect to the provider: "), "{}", output.stderr);
    assert!(!output.stderr.contains("swordfish"), "{}", output.stderr);
}
