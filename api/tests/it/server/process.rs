//! The real process: signals, and thousands of connections.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::net::TcpStream;

use super::{ClientConnection, within_timeout};
use crate::api_process::{RunningApi, create_sqlite_database};

/// Sends requests until a response announces `Connection: close`. Every request must have a complete response, and the
/// connection must close without a reset. `answered` counts the responses.
pub(super) async fn send_requests_until_closed(connection: &mut ClientConnection, path: &str, answered: &AtomicUsize) {
    loop {
        let (head, _) = connection.get(path).await;
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        answered.fetch_add(1, Ordering::Relaxed);
        if head.contains("connection: close") {
            assert_eq!(connection.read_to_end().await.expect("closes without a reset"), b"");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_on_sigterm() {
    let (_database, url) = create_sqlite_database().await;
    let process = RunningApi::start(&url, &["--drain-delay-seconds", "1", "--log-filter", "warn,marquee_api=info"]).await;
    let address = process.address;
    let has_stopped = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..40)
        .map(|_| {
            let (has_stopped, answered) = (has_stopped.clone(), answered.clone());
            tokio::spawn(async move {
                // Opens connections until the listener is closed.
                loop {
                    match TcpStream::connect(address).await {
                        Ok(stream) => {
                            send_requests_until_closed(&mut ClientConnection(stream), "/search", &answered).await;
                        }
                        Err(error) => {
                            assert!(has_stopped.load(Ordering::Relaxed), "{error}");
                            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
                            return;
                        }
                    }
                }
            })
        })
        .collect();
    let mut idle = ClientConnection::open(address).await;
    idle.get("/livez").await;
    within_timeout(async {
        while answered.load(Ordering::Relaxed) <= 100 {
            tokio::task::yield_now().await;
        }
    })
    .await;

    has_stopped.store(true, Ordering::Relaxed);
    process.send_signal("-TERM").await;
    // Fails if the listener closes before the process reports that it is not ready.
    within_timeout(async { while process.get("/readyz").await.0 != "HTTP/1.1 503 Service Unavailable" {} }).await;
    for client in clients {
        within_timeout(client).await.unwrap();
    }
    assert_eq!(idle.read_to_end().await.unwrap(), b"");
    assert!(answered.load(Ordering::Relaxed) > 100, "{answered:?}");
    assert_eq!(process.wait().await, Some(0));
}

#[tokio::test]
async fn a_second_signal_exits_immediately() {
    let (_database, url) = create_sqlite_database().await;
    let process = RunningApi::start(&url, &["--drain-delay-seconds", "300"]).await;
    process.send_signal("-TERM").await;
    within_timeout(async { while process.get("/readyz").await.0 != "HTTP/1.1 503 Service Unavailable" {} }).await;
    process.send_signal("-TERM").await;
    assert_eq!(process.wait().await, Some(130));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_do_not_block_requests() {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    // Leaves files for the other tests of this process.
    let connections = usize::try_from(files.saturating_sub(1_000)).unwrap().min(10_000);
    if connections < 10_000 {
        println!("opens only {connections} connections, because the limit of open files is {files}");
    }
    let (_database, url) = create_sqlite_database().await;
    let process = RunningApi::start(&url, &["--log-filter", "warn,marquee_api=info"]).await;
    let mut idle = Vec::with_capacity(connections);
    for number in 0..connections {
        let mut connection = ClientConnection::open(process.address).await;
        if number % 10 == 0 {
            connection.get("/livez").await;
        }
        idle.push(connection);
    }
    for _ in 0..100 {
        assert_eq!(process.get("/search").await.0, "HTTP/1.1 200 OK");
    }
    for connection in idle.iter_mut().step_by(100) {
        assert_eq!(connection.get("/livez").await.1, "{\"status\":\"live\"}");
    }
    drop(idle);
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}
