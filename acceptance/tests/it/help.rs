//! The help of the commands that have no snapshot in their own crate.

use std::process::Command;

use crate::deployment::program;

fn help(name: &str, subcommand: &[&str]) -> String {
    let output = Command::new(program(name)).args(subcommand).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help_of_marquee_provider() {
    insta::assert_snapshot!(help("marquee-provider", &[]));
}

#[test]
fn help_of_marquee_migrate() {
    insta::assert_snapshot!("help_of_marquee_migrate", help("marquee-migrate", &[]));
    insta::assert_snapshot!("help_of_marquee_migrate_down", help("marquee-migrate", &["down"]));
}
