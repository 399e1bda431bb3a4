//! The end: what was asked is answered, and nothing else is waited for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use api::{
    State,
    server::{Limits, Readiness},
};
use entity::ConnectionRole;
use migration::testing::{Backend, TestDatabase};
use tokio::{net::TcpStream, time::timeout};

use super::{Line, Served, in_time, recorder::Recorded};
use crate::service::Service;

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn readiness_goes_first_and_requests_are_served_until_the_delay_is_over() {
    let served = Served::with(Limits { drain_delay: Duration::from_millis(800), ..Limits::default() }).await;
    let mut kept = served.connect().await;
    let (head, _) = kept.get("/a").await;
    assert!(!head.contains("connection: close"), "{head}");
    assert!(!served.readiness.is_draining());

    served.shutdown.cancel();
    in_time(async {
        while !served.readiness.is_draining() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for line in [&mut kept, &mut served.connect().await] {
        let (head, body) = line.get("/b").await;
        assert!(head.contains("connection: close") && body == "/b", "{head}");
        assert_eq!(line.rest().await.unwrap(), b"");
    }
    let address = served.address;
    assert!(served.ended().await >= Duration::from_millis(300));
    assert!(TcpStream::connect(address).await.is_err(), "it still listens");
}

#[tokio::test]
async fn what_is_being_answered_is_finished() {
    let served = Served::with(Limits { drain_time: LONG, ..Limits::default() }).await;
    let mut lines = [served.connect().await, served.connect().await];
    for line in &mut lines {
        line.ask("/gate").await;
    }
    served.asked(2).await;
    served.shutdown.cancel();
    assert!(timeout(Duration::from_millis(500), lines[0].try_answer()).await.is_err());
    served.small.gate.add_permits(2);
    for mut line in lines {
        let (head, body) = line.answer().await;
        assert!(head.contains("connection: close") && body == "opened", "{head}");
    }
    assert!(served.ended().await < LONG / 2);
}

#[tokio::test]
async fn idle_connections_are_closed_in_order() {
    let recorded = Recorded::default();
    let _recording = metrics::set_default_local_recorder(&recorded);
    let served = Served::with(Limits { drain_time: LONG, ..Limits::default() }).await;
    let mut used = served.connect().await;
    used.get("/a").await;
    let mut fresh = served.connect().await;
    served.shutdown.cancel();
    assert_eq!(used.rest().await.unwrap(), b"");
    assert_eq!(fresh.rest().await.unwrap(), b"");
    drop((used, fresh));
    assert!(served.ended().await < LONG / 2);
    assert_eq!(recorded.counter("marquee_http_connections_closed_total", "drain"), 2);
}

/// A pool of connections that does not look at them until it needs one.
#[tokio::test]
async fn a_client_that_does_not_close_is_not_waited_for() {
    let served = Served::with(Limits { drain_time: LONG, ..Limits::default() }).await;
    let mut deaf = served.connect().await;
    deaf.get("/a").await;
    served.shutdown.cancel();
    assert!(served.ended().await < LONG / 2);
}

#[tokio::test]
async fn what_takes_too_long_is_cut() {
    let recorded = Recorded::default();
    let _recording = metrics::set_default_local_recorder(&recorded);
    let served = Served::with(Limits { drain_time: Duration::from_millis(500), ..Limits::default() }).await;
    let mut line = served.connect().await;
    line.ask("/gate").await;
    served.asked(1).await;
    let left = served.small.left.clone();
    served.shutdown.cancel();
    assert!(served.ended().await < LONG);
    assert_eq!(left.available_permits(), 1, "the request was let go of");
    assert!(line.rest().await.map_or(true, |rest| rest.is_empty()));
    assert_eq!(recorded.counter("marquee_http_connections_closed_total", "drain"), 1);
}

/// Clients that the kernel has accepted and the process has not: they wait because all places are taken.
#[tokio::test]
async fn clients_in_the_backlog_are_answered() {
    let served = Served::with(Limits { connections: 1, drain_time: LONG, ..Limits::default() }).await;
    let mut holder = served.connect().await;
    holder.ask("/gate").await;
    served.asked(1).await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut line = served.connect().await;
        line.ask("/a").await;
        waiting.push(line);
    }
    served.shutdown.cancel();
    served.small.gate.add_permits(1);
    assert_eq!(holder.answer().await.1, "opened");
    drop(holder);
    for mut line in waiting {
        assert_eq!(line.answer().await.1, "/a");
    }
    assert!(served.ended().await < LONG);
}

/// A request whose head is on its way while the process is told to stop.
#[tokio::test]
async fn a_head_that_has_begun_is_waited_for() {
    let served = Served::with(Limits { drain_time: LONG, ..Limits::default() }).await;
    let mut line = served.connect().await;
    line.get("/a").await;
    line.send("GET /b HT").await;
    let mut other = served.connect().await;
    other.get("/a").await;
    served.shutdown.cancel();
    assert_eq!(other.rest().await.unwrap(), b"", "an idle one is closed meanwhile");
    line.send("TP/1.1\r\nHost: test\r\n\r\n").await;
    let (head, body) = line.answer().await;
    assert!(head.contains("connection: close") && body == "/b", "{head}");
    drop((line, other));
    served.ended().await;
}

#[tokio::test]
async fn a_process_that_drains_is_not_ready_and_does_all_else() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let readiness = Readiness::default();
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = State { readiness: readiness.clone(), ..State::new(reads, watch, 0, None) };
    let service = Service::of(&state);
    assert_eq!(service.get("/readyz").await.status, 200);

    readiness.begin_drain();

    let answer = service.get("/readyz").await;
    answer.problem(503, "shutting_down");
    assert_eq!(answer.header("retry-after"), Some("2"));
    for path in ["/livez", "/search"] {
        assert_eq!(service.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn many_lines_at_once_are_all_answered_to_their_last_request() {
    let served = Arc::new(Served::with(Limits { drain_delay: Duration::from_millis(500), ..Limits::default() }).await);
    let clients: Vec<_> = (0..50)
        .map(|_| {
            let (address, answered) = (served.address, Arc::new(AtomicUsize::new(0)));
            let counted = answered.clone();
            let asking =
                async move { super::process::ask_until_told_to_close(&mut Line::to(address).await, "/a", &counted).await };
            (tokio::spawn(asking), answered)
        })
        .collect();
    in_time(async {
        while clients.iter().any(|(_, answered)| answered.load(Ordering::Relaxed) == 0) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    served.shutdown.cancel();
    for (client, answered) in clients {
        in_time(client).await.unwrap();
        assert!(answered.load(Ordering::Relaxed) > 0);
    }
}
