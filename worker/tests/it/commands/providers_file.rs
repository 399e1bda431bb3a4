//! Faults of `providers.toml` are named, and nothing is begun.

use migration::testing::{Backend, TestDatabase};

use super::{Office, SLUG};

const SOUND: &str = r#"[[provider]]
slug = "northstage"
url = "http://127.0.0.1:1/feed"
format = "event-list-xml"
schedule = "0 */5 * * * *"
time_zone = "Europe/Madrid"
currency = "EUR"
"#;

#[tokio::test]
async fn every_fault_ends_with_1_and_is_named() {
    let office = Office::with(TestDatabase::migrated(Backend::Sqlite).await, SOUND);
    for (from, to, named) in [
        ("currency", "colour = \"red\"\ncurrency", "unknown field `colour`"),
        ("[[provider]]", "interval = 5\n[[provider]]", "unknown field `interval`"),
        ("event-list-xml", "event-list-yaml", "format `event-list-yaml` is unknown; known are: event-list-xml"),
        ("0 */5 * * * *", "*/5 * * * *", "seconds first"),
        ("0 */5 * * * *", "0 */5 * * * * * *", "want six fields"),
        ("0 */5 * * * *", "0 99 * * * *", "want six fields"),
        ("Europe/Madrid", "Europe/Atlantis", "Europe/Atlantis"),
        ("\"EUR\"", "\"euro\"", "`euro` is no ISO 4217 code such as EUR"),
        ("http://127.0.0.1:1/feed", "ftp://127.0.0.1/feed", "url `ftp://127.0.0.1/feed`: want http:// or https://"),
        ("http://127.0.0.1:1/feed", "feed.xml", "relative URL without a base"),
        ("northstage", "North Stage", "slug `North Stage`: want 1 to 64 of a-z, 0-9 and -"),
        ("\"northstage\"", "\"\"", "slug ``: want 1 to 64 of a-z, 0-9 and -"),
        ("slug = \"northstage\"\n", "", "missing field `slug`"),
        ("url = \"http://127.0.0.1:1/feed\"\n", "", "missing field `url`"),
        ("currency", "max_rejects_share = 1.5\ncurrency", "1.5 is not between 0 and 1"),
        ("currency", "max_body_bytes = -1\ncurrency", "max_body_bytes = -1"),
        ("currency", "answer_timeout_seconds = \"soon\"\ncurrency", "answer_timeout_seconds = \"soon\""),
        ("currency = \"EUR\"", "currency = ", "currency = "),
    ] {
        let faulty = SOUND.replacen(from, to, 1);
        assert_ne!(faulty, SOUND, "{from}");
        office.write("providers.toml", &faulty);
        for arguments in [&["sync", SLUG][..], &["run"]] {
            let told = office.told(arguments);
            assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""), "{arguments:?} with {to}");
            assert!(
                told.stderr.contains("providers.toml is not a list of providers"),
                "{arguments:?} with {to}: {}",
                told.stderr
            );
            assert!(told.stderr.contains(named), "{arguments:?} with {to}: {}", told.stderr);
        }
    }
}

#[tokio::test]
async fn one_slug_for_two_providers_is_a_fault() {
    let office = Office::with(TestDatabase::migrated(Backend::Sqlite).await, &SOUND.repeat(2));
    let told = office.told(&["sync", SLUG]);
    assert_eq!(told.code, Some(1));
    assert_eq!(told.last_words(), "marquee-worker: providers.toml: two providers have the slug `northstage`");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_told_with_the_variable_that_names_it() {
    let office = Office::new().await;
    let told = office.told(&["sync", SLUG, "--providers-file", "nowhere.toml"]);
    assert_eq!(told.code, Some(1));
    assert!(
        told.last_words().starts_with("marquee-worker: nowhere.toml cannot be read (PROVIDERS_FILE names it): "),
        "{}",
        told.stderr
    );
}

#[tokio::test]
async fn more_providers_than_the_limit_are_a_fault() {
    let many: String = (0..1_001).map(|number| SOUND.replace("northstage", &format!("stage-{number}"))).collect();
    let office = Office::with(TestDatabase::migrated(Backend::Sqlite).await, &many);
    let told = office.told(&["sync", "stage-1"]);
    assert_eq!(told.code, Some(1));
    assert_eq!(told.last_words(), "marquee-worker: providers.toml: 1001 providers are over the limit of 1000");
}
