//! The memory of the real process, as the kernel reports it.

use super::ClientConnection;
use crate::api_process::{RunningApi, create_sqlite_database};

const MIB: u64 = 1024 * 1024;
/// Only the line with the listen address is logged: nobody reads the others, and a full pipe would block the process.
const QUIET: [&str; 2] = ["--log-filter", "warn,marquee_api=info"];

/// A value of `/proc/PID/status` in bytes.
fn read_status(process: &RunningApi, name: &str) -> u64 {
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
