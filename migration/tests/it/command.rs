//! `marquee-migrate` as an operator runs it.

use std::process::{Command, Output};

use migration::{Migrator, MigratorTrait};
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

#[test]
fn up_down_and_status_list_all_migrations() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("marquee.db").display());
    let names: Vec<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let list = |applied: usize| -> String {
        let line = |(index, name): (usize, &String)| format!("{} {name}\n", if index < applied { "applied" } else { "pending" });
        names.iter().enumerate().map(line).collect()
    };
    for (arguments, applied) in
        [(&["status"][..], 0), (&["up"], names.len()), (&["down"], names.len() - 1), (&["down", "--steps", "2"], names.len() - 3)]
    {
        let output = run(arguments, &url);
        assert_eq!((stdout(&output), stderr(&output)), (list(applied), String::new()), "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn an_invalid_url_is_an_error_that_does_not_show_it() {
    let output = run(&["up"], "postgress://marquee:open-sesame@db/marquee");
    let expected =
        "marquee-migrate: the database URL must be sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME (DATABASE_URL)\n";
    assert_eq!((stderr(&output).as_str(), output.status.code()), (expected, Some(1)));
}

#[test]
fn an_unavailable_database_is_an_error_with_its_cause() {
    let output = run(&["up"], "sqlite:///no-such-directory/marquee.db");
    assert!(stderr(&output).starts_with("marquee-migrate: cannot connect to the database: "), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn help_describes_the_commands_and_settings() {
    let output = run(&["--help"], "");
    let help = stdout(&output);
    for text in [
        "Creates and updates the schema of the Marquee database",
        "up      Apply all pending migrations",
        "down    Revert the newest migrations",
        "status  List all migrations and their status",
        "--database-url <DATABASE_URL>",
        "[env: DATABASE_URL]",
    ] {
        assert!(help.contains(text), "`{text}` is not in:\n{help}");
    }
}
