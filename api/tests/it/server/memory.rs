//! The memory of the real process, as the kernel reports it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use migration::testing::TestDatabase;
use sea_orm::ConnectionTrait;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};

use super::ClientConnection;
use crate::{
    api_process::{RunningApi, create_sqlite_database},
    fixtures::{CatalogueFixture, NewEvent},
};

pub(crate) const MIB: u64 = 1024 * 1024;
/// Only the line with the listen address is logged: the others are not read, and a full pipe would block the process.
const QUIET: [&str; 2] = ["--log-filter", "warn,marquee_api=info"];

/// A value of `/proc/PID/status` in bytes.
pub(crate) fn read_status(process: &RunningApi, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.child.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The memory that the process uses.
fn resident_bytes(process: &RunningApi) -> u64 {
    read_status(process, "VmRSS")
}

/// A request with values in every part that clients choose, different for each number.
fn request(number: usize) -> String {
    let (high, low) = (number / 256, number % 256);
    format!(
        "M{number}{method} /{number}?starts_at=2021-01-01&limit={number} HTTP/1.1\r\nHost: h{number}\r\nX-Request-Id: r{number}\r\n\
         Idempotency-Key: k{number}\r\nAuthorization: Bearer b{number}\r\nX-Forwarded-For: 192.0.{high}.{low}\r\n\
         Origin: https://o{number}.example\r\ntraceparent: 00-{number:032x}-{number:016x}-01\r\n\r\n\
         GET /search?limit={limit}&starts_at=2021-01-01T00:00:00.{number:06}Z HTTP/1.1\r\nHost: h{number}\r\n\r\n",
        method = "X".repeat(16_000),
        limit = number % 100 + 1,
    )
}

async fn send_requests(process: &RunningApi, numbers: std::ops::Range<usize>) {
    let mut connection = ClientConnection::open(process.address).await;
    for number in numbers {
        connection.send(&request(number)).await;
        let (head, _) = connection.read_response().await;
        assert!(head.starts_with("http/1.1 404 "), "{head}");
        connection.read_response().await;
    }
}

#[tokio::test]
async fn values_of_clients_grow_neither_metrics_nor_memory() {
    let (_database, url) = create_sqlite_database().await;
    let mut arguments = QUIET.to_vec();
    arguments.extend(["--cache-mib", "1", "--trusted-proxies", "127.0.0.1", "--rate-limit-per-second", "1000000"]);
    let process = RunningApi::start(&url, &arguments).await;
    send_requests(&process, 1..500).await;
    let series = process.get("/metrics").await.1.lines().count();
    let before = resident_bytes(&process);

    send_requests(&process, 500..2_500).await;

    // A busy machine adds statuses to the routes of these requests.
    let added = process.get("/metrics").await.1.lines().count() - series;
    assert!(added < 100, "{added} lines");
    let grown = resident_bytes(&process).saturating_sub(before);
    // The methods alone have 32 MB.
    assert!(grown < 16 * MIB, "{grown} bytes");
}

/// The memory of the process under each of the loads, and a moment after it (docs/OPERATIONS.md states the first).
const MAX_BYTES: u64 = 512 * MIB;
const MAX_BYTES_AFTERWARDS: u64 = 384 * MIB;
/// Generous, because the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn large_responses_use_bounded_memory() {
    let (_database, url) = create_large_database().await;
    let process = RunningApi::start(&url, &QUIET).await;
    let get = |path: String| format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").into_bytes();
    let concerts = |number| get(format!("/concerts?latitude=40&longitude=2.{number:04}&radius=20000"));
    assert_memory_is_bounded(&process, "30 lists of all concerts", 30, concerts).await;
    let searches = |number| get(format!("/search?limit=50000&ends_at=2099-01-01T00:00:00.{number:06}Z"));
    assert_memory_is_bounded(&process, "60 lists of all events", 60, searches).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_lists_of_places_use_bounded_memory() {
    let (_database, url) = create_sqlite_database().await;
    let process = RunningApi::start(&url, &QUIET).await;
    // 64 MiB with more items than a list may have, each as small as possible.
    let mut body = b"{\"regions\":[],\"places\":[".to_vec();
    body.extend_from_slice(&b"{\"code\":\"\",\"name\":\"\"},".repeat(550_000));
    body.resize(64 * 1024 * 1024, b' ');
    let head = format!(
        "PUT /places HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let request = [head.into_bytes(), body].concat();
    assert_memory_is_bounded(&process, "8 lists of places", 8, |_| request.clone()).await;
}

/// Sends that many requests at a time.
async fn assert_memory_is_bounded(process: &RunningApi, load: &str, requests: usize, request: impl Fn(usize) -> Vec<u8>) {
    // Resets the peak.
    std::fs::write(format!("/proc/{}/clear_refs", process.child.id().unwrap()), "5").unwrap();
    // A busy machine may reject all of them, after it has read for seconds.
    join_all((0..requests).map(|number| exchange(process.address, request(number)))).await;
    let peak = read_status(process, "VmHWM");
    assert!(peak < MAX_BYTES, "{load}: {} MiB", peak / MIB);
    let started = Instant::now();
    while resident_bytes(process) >= MAX_BYTES_AFTERWARDS {
        assert!(started.elapsed() < TIMEOUT, "{load}: {} MiB afterwards", resident_bytes(process) / MIB);
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(process.get("/livez").await.0, "HTTP/1.1 200 OK");
}

/// Sends a request, and discards the response.
async fn exchange(address: SocketAddr, request: Vec<u8>) {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let send = async {
        // The server may respond before it has read everything.
        let _ = writer.write_all(&request).await;
        writer
    };
    let receive = async {
        let _ = tokio::io::copy(&mut reader, &mut tokio::io::sink()).await;
    };
    timeout(TIMEOUT, async { tokio::join!(send, receive) }).await.unwrap();
}

/// A database with as many events as a response may have, at more venues than one statement reads.
async fn create_large_database() -> (TestDatabase, String) {
    let (database, url) = create_sqlite_database().await;
    let catalogue = CatalogueFixture::new(&database).await;
    let event = |number: u32| {
        let (latitude, longitude) = (f64::from(number) * 0.4 - 40.0, f64::from(number) * 1.7 - 170.0);
        let title = format!("A title of usual length {number}");
        NewEvent::titled(&title).performers(&["1"]).venue(&format!("venue {number}"), (latitude, longitude), None)
    };
    catalogue.insert((0..200).map(event)).await;
    for copy in [
        "WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < 250)
         INSERT INTO event (id, base_event_id, source_id, local_start, starts_at, ends_at, sold_out, min_price, max_price, venue_id, shown,
            content_hash, first_seen_at)
         SELECT randomblob(16), base_event_id, source_id || i, local_start, starts_at + i * 60000000, ends_at + i * 60000000, sold_out,
            min_price, max_price, venue_id, shown, content_hash, first_seen_at FROM event CROSS JOIN number",
        "INSERT INTO event_performer (event_id, position, performer_id, venue_id, starts_at, shown)
         SELECT event.id, 0, performer.id, venue_id, starts_at, TRUE FROM event CROSS JOIN performer
         WHERE event.id NOT IN (SELECT event_id FROM event_performer)",
    ] {
        catalogue.database.execute_unprepared(copy).await.unwrap();
    }
    (database, url)
}
