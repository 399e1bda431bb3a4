//! `marquee-provider` as a process.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use provider_sim::SimCatalogue;

const COMMAND: &str = env!("CARGO_BIN_EXE_marquee-provider");

fn run(arguments: &[&str]) -> Output {
    Command::new(COMMAND).args(arguments).output().unwrap()
}

#[test]
fn print_outputs_the_feed() {
    let arguments = ["--print", "--events", "40", "--zones", "2", "--seed", "7", "--now", "2026-01-01", "--plain"];
    for (arguments, details) in [(&arguments[..], false), (&arguments[..9], true)] {
        let printed = run(arguments);
        assert!(printed.status.success());
        let catalogue = SimCatalogue { seed: 7, events: 40, zones: 2, details, ..SimCatalogue::default() };
        assert!(printed.stdout == catalogue.feed(0).into_bytes(), "{arguments:?}");
    }
}

#[test]
fn wrong_arguments_exit_with_2() {
    for arguments in [
        ["--fault", "flood"],
        ["--churn", "101"],
        ["--now", "tomorrow"],
        ["--now", "9999-01-01"],
        ["--simulator-listen", "here"],
        ["--event", "1"],
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn an_address_in_use_exits_with_1() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let output = run(&["--simulator-listen", &listener.local_addr().unwrap().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("marquee-provider: "));
}

#[test]
fn a_signal_shuts_it_down() {
    for signal in ["-INT", "-TERM"] {
        let mut server =
            Command::new(COMMAND).args(["--simulator-listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("http://127.0.0.1:") && line.ends_with("/feed\n"), "{line}");
        assert!(Command::new("kill").args([signal, &server.id().to_string()]).status().unwrap().success());
        assert!(server.wait().unwrap().success());
    }
}
