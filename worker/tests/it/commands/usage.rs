//! Help, version and wrong arguments.

use std::net::TcpListener;

use super::Sandbox;

#[tokio::test]
async fn help_and_version_exit_with_0() {
    let sandbox = Sandbox::new().await;
    let help = sandbox.run(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for word in ["run", "sync", "lint", "status", "--log-format", "LOG_FORMAT"] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    let version = sandbox.run(&["--version"]);
    assert_eq!((version.code, version.stdout), (Some(0), format!("marquee-worker {}\n", env!("CARGO_PKG_VERSION"))));
    for command in ["run", "sync", "lint", "status"] {
        let help = sandbox.run(&[command, "--help"]);
        assert_eq!(help.code, Some(0), "{command}");
        assert!(help.stdout.contains(&format!("Usage: marquee-worker {command}")), "{}", help.stdout);
    }
}

#[tokio::test]
async fn invalid_arguments_exit_with_2() {
    let sandbox = Sandbox::new().await;
    for arguments in [
        &[][..],
        &["polish"],
        &["sync"],
        &["sync", "northstage", "southstage"],
        &["sync", "northstage", "--form", "feed.xml"],
        &["sync", "northstage", "--from"],
        &["lint"],
        &["lint", "feed.xml", "--format", "event-list-yaml"],
        &["lint", "feed.xml", "--time-zone", "Europe/Atlantis"],
        &["lint", "feed.xml", "--currency", "euro"],
        &["run", "--log-format", "xml"],
        &["run", "--log-filter", "loud=very"],
    ] {
        let output = sandbox.run(arguments);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", output.stderr);
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn hides_the_password_of_an_unavailable_database() {
    let sandbox = Sandbox::new().await;
    // Accepts and closes every connection: a refused one would be tried again until the timeout.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("{}/marquee", server.local_addr().unwrap());
    std::thread::spawn(move || server.incoming().for_each(drop));
    let output = sandbox.run(&["status", "--database-url", &format!("postgres://worker:open-sesame@{place}")]);
    assert_eq!(output.code, Some(1));
    assert!(output.error_message().contains(&format!("the database postgres://***@{place} is unavailable")), "{}", output.stderr);
    assert!(!output.stderr.contains("open-sesame"), "{}", output.stderr);
}

#[tokio::test]
async fn hides_the_password_of_an_unsupported_database() {
    let output = Sandbox::new().await.run(&["status", "--database-url", "mysql://worker:open-sesame@localhost/marquee"]);
    assert_eq!(output.code, Some(1));
    assert!(output.error_message().contains("the database URL must be sqlite://"), "{}", output.stderr);
    assert!(!output.stderr.contains("open-sesame"), "{}", output.stderr);
}

#[tokio::test]
async fn logs_json() {
    let sandbox = Sandbox::new().await;
    let feed = sandbox.write("feed.xml", "<eventList><output/></eventList>");
    let mut command = sandbox.command(&["sync", "northstage", "--from", feed.to_str().unwrap()]);
    let output = super::CommandOutput::new(command.env("LOG_FORMAT", "json").output().unwrap());
    assert_eq!(output.code, Some(0));
    assert!(
        !output.stderr.is_empty() && output.stderr.lines().all(|line| line.starts_with('{') && line.ends_with('}')),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("\"sync.state\":\"unchanged\""), "{}", output.stderr);
}
