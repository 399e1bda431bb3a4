//! Help, version and wrong arguments.

use std::net::TcpListener;

use super::Office;

#[tokio::test]
async fn help_and_version_end_with_0() {
    let office = Office::new().await;
    let help = office.told(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for word in ["run", "sync", "lint", "status", "--log-format", "LOG_FORMAT"] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    let version = office.told(&["--version"]);
    assert_eq!((version.code, version.stdout), (Some(0), format!("marquee-worker {}\n", env!("CARGO_PKG_VERSION"))));
    for command in ["run", "sync", "lint", "status"] {
        let help = office.told(&[command, "--help"]);
        assert_eq!(help.code, Some(0), "{command}");
        assert!(help.stdout.contains(&format!("Usage: marquee-worker {command}")), "{}", help.stdout);
    }
}

#[tokio::test]
async fn wrong_arguments_end_with_2() {
    let office = Office::new().await;
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
        let told = office.told(arguments);
        assert_eq!((told.code, told.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", told.stderr);
        assert!(!told.stderr.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn the_password_of_a_database_that_is_away_is_not_told() {
    let office = Office::new().await;
    // Takes every connection and breaks it: a refused one would be tried again for as long as a worker is patient.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("{}/marquee", server.local_addr().unwrap());
    std::thread::spawn(move || server.incoming().for_each(drop));
    let told = office.told(&["status", "--database-url", &format!("postgres://worker:open-sesame@{place}")]);
    assert_eq!(told.code, Some(1));
    assert!(told.last_words().contains(&format!("the database postgres://***@{place} cannot be reached")), "{}", told.stderr);
    assert!(!told.stderr.contains("open-sesame"), "{}", told.stderr);
}

#[tokio::test]
async fn the_password_of_a_database_of_another_kind_is_not_told() {
    let told = Office::new().await.told(&["status", "--database-url", "mysql://worker:open-sesame@localhost/marquee"]);
    assert_eq!(told.code, Some(1));
    assert!(told.last_words().contains("the database URL must be sqlite://"), "{}", told.stderr);
    assert!(!told.stderr.contains("open-sesame"), "{}", told.stderr);
}

#[tokio::test]
async fn a_log_can_be_json() {
    let office = Office::new().await;
    let feed = office.write("feed.xml", "<eventList><output/></eventList>");
    let mut command = office.command(&["sync", "northstage", "--from", feed.to_str().unwrap()]);
    let told = super::Told::of(command.env("LOG_FORMAT", "json").output().unwrap());
    assert_eq!(told.code, Some(0));
    assert!(
        !told.stderr.is_empty() && told.stderr.lines().all(|line| line.starts_with('{') && line.ends_with('}')),
        "{}",
        told.stderr
    );
    assert!(told.stderr.contains("\"sync.state\":\"unchanged\""), "{}", told.stderr);
}
