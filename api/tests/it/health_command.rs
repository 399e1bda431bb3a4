//! `marquee-api health`, with real processes.

use std::time::{Duration, Instant};

use migration::testing::{Backend, TestDatabase};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::api_process::{RunningApi, build_command, create_sqlite_database};

/// Several times the timeout of the command, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Exit code and output of the command.
async fn check(address: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = build_command(&["--api-listen", address, "health"]);
    let output = command.args(arguments).output().await.unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// Waits until the command prints this and succeeds: on a busy machine, a response may take longer than the command waits.
async fn expect_success(address: &str, arguments: &[&str], output: &str) {
    let started = Instant::now();
    loop {
        let result = check(address, arguments).await;
        if result == (Some(0), output.to_owned()) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{result:?}");
    }
}

#[tokio::test]
async fn a_running_api_is_live_and_ready() {
    let (_database, url) = create_sqlite_database().await;
    let process = RunningApi::start(&url, &["--rate-limit-per-second", "1"]).await;
    let port = process.address.port();
    for address in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("0.0.0.0:{port}")] {
        expect_success(&address, &[], &format!("the API at {address} is live\n")).await;
        expect_success(&address, &["--ready"], &format!("the API at {address} is ready\n")).await;
    }
}

#[tokio::test]
async fn an_api_without_a_schema_is_live_and_not_ready() {
    let database = TestDatabase::empty(Backend::Sqlite).await;
    let process = RunningApi::start(database.settings.url.expose(), &[]).await;
    let address = process.address.to_string();
    expect_success(&address, &[], &format!("the API at {address} is live\n")).await;
    let error =
        format!("marquee-api: the API at {address} is not ready: status 503 Service Unavailable, code `schema_outdated`\n");
    assert_eq!(check(&address, &["--ready"]).await, (Some(1), error));
}

#[tokio::test]
async fn an_address_without_an_api_is_not_live() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let started = Instant::now();
    let error = format!("marquee-api: the API at {address} is not live");
    assert_eq!(check(&address, &[]).await, (Some(1), format!("{error}: no response within 5 s\n")));
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());

    let respond = async |response: &[u8]| {
        let (response, check) = tokio::join!(
            async {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.read_u8().await?;
                stream.write_all(response).await
            },
            check(&address, &[])
        );
        response.unwrap();
        check
    };
    // The connection that was given up.
    drop(listener.accept().await.unwrap());
    let other = respond(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!(other, (Some(1), format!("{error}: status 200 OK, code `none`\n")));
    let (code, text) = respond(b"SSH-2.0\r\n").await;
    assert!(code == Some(1) && text.starts_with(&format!("{error}: no valid response: ")), "{text}");

    drop(listener);
    let (code, text) = check(&address, &["--ready"]).await;
    assert_eq!((code, text.lines().count()), (Some(1), 1));
    assert!(
        text.starts_with(&format!("marquee-api: the API at {address} is not ready: no connection: Connection refused")),
        "{text}"
    );
}
