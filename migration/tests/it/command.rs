//! `marquee-migrate` as an operator runs it.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use entity::{ConnectionRole, DatabaseSettings};
use migration::{Migrator, MigratorTrait};
use sea_orm_migration::sea_orm::ConnectionTrait;
use tempfile::TempDir;

fn run(arguments: &[&str], database_url: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_marquee-migrate"));
    command.args(arguments).env("DATABASE_URL", database_url).output().expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("output is UTF-8")
}

/// A database file that does not exist yet.
fn new_database(folder: &TempDir) -> String {
    format!("sqlite://{}?mode=rwc", folder.path().join("marquee.db").display())
}

fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

/// The output of `status` with this number of applied migrations.
fn status(applied: usize) -> String {
    let line = |(index, name): (usize, &String)| format!("{}  {name}\n", if index < applied { "applied" } else { "pending" });
    names().iter().enumerate().map(line).collect()
}

#[test]
fn up_and_down_report_what_they_did() {
    let (folder, names) = (TempDir::new().unwrap(), names());
    let url = new_database(&folder);
    let count = names.len();
    let report = |verb: &str, names: &[&String], total: &str| {
        names.iter().map(|name| format!("{verb} {name}\n")).collect::<String>() + total + "\n"
    };
    let newest: Vec<&String> = names.iter().rev().collect();
    for (arguments, expected, applied) in [
        (&["up"][..], report("applied", &names.iter().collect::<Vec<_>>(), &format!("{count} migrations applied")), count),
        (&["up"], format!("already up to date: all {count} migrations are applied\n"), count),
        (&["down"], report("reverted", &newest[..1], "1 migration reverted"), count - 1),
        (&["down", "--steps", "2", "--yes"], report("reverted", &newest[1..3], "2 migrations reverted"), count - 3),
        (&["down", "--steps", "99", "--yes"], report("reverted", &newest[3..], &format!("{} migrations reverted", count - 3)), 0),
        (&["down"], "nothing to revert: no migration is applied\n".to_owned(), 0),
    ] {
        let output = run(arguments, &url);
        assert_eq!((stdout(&output), stderr(&output)), (expected, String::new()), "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(stdout(&run(&["status"], &url)), status(applied), "{arguments:?}");
    }
}

#[test]
fn reverting_several_migrations_without_a_terminal_requires_a_flag() {
    let folder = TempDir::new().unwrap();
    let url = new_database(&folder);
    run(&["up"], &url);
    let output = run(&["down", "--steps", "2"], &url);
    let expected = "marquee-migrate: to revert 2 migrations without a terminal, add `--yes`; nothing was reverted\n";
    assert_eq!((stderr(&output).as_str(), output.status.code()), (expected, Some(2)));
    assert_eq!(stdout(&run(&["status"], &url)), status(names().len()));
}

/// Runs a command on a terminal on which `answer` is typed.
fn run_on_terminal(arguments: &str, url: &str, answer: &str) -> Output {
    let command = format!("{} {arguments}", env!("CARGO_BIN_EXE_marquee-migrate"));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).env("DATABASE_URL", url);
    let script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` of util-linux");
    writeln!(script.stdin.as_ref().unwrap(), "{answer}").unwrap();
    script.wait_with_output().unwrap()
}

#[test]
fn reverting_several_migrations_on_a_terminal_asks_for_confirmation() {
    let folder = TempDir::new().unwrap();
    let url = new_database(&folder);
    run(&["up"], &url);
    let count = names().len();
    for (answer, code, applied) in [("", 1, count), ("no", 1, count), ("y", 0, count - 2)] {
        let output = run_on_terminal("down --steps 2", &url, answer);
        let text = stdout(&output);
        assert!(text.contains("2 migrations of sqlite://") && text.contains("Continue? [y/N]"), "{text}");
        assert_eq!(text.contains("not confirmed; nothing was reverted"), code == 1, "{text}");
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert_eq!(stdout(&run(&["status"], &url)), status(applied), "{answer}");
    }
}

/// The database was migrated by a newer release, and an older one is deployed again.
#[tokio::test]
async fn a_newer_database_is_up_to_date_and_is_not_reverted() {
    let folder = TempDir::new().unwrap();
    let url = new_database(&folder);
    run(&["up"], &url);
    let settings = DatabaseSettings { url: url.parse().unwrap() };
    let database = entity::connect(&settings, ConnectionRole::Worker).await.unwrap();
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000001_newer', 0)";
    database.execute_unprepared(newer).await.unwrap();
    database.close().await.unwrap();

    let up = run(&["up"], &url);
    let expected = "already up to date: the database has migrations of a newer release (m20991231_000001_newer)\n";
    assert_eq!((stdout(&up).as_str(), up.status.code()), (expected, Some(0)));
    for arguments in [&["down"][..], &["down", "--steps", "2", "--yes"], &["status"]] {
        let output = run(arguments, &url);
        assert!(stderr(&output).contains("a newer release (m20991231_000001_newer); use `marquee-migrate` of that release"));
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn an_invalid_url_is_an_error_that_does_not_show_it() {
    let output = run(&["up"], "postgress://marquee:open-sesame@db/marquee");
    let expected = "marquee-migrate: the database URL must be sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME\n";
    assert_eq!((stderr(&output).as_str(), output.status.code()), (expected, Some(1)));
}

#[test]
fn an_unavailable_database_is_an_error_with_its_cause() {
    let output = run(&["up"], "sqlite:///no-such-directory/marquee.db");
    assert!(
        stderr(&output).starts_with("marquee-migrate: cannot connect to the database sqlite:///no-such-directory/marquee.db: "),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn help_describes_the_commands_and_settings() {
    // An empty variable is unset, but still has a name.
    let output = run(&["--help"], "");
    let help = stdout(&output);
    for text in [
        "Creates and updates the schema of the Marquee database",
        "up      Apply all pending migrations",
        "down    Revert the newest migrations",
        "status  List all migrations and their status",
        "--database-url <URL>",
        "[env: DATABASE_URL]",
    ] {
        assert!(help.contains(text), "`{text}` is not in:\n{help}");
    }
}
