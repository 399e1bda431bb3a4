//! Colors: on a terminal only, and not with [`NO_COLOR`](https://no-color.org).

use std::{net::TcpListener, process::Command};

use crate::deployment::program;

const ESCAPE: char = '\u{1b}';

/// The output of a command on a terminal. `script` runs it on one.
fn run_on_terminal(command: &str, variables: &[(&str, &str)]) -> String {
    let mut script = Command::new("script");
    script.args(["--quiet", "--command", command, "/dev/null"]).env("TERM", "xterm-256color").env_remove("NO_COLOR");
    let output = script.envs(variables.iter().copied()).output().expect("`script` of util-linux");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn logs_and_help_have_colors_only_on_a_terminal_without_no_color() {
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = format!("{} --api-listen {}", program("marquee-api").display(), occupied.local_addr().unwrap());
    let api = format!("{api} --database-url sqlite::memory:");
    let help = ["marquee-api", "marquee-worker", "marquee-migrate", "marquee-provider"]
        .map(|name| format!("{} --help", program(name).display()));
    for command in [api].iter().chain(&help) {
        let (colored, plain) = (run_on_terminal(command, &[]), run_on_terminal(command, &[("NO_COLOR", "1")]));
        assert!(colored.contains(ESCAPE), "{command}: {colored}");
        assert!(plain.len() > 100 && !plain.contains(ESCAPE), "{command}: {plain}");
    }
}
