//! Connection strings that are malformed or not supported: the error names the cause, and shows no part of the string that may be the
//! password.

use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::deployment::{format_entry, program};

/// Commands that use the database, and exit because its URL is invalid.
const COMMANDS: [(&str, &[&str]); 7] = [
    ("marquee-api", &[]),
    ("marquee-api", &["check"]),
    ("marquee-worker", &["run"]),
    ("marquee-worker", &["check"]),
    ("marquee-worker", &["status"]),
    ("marquee-migrate", &["up"]),
    ("marquee-migrate", &["status"]),
];

/// URLs with a password of which every part contains `sesame`, and a text of the error.
const DATABASE_URLS: [(&str, &str); 14] = [
    ("postgres://marquee:sesame@one:5432,two:5432/marquee", "several hosts"),
    ("postgres://marquee:sesame@one/marquee?host=one,two", "several hosts"),
    ("postgres://marquee:sesame@one/marquee?target_session_attrs=read-write", "`target_session_attrs`"),
    ("postgres://marquee:sesame@one/marquee?connect_timeout=sesame", "`connect_timeout`"),
    ("postgres://marquee:sesame@one/marquee?sslmode=sesame", "`sslmode`"),
    ("postgres://marquee:sesame@one/marquee?sesame=sesame", "unknown parameter"),
    ("postgres://marquee:1?sesame@one/marquee", "unknown parameter"),
    ("postgres://marquee:sesame/sesame@one/marquee", "percent-encoded"),
    ("postgres://marquee:sesame#sesame@one/marquee", "percent-encoded"),
    ("postgres://marquee:sesame[sesame@one:port/marquee", "percent-encoded"),
    ("postgres://marquee:sesame", "percent-encoded"),
    ("postgres:/marquee:sesame@one/marquee", "must be sqlite://"),
    ("host=one user=marquee password=sesame", "must be sqlite://"),
    ("sqlite://marquee.db?mode=sesame", "mode=ro"),
];

fn run(folder: &TempDir, name: &str, arguments: &[&str], (variable, value): (&str, &str)) -> Output {
    let mut command = Command::new(program(name));
    command.args(arguments).env_clear().env(variable, value).env("METRICS_LISTEN", "127.0.0.1:0");
    command.env("API_LISTEN", "127.0.0.1:0").current_dir(folder.path()).stdin(Stdio::null()).output().unwrap()
}

fn assert_reported(folder: &TempDir, name: &str, arguments: &[&str], setting: (&str, &str), expected: &str) {
    let output = run(folder, name, arguments, setting);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{name} {arguments:?} {setting:?}: {text}");
    assert!(text.contains(expected), "{name} {arguments:?} {setting:?}: {expected} expected in {text}");
    assert!(!text.contains("sesame"), "{name} {arguments:?} {setting:?}: {text}");
}

#[test]
fn invalid_database_urls_are_explained_and_not_shown() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("providers.toml"), format_entry("fever", "http://127.0.0.1:1/feed", "0 0 0 1 1 *"))
        .unwrap();
    for (url, expected) in DATABASE_URLS {
        for (name, arguments) in COMMANDS {
            assert_reported(&folder, name, arguments, ("DATABASE_URL", url), expected);
        }
        for arguments in [&[][..], &["check"]] {
            assert_reported(&folder, "marquee-api", arguments, ("DATABASE_READ_URL", url), expected);
        }
    }
}

#[test]
fn invalid_redis_urls_are_explained_and_not_shown() {
    let folder = TempDir::new().unwrap();
    for url in [
        "redis://:sesame/sesame@one",
        "redis://:sesame",
        "redis://one:1,two:sesame",
        "redis+cluster://:sesame@one:1,,two:2",
        "redis+sentinel://:sesame@one:1",
        "rediss+sesame://one",
        "sesame",
    ] {
        for arguments in [&[][..], &["check"]] {
            assert_reported(&folder, "marquee-api", arguments, ("REDIS_URL", url), "the Redis URL ");
        }
    }
}
