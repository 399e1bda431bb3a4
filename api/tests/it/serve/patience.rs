//! Clients that keep a connection waiting.

use std::time::Duration;

use api::server::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, interval},
};

use super::{Line, Served, in_time, recorder::Recorded};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_millis(1500);

fn closed(recorded: &Recorded, reason: &str) -> u64 {
    recorded.counter("marquee_http_connections_closed_total", reason)
}

/// Sends a byte every now and then until it is let go; tells how long that took.
async fn dribble(line: &mut Line, bytes: &[u8]) -> Duration {
    let started = Instant::now();
    let (mut reader, mut writer) = line.0.split();
    let send = async {
        let mut pauses = interval(Duration::from_millis(20));
        for byte in bytes.iter().cycle() {
            pauses.tick().await;
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    };
    let mut end = Vec::new();
    in_time(async {
        tokio::select! {
            () = send => {}
            _ = reader.read_to_end(&mut end) => {}
        }
    })
    .await;
    started.elapsed()
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
    let recorded = Recorded::default();
    let _recording = metrics::set_default_local_recorder(&recorded);
    let served = Served::with(Limits { head_time: SHORT, idle_time: LONG * 100, ..Limits::default() }).await;

    let mut line = served.connect().await;
    line.send("GET /a HTTP/1.1\r\nX-Slow: ").await;
    let lasted = dribble(&mut line, b"a").await;
    assert!(lasted >= SHORT && lasted < LONG * 10, "{lasted:?}");
    assert_eq!(closed(&recorded, "header"), 1);

    // The same for a later request of a connection, whose time begins with its first byte.
    let mut line = served.connect().await;
    assert_eq!(line.get("/a").await.1, "/a");
    let lasted = dribble(&mut line, b"G").await;
    assert!(lasted >= SHORT && lasted < LONG * 10, "{lasted:?}");
    assert_eq!(closed(&recorded, "header"), 2);
}

#[tokio::test]
async fn a_silent_connection_is_kept_for_its_time_and_then_closed_in_order() {
    let recorded = Recorded::default();
    let _recording = metrics::set_default_local_recorder(&recorded);
    let served = Served::with(Limits { head_time: SHORT, idle_time: LONG, ..Limits::default() }).await;

    let mut fresh = served.connect().await;
    let mut used = served.connect().await;
    assert_eq!(used.get("/a").await.1, "/a");
    let (fresh_lasted, used_lasted) = tokio::join!(fresh.is_let_go(), used.is_let_go());
    for lasted in [fresh_lasted, used_lasted] {
        assert!(lasted >= LONG - Duration::from_millis(100), "silence is no slow head: {lasted:?}");
    }
    assert_eq!(closed(&recorded, "idle"), 2);
    assert_eq!(closed(&recorded, "header"), 0);
}

#[tokio::test]
async fn each_request_begins_the_time_of_silence_anew() {
    let served = Served::with(Limits { idle_time: LONG, ..Limits::default() }).await;
    let mut line = served.connect().await;
    let mut pauses = interval(LONG / 3);
    for _ in 0..7 {
        pauses.tick().await;
        assert_eq!(line.get("/a").await.1, "/a");
    }
}

#[tokio::test]
async fn a_slow_answer_is_no_silence() {
    let served = Served::with(Limits { idle_time: SHORT, head_time: SHORT, write_time: SHORT, ..Limits::default() }).await;
    let mut line = served.connect().await;
    line.ask("/gate").await;
    served.asked(1).await;
    let mut pauses = interval(SHORT * 3);
    pauses.tick().await;
    pauses.tick().await;
    served.small.gate.add_permits(1);
    assert_eq!(line.answer().await.1, "opened");
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_ended_and_hinders_nobody() {
    let recorded = Recorded::default();
    let _recording = metrics::set_default_local_recorder(&recorded);
    let served = Served::with(Limits { write_time: LONG, ..Limits::default() }).await;
    let mut silent = Line::narrow(served.address).await;
    silent.ask("/big").await;
    let mut slow = Line::narrow(served.address).await;
    slow.ask("/big").await;

    let started = Instant::now();
    let mut other = served.connect().await;
    let mut pauses = interval(Duration::from_millis(50));
    let reading = async {
        while closed(&recorded, "slow_reader") < 2 {
            pauses.tick().await;
            // A byte now and then is no reading.
            let _ = slow.0.read_u8().await;
            let asked = Instant::now();
            assert_eq!(other.get("/a").await.1, "/a");
            assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        }
    };
    in_time(reading).await;
    assert!(started.elapsed() >= LONG);
    // What had left the server before comes, and then the end.
    assert!(silent.rest().await.map_or(true, |rest| rest.len() < super::BIG_BYTES));
}

#[tokio::test]
async fn a_client_that_reads_slowly_but_reads_gets_all() {
    let served = Served::with(Limits { write_time: SHORT, idle_time: SHORT, ..Limits::default() }).await;
    let mut line = Line::narrow(served.address).await;
    line.send("GET /big HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
    let started = Instant::now();
    let mut room = vec![0; 1024 * 1024];
    let mut taken = 0;
    let mut pauses = interval(Duration::from_millis(20));
    loop {
        pauses.tick().await;
        let wanted = Instant::now() + Duration::from_millis(10);
        let mut read = 0;
        while Instant::now() < wanted && read < room.len() {
            read += match in_time(line.0.read(&mut room)).await.unwrap() {
                0 => break,
                bytes => bytes,
            };
        }
        taken += read;
        if read == 0 {
            break;
        }
    }
    assert!(taken > super::BIG_BYTES, "{taken}");
    assert!(started.elapsed() > SHORT * 2, "the test is to last longer than each time: {:?}", started.elapsed());
}

#[tokio::test]
async fn a_client_that_leaves_early_ends_its_request() {
    let recorded = Recorded::default();
    let _recording = metrics::set_default_local_recorder(&recorded);
    let served = Served::with(Limits::default()).await;
    let mut line = served.connect().await;
    line.ask("/gate").await;
    served.asked(1).await;
    drop(line);
    in_time(served.small.left.acquire()).await.unwrap().forget();

    let mut line = served.connect().await;
    line.ask("/big").await;
    line.0.read_u8().await.unwrap();
    drop(line);
    let gone = async {
        while recorded.gauge("marquee_http_connections") > 0.0 {
            tokio::task::yield_now().await;
        }
    };
    in_time(gone).await;
}
