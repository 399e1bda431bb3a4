//! The real process: signals, and as many connections as files.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpStream, process::Command, time::Instant};

use super::{Line, in_time};
use crate::binary::{Running, sqlite};

/// Asks one request after the other until an answer says that it was the last one; every request must be answered whole, and the
/// connection must end in order. `answered` counts them.
pub(super) async fn ask_until_told_to_close(line: &mut Line, path: &str, answered: &AtomicUsize) {
    loop {
        let (head, _) = line.get(path).await;
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        answered.fetch_add(1, Ordering::Relaxed);
        if head.contains("connection: close") {
            assert_eq!(line.rest().await.expect("a reset after the last answer"), b"");
            return;
        }
    }
}

async fn signal(running: &Running, signal: &str) {
    let id = running.process.id().unwrap().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_when_the_process_is_told_to_stop() {
    let (_database, url) = sqlite().await;
    let running = Running::start(&url, &["--drain-delay-seconds", "1", "--log-filter", "warn,marquee_api=info"]).await;
    let address = running.address;
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
                            ask_until_told_to_close(&mut Line(stream), "/search", &answered).await;
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
    let mut idle = Line::to(address).await;
    idle.get("/livez").await;
    in_time(async {
        while answered.load(Ordering::Relaxed) <= 100 {
            tokio::task::yield_now().await;
        }
    })
    .await;

    has_stopped.store(true, Ordering::Relaxed);
    signal(&running, "-TERM").await;
    let not_ready = async {
        let started = Instant::now();
        while running.get("/readyz").await.0 != "HTTP/1.1 503 Service Unavailable" {}
        started.elapsed()
    };
    assert!(in_time(not_ready).await < Duration::from_millis(900), "readiness goes before the listener");
    for client in clients {
        in_time(client).await.unwrap();
    }
    assert_eq!(idle.rest().await.unwrap(), b"");
    assert!(answered.load(Ordering::Relaxed) > 100, "{answered:?}");
    assert_eq!(running.ended().await, Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (_database, url) = sqlite().await;
    let running = Running::start(&url, &["--drain-delay-seconds", "60"]).await;
    signal(&running, "-TERM").await;
    in_time(async { while running.get("/readyz").await.0 != "HTTP/1.1 503 Service Unavailable" {} }).await;
    let started = Instant::now();
    signal(&running, "-TERM").await;
    assert_eq!(running.ended().await, Some(130));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_hinder_nobody() {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    // Other tests of this process have files, too; the server needs as many as the clients.
    let connections = usize::try_from(files.saturating_sub(1_000)).unwrap().min(10_000);
    if connections < 10_000 {
        println!("only {connections} connections: the limit of open files is {files}");
    }
    let (_database, url) = sqlite().await;
    let running = Running::start(&url, &["--log-filter", "warn,marquee_api=info"]).await;
    let mut idle = Vec::with_capacity(connections);
    for number in 0..connections {
        let mut line = Line::to(running.address).await;
        if number % 10 == 0 {
            line.get("/livez").await;
        }
        idle.push(line);
    }
    let started = Instant::now();
    for _ in 0..100 {
        assert_eq!(running.get("/search").await.0, "HTTP/1.1 200 OK");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.process.id().unwrap())).unwrap_or_default();
    let memory = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("no /proc here");
    println!("{connections} connections: {memory}");
    for line in idle.iter_mut().step_by(100) {
        assert_eq!(line.get("/livez").await.1, "{\"status\":\"live\"}");
    }
    drop(idle);
    assert_eq!(running.stop("-TERM").await.0, Some(0));
}
