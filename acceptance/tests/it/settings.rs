//! Settings of all programs: empty variables, addresses, ports in use, the position of flags, and the `check` commands.

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::{
    deployment::{format_entry, program},
    drift::load_settings,
};

/// Runs a program in a folder, with these variables and no others.
fn run(folder: &Path, name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program(name));
    command.args(arguments).env_clear().envs(variables.iter().copied()).current_dir(folder).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn folder_with_providers() -> TempDir {
    let folder = TempDir::new().unwrap();
    let entries = ["fever", "simulator"].map(|slug| format_entry(slug, "http://127.0.0.1:1/feed", "0 0 * * * *"));
    std::fs::write(folder.path().join("providers.toml"), entries.concat()).unwrap();
    folder
}

/// A command of each program that reads its settings, and exits.
const COMMANDS: [(&str, &[&str]); 5] = [
    ("marquee-api", &["check"]),
    ("marquee-worker", &["check"]),
    ("marquee-migrate", &["up"]),
    ("marquee-migrate", &["status"]),
    ("marquee-provider", &["--print", "--events", "1", "--now", "2026-01-01"]),
];

#[test]
fn an_empty_variable_is_unset() {
    let settings = load_settings();
    let empty: Vec<(&str, &str)> = settings.keys().map(|name| (name.as_str(), "")).collect();
    let (folder, folder_for_empty) = (folder_with_providers(), folder_with_providers());
    for (name, arguments) in COMMANDS {
        let without = run(folder.path(), name, arguments, &[]);
        let with_empty = run(folder_for_empty.path(), name, arguments, &empty);
        assert!(without.status.success(), "{name}: {}", stderr(&without));
        assert_eq!((stdout(&with_empty), stderr(&with_empty)), (stdout(&without), stderr(&without)), "{name} {arguments:?}");
    }
}

#[test]
fn check_commands_report_valid_settings_and_create_no_file() {
    let folder = folder_with_providers();
    let url = [("DATABASE_URL", "postgres://marquee:open-sesame@db.invalid/marquee")];
    insta::assert_snapshot!("check_of_marquee_worker", stdout(&run(folder.path(), "marquee-worker", &["check"], &url)));
    insta::assert_snapshot!("check_of_marquee_api", stdout(&run(folder.path(), "marquee-api", &["check"], &[])));
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["providers.toml"]);
}

#[test]
fn check_commands_report_every_error() {
    let folder = folder_with_providers();
    std::fs::write(folder.path().join("providers.toml"), "").unwrap();
    std::fs::write(folder.path().join("keys.toml"), "[[key]]\nname = 7\n").unwrap();
    let variables = [
        ("DATABASE_URL", "mysql://marquee:open-sesame@db/marquee"),
        ("DATABASE_READ_URL", "postgres://marquee:open-sesame@db:port/marquee"),
        ("REDIS_URL", "http://:open-sesame@redis"),
        ("API_LISTEN", "no-such-host.invalid:8000"),
        ("METRICS_LISTEN", "no-such-host.invalid:9100"),
        ("API_KEYS_FILE", "keys.toml"),
    ];
    for (name, invalid) in [
        ("marquee-worker", &["DATABASE_URL", "PROVIDERS_FILE", "METRICS_LISTEN"][..]),
        ("marquee-api", &["DATABASE_URL", "DATABASE_READ_URL", "REDIS_URL", "API_LISTEN", "API_KEYS_FILE"]),
    ] {
        let output = run(folder.path(), name, &["check"], &variables);
        let report = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{report}");
        let errors: Vec<_> = report.lines().filter_map(|line| line.strip_prefix("ERROR  ")?.split(' ').next()).collect();
        assert_eq!(errors, invalid, "{report}");
        assert!(!report.contains("open-sesame"), "{report}");
    }
}

#[test]
fn a_port_in_use_is_reported_with_its_setting() {
    let folder = folder_with_providers();
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("localhost:{}", occupied.local_addr().unwrap().port());
    for (name, setting) in [("marquee-api", "API_LISTEN"), ("marquee-provider", "SIMULATOR_LISTEN")] {
        let output = run(folder.path(), name, &[], &[(setting, &address)]);
        let expected =
            format!("cannot listen on {address}: Address already in use (os error 98); to use another address, set {setting}");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn an_invalid_address_is_an_invalid_argument() {
    let folder = folder_with_providers();
    for (name, arguments, setting, flag) in [
        ("marquee-api", &[][..], "API_LISTEN", "--api-listen"),
        ("marquee-api", &[], "OPS_LISTEN", "--ops-listen"),
        ("marquee-worker", &["run"], "METRICS_LISTEN", "--metrics-listen"),
        ("marquee-provider", &[], "SIMULATOR_LISTEN", "--simulator-listen"),
    ] {
        let output = run(folder.path(), name, arguments, &[(setting, "localhost")]);
        let expected = format!("invalid value 'localhost' for '{flag} <ADDRESS>': must be HOST:PORT, such as ");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn the_database_url_is_accepted_before_and_after_the_subcommand() {
    let folder = folder_with_providers();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("other.db").display());
    assert!(run(folder.path(), "marquee-migrate", &["up"], &[("DATABASE_URL", &url)]).status.success());
    for (name, subcommand) in [
        ("marquee-migrate", &["status"][..]),
        ("marquee-worker", &["status"]),
        ("marquee-worker", &["jobs", "list"]),
        ("marquee-worker", &["check"]),
        ("marquee-api", &["check"]),
    ] {
        let flag = ["--database-url", url.as_str()];
        for arguments in [[&flag[..], subcommand].concat(), [subcommand, &flag[..]].concat()] {
            let output = run(folder.path(), name, &arguments, &[("DATABASE_URL", "sqlite://missing.db")]);
            assert!(output.status.success(), "{name} {arguments:?}: {}{}", stdout(&output), stderr(&output));
            assert!(!stdout(&output).contains("missing.db"), "{name} {arguments:?}: {}", stdout(&output));
        }
    }
    assert!(!folder.path().join("missing.db").exists());
}

/// The keys file is a setting of the service and of the command.
#[test]
fn the_keys_file_is_accepted_before_and_after_the_subcommand() {
    let folder = folder_with_providers();
    for (name, arguments) in [
        ("before", &["--api-keys-file", "keys.toml", "keys", "new", "before", "--scope", "admin"][..]),
        ("after", &["keys", "new", "after", "--scope", "admin", "--api-keys-file", "keys.toml"]),
    ] {
        assert!(run(folder.path(), "marquee-api", arguments, &[]).status.success());
        let file = std::fs::read_to_string(folder.path().join("keys.toml")).unwrap();
        assert!(file.contains(&format!("name = \"{name}\"")), "{file}");
    }
}
