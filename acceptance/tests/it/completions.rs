//! Completion scripts, which every program prints.

use std::process::Command;

use crate::deployment::program;

const PROGRAMS: [&str; 4] = ["marquee-api", "marquee-worker", "marquee-migrate", "marquee-provider"];

fn print_script(name: &str, shell: &str) -> String {
    let output = Command::new(program(name)).args(["completions", shell]).env_clear().output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{name} {shell}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What bash suggests for the last of these words.
fn complete(name: &str, words: &[&str]) -> Vec<String> {
    let function = format!("_{}", name.replace('-', "__"));
    let script = print_script(name, "bash");
    let last = words.len();
    let command = format!(
        "{script}\nCOMP_WORDS=({name} {}) COMP_CWORD={last}\n{function} {name} '{}' ''\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words[last - 1]
    );
    let output = Command::new("bash").args(["-c", &command]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn every_program_prints_a_script_for_every_shell() {
    for name in PROGRAMS {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let script = print_script(name, shell);
            assert!(script.contains(name) && script.contains("version"), "{script}");
            assert!(!script.contains("Print a completion script"), "the subcommand is hidden: {script}");
        }
    }
}

#[test]
fn bash_completes_commands_and_flags() {
    assert_eq!(complete("marquee-api", &["hea"]), ["health"]);
    assert_eq!(complete("marquee-worker", &["jobs", "re"]), ["retry"]);
    assert_eq!(complete("marquee-migrate", &["down", "--st"]), ["--steps"]);
    assert_eq!(complete("marquee-provider", &["--simulator-l"]), ["--simulator-listen"]);
}

#[test]
fn an_unknown_shell_is_an_invalid_argument() {
    let output = Command::new(program("marquee-provider")).args(["completions", "tcsh"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("possible values: bash"));
}
