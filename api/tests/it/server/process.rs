//! The real process: signals, and as many connections as files.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpStream, process::Command, time::Instant};

use super::{Connection, within_timeout};
use crate::api_process::{ApiProcess, create_sqlite_database};

/// Asks one request after the other until an answer says that it was the last one; every request must be answered whole, and the
/// connection must end in order. `answered` counts them.
pub(super) async fn send_requests_until_closed(connection: &mut Connection, path: &str, answered: &AtomicUsize) {
    loop {
        let (head, _) = connection.get(path).await;
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        answered.fetch_add(1, Ordering::Relaxed);
        if head.contains("connection: close") {
            assert_eq!(connection.read_to_end().await.expect("a reset after the last answer"), b"");
            return;
        }
    }
}

async fn signal(process: &ApiProcess, signal: &str) {
    let id = process.child.id().unwrap().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_on_sigterm() {
    let (_database, url) = create_sqlite_database().await;
    let process = ApiProcess::start(&url, &["--drain-delay-seconds", "1", "--log-filter", "warn,marquee_api=info"]).await;
    let address = process.address;
    let has_stopped = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..40)
        .map(|_| {
            let (has_stopped, answered) = (has_stopped.clone(), answered.clone());
            tokio::spawn(async move {
                // One connection after the other, until nobody listens any more.
                loop {
                    match TcpStream::connect(address).await {
                        Ok(stream) => {
                            send_requests_until_closed(&mut Connection(stream), "/search", &answered).await;
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
    let mut idle = Connection::open(address).await;
    idle.get("/livez").await;
    within_timeout(async {
        while answered.load(Ordering::Relaxed) <= 100 {
            tokio::task::yield_now().await;
        }
    })
    .await;

    has_stopped.store(true, Ordering::Relaxed);
    signal(&process, "-TERM").await;
    let not_ready = async {
        let started = Instant::now();
        while process.get("/readyz").await.0 != "HTTP/1.1 503 Service Unavailable" {}
        started.elapsed()
    };
    assert!(within_timeout(not_ready).await < Duration::from_millis(900), "readiness goes before the listener");
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
    let process = ApiProcess::start(&url, &["--drain-delay-seconds", "60"]).await;
    signal(&process, "-TERM").await;
    within_timeout(async { while process.get("/readyz").await.0 != "HTTP/1.1 503 Service Unavailable" {} }).await;
    let started = Instant::now();
    signal(&process, "-TERM").await;
    assert_eq!(process.wait().await, Some(130));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_do_not_block_requests() {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    // Other tests of this process have files, too; the server needs as many as the clients.
    let connections = usize::try_from(files.saturating_sub(1_000)).unwrap().min(10_000);
    if connections < 10_000 {
        println!("only {connections} connections: the limit of open files is {files}");
    }
    let (_database, url) = create_sqlite_database().await;
    let process = ApiProcess::start(&url, &["--log-filter", "warn,marquee_api=info"]).await;
    let mut idle = Vec::with_capacity(connections);
    for number in 0..connections {
        let mut connection = Connection::open(process.address).await;
        if number % 10 == 0 {
            connection.get("/livez").await;
        }
        idle.push(connection);
    }
    let started = Instant::now();
    for _ in 0..100 {
        assert_eq!(process.get("/search").await.0, "HTTP/1.1 200 OK");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.child.id().unwrap())).unwrap_or_default();
    let memory = status.lines().find(|connection| connection.starts_with("VmRSS")).unwrap_or("no /proc here");
    println!("{connections} connections: {memory}");
    for connection in idle.iter_mut().step_by(100) {
        assert_eq!(connection.get("/livez").await.1, "{\"status\":\"live\"}");
    }
    drop(idle);
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}
