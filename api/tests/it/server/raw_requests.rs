//! Requests as raw bytes, which no HTTP client would send: smuggling, folding, control characters, odd targets, pipelining. Each is
//! answered like a request or like an error, and bytes after a request that is not understood are never read as another request.

use std::net::SocketAddr;

use api::{
    State,
    server::{Limits, Readiness, serve},
};
use sea_orm::DatabaseConnection;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::within_timeout;

/// A request that must not be executed when it follows one that is not understood.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn start_service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let database = DatabaseConnection::default();
    let app = api::app(State::new(database.clone(), database, 0, None));
    tokio::spawn(serve(listener, app, Limits::default(), Readiness::default(), CancellationToken::new()));
    address
}

/// The last request of each exchange: if the server still reads requests, it answers this one and closes the connection.
const LAST: &str = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Sends the bytes and the last request, and returns everything that the server sends until it closes the connection.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let bytes = format!("{request}{LAST}");
    let send = async {
        // The server may close before it has read everything.
        let _ = writer.write_all(bytes.as_bytes()).await;
        writer
    };
    let mut response = Vec::new();
    let (_writer, _) = within_timeout(async { tokio::join!(send, reader.read_to_end(&mut response)) }).await;
    String::from_utf8_lossy(&response).into_owned()
}

fn statuses(response: &str) -> Vec<u16> {
    let lines = response.split("HTTP/1.1 ").skip(1).chain(response.split("HTTP/1.0 ").skip(1));
    lines.map(|line| line[..3].parse().unwrap()).collect()
}

/// A GET of `/livez` with more header lines and bytes after them.
fn get(headers: &str, rest: &str) -> String {
    format!("GET /livez HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{rest}")
}

/// A POST with more header lines and a body.
fn post(headers: &str, body: &str) -> String {
    format!(
        "POST /multivac/data HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n{headers}\r\n{body}"
    )
}

fn request_line(line: &str) -> String {
    format!("{line}\r\nHost: localhost\r\n\r\n")
}

/// What is sent, and the statuses of all responses, including the response to the last request if there is one.
fn table() -> Vec<(&'static str, String, &'static [u16])> {
    let mut table = framing();
    table.extend(heads());
    table.extend(targets());
    table.extend(bodies());
    table
}

fn framing() -> Vec<(&'static str, String, &'static [u16])> {
    vec![
        (
            "length and chunked",
            get("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", &format!("0\r\n\r\n{SMUGGLED}")),
            &[200],
        ),
        ("unknown transfer coding", get("Transfer-Encoding: xchunked\r\n", &format!("0\r\n\r\n{SMUGGLED}")), &[400]),
        ("chunked is not last", get("Transfer-Encoding: chunked, identity\r\n", &format!("0\r\n\r\n{SMUGGLED}")), &[400]),
        ("chunked twice", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), &[200, 200]),
        ("space before the colon", get("Transfer-Encoding : chunked\r\n", &format!("0\r\n\r\n{SMUGGLED}")), &[400]),
        ("vertical tab before the value", get("Transfer-Encoding: \x0bchunked\r\n", &format!("0\r\n\r\n{SMUGGLED}")), &[400]),
        ("folded transfer coding", get("Transfer-Encoding:\r\n chunked\r\n", &format!("0\r\n\r\n{SMUGGLED}")), &[400]),
        ("chunked in HTTP/1.0", format!("GET /livez HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"), &[400]),
        ("equal lengths", get("Content-Length: 0\r\nContent-Length: 0\r\n", ""), &[200, 200]),
        ("different lengths", get("Content-Length: 0\r\nContent-Length: 44\r\n", SMUGGLED), &[400]),
        ("list of lengths", get("Content-Length: 0, 44\r\n", SMUGGLED), &[400]),
        ("length with a plus", get("Content-Length: +0\r\n", ""), &[400]),
        ("negative length", get("Content-Length: -1\r\n", ""), &[400]),
        ("hexadecimal length", get("Content-Length: 0x0\r\n", ""), &[400]),
        ("length over 64 bits", post("Content-Length: 18446744073709551616\r\n", ""), &[400]),
    ]
}

fn heads() -> Vec<(&'static str, String, &'static [u16])> {
    let many = (0..101).map(|number| format!("X{number}: y\r\n")).collect::<String>();
    vec![
        ("folded header", get("X-A: b\r\n c\r\n", ""), &[400]),
        ("bare line feeds", "GET /livez HTTP/1.1\nHost: localhost\n\n".to_owned(), &[200, 200]),
        ("bare carriage returns", "GET /livez HTTP/1.1\rHost: localhost\r\r".to_owned(), &[400]),
        ("carriage return in a value", get("X-A: a\rX-B: c\r\n", ""), &[400]),
        ("NUL in a value", get("X-A: a\0b\r\n", ""), &[400]),
        ("no header name", get(": b\r\n", ""), &[400]),
        ("two hosts", get("Host: evil.example\r\n", ""), &[400, 200]),
        ("no host", "GET /livez HTTP/1.1\r\n\r\n".to_owned(), &[400, 200]),
        ("no host in HTTP/1.0", "GET /livez HTTP/1.0\r\n\r\n".to_owned(), &[200]),
        ("invalid host", "GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n".to_owned(), &[400, 200]),
        ("101 headers", get(&many, ""), &[431]),
        ("a header of 64 KiB", get(&format!("X: {}\r\n", "a".repeat(65_536)), ""), &[431]),
        (
            "a request, and another one with a header of 64 KiB",
            get("", &get(&format!("X: {}\r\n", "a".repeat(65_536)), "")),
            &[200, 431],
        ),
        (
            "upgrade to HTTP/2",
            get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", ""),
            &[200, 200],
        ),
    ]
}

fn targets() -> Vec<(&'static str, String, &'static [u16])> {
    vec![
        ("NUL in the path", request_line("GET /livez\0 HTTP/1.1"), &[400]),
        ("space in the path", request_line("GET /li vez HTTP/1.1"), &[400]),
        ("tabs as separators", request_line("GET\t/livez\tHTTP/1.1"), &[400]),
        ("absolute URL", request_line("GET http://localhost/livez HTTP/1.1"), &[200, 200]),
        ("absolute URL of another host", request_line("GET http://evil.example/livez HTTP/1.1"), &[200, 200]),
        ("CONNECT", request_line("CONNECT evil.example:80 HTTP/1.1"), &[404, 200]),
        ("OPTIONS of the server", request_line("OPTIONS * HTTP/1.1"), &[204, 200]),
        ("TRACE", request_line("TRACE /livez HTTP/1.1"), &[405, 200]),
        ("unknown method", request_line("BREW /livez HTTP/1.1"), &[405, 200]),
        ("method in lower case", request_line("get /livez HTTP/1.1"), &[405, 200]),
        ("dot segments", request_line("GET /docs/../livez HTTP/1.1"), &[404, 200]),
        ("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), &[]),
        ("HTTP/1.9", request_line("GET /livez HTTP/1.9"), &[400]),
        ("HTTP/0.9", "GET /livez\r\n\r\n".to_owned(), &[400]),
        ("a path of 25,000 bytes", request_line(&format!("GET /{} HTTP/1.1", "a".repeat(25_000))), &[414, 200]),
        ("a path of 66,000 bytes", request_line(&format!("GET /{} HTTP/1.1", "a".repeat(66_000))), &[414]),
        ("a query of 1 MB", request_line(&format!("GET /?q={} HTTP/1.1", "a".repeat(1_000_000))), &[414]),
        ("a path of 20,000 slashes", request_line(&format!("GET {} HTTP/1.1", "/".repeat(20_000))), &[404, 200]),
    ]
}

fn bodies() -> Vec<(&'static str, String, &'static [u16])> {
    let chunked = "Transfer-Encoding: chunked\r\n";
    vec![
        ("expected continue", post("Expect: 100-continue\r\nContent-Length: 0\r\n", ""), &[400, 200]),
        ("unknown expectation", get("Expect: 200-ok\r\n", ""), &[200, 200]),
        ("chunk size over 64 bits", post(chunked, "FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n"), &[400]),
        ("bare line feed after a chunk size", post(chunked, &format!("0\n\n{SMUGGLED}")), &[400]),
        ("bytes after a chunk", post(chunked, &format!("1\r\nZZZ\r\n0\r\n\r\n{SMUGGLED}")), &[400]),
        ("line feed in a chunk extension", post(chunked, &format!("2;\nxx\r\n0\r\n\r\n{SMUGGLED}")), &[400]),
        ("body of a GET, and another request", get("Content-Length: 5\r\n", &format!("hello{}", get("", ""))), &[200, 200, 200]),
        (
            "chunked body of a GET, and another request",
            get(chunked, &format!("5\r\nhello\r\n0\r\n\r\n{}", get("", ""))),
            &[200, 200, 200],
        ),
        (
            "pipelined requests",
            format!("{}{}{}", get("", ""), request_line("GET /unknown HTTP/1.1"), get("", "")),
            &[200, 404, 200, 200],
        ),
        ("a request, and bytes that are none", format!("{}\0\0\0\r\n\r\n", get("", "")), &[200, 400]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_requests_are_answered_or_rejected() {
    let address = start_service().await;
    let table = table();
    assert!(table.len() >= 50, "{}", table.len());
    let mut failures = Vec::new();
    for (name, request, expected) in table {
        let response = exchange(address, &request).await;
        let actual = statuses(&response);
        if actual != expected {
            failures.push(format!("{name}: {actual:?}"));
        }
        for (head, body) in response.split("HTTP/1.1 ").skip(1).filter_map(|response| response.split_once("\r\n\r\n")) {
            if head.starts_with('4') {
                let problem: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{name}: {error}: {response}"));
                assert_eq!(problem["status"].as_u64().unwrap().to_string(), head[..3], "{name}");
                assert!(head.contains("content-type: application/problem+json"), "{name}: {head}");
                assert!(head.contains("x-content-type-options: nosniff"), "{name}: {head}");
                assert!(head.contains(&format!("content-length: {}", body.len())), "{name}: {head}");
                assert!(head.contains("cache-control: no-store") && head.contains("date: "), "{name}: {head}");
                assert!(head.contains(&format!("x-request-id: {}", problem["request_id"].as_str().unwrap())), "{name}: {head}");
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
