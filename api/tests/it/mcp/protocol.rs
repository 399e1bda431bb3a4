//! Messages and requests that are not calls of tools: never a 500, and never a text of the library.

use std::num::NonZeroU32;

use api::{
    State,
    rate_limit::{RateLimiter, RateSettings},
    response::{Cors, CorsSettings},
};
use poem::{Body, http::Method};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

use super::{VERSION, request, send};
use crate::test_app::{TestApp, TestResponse};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

fn app() -> TestApp {
    TestApp::with_connection(DatabaseConnection::default())
}

fn state() -> State {
    State::new(DatabaseConnection::default(), DatabaseConnection::default(), 0, None)
}

/// The error of a message that is refused, and its HTTP status.
fn refusal(response: &TestResponse) -> (u16, i64, String) {
    assert_eq!(response.header("content-type"), Some("application/json"), "{}", response.text());
    let message: Value = serde_json::from_slice(&response.body).unwrap();
    let error = &message["error"];
    (response.status.as_u16(), error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_handshake_creates_no_session() {
    let app = app();
    for version in ["2025-03-26", "2025-06-18", VERSION] {
        let client = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } });
        let message = json!({ "jsonrpc": "2.0", "id": "a", "method": "initialize", "params": client });
        let response = send(&app, message.to_string(), &[]).await;
        assert_eq!(response.header("mcp-session-id"), None);
        let result = response.json()["result"].clone();
        assert_eq!((&result["protocolVersion"], &result["serverInfo"]["name"]), (&json!(version), &json!("marquee")));
        assert_eq!(result["capabilities"], json!({ "tools": {} }));
        assert!(result["instructions"].is_string());
    }
    let initialized = send(&app, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, &[]).await;
    assert_eq!((initialized.status.as_u16(), initialized.body.len()), (202, 0));
}

#[tokio::test]
async fn the_revision_without_a_handshake_is_supported() {
    let app = app();
    let newest = "2026-07-28";
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": newest,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let send = async |method: &str| {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "_meta": meta } });
        send(&app, message.to_string(), &[("mcp-protocol-version", newest), ("mcp-method", method)]).await
    };
    let discovered = send("server/discover").await.json()["result"].clone();
    assert!(discovered["supportedVersions"].as_array().unwrap().contains(&json!(newest)), "{discovered:#}");
    // This revision has an HTTP status for each error.
    let (status, code, message) = refusal(&send("unknown").await);
    assert_eq!((status, code), (404, -32601), "{message}");
}

#[tokio::test]
async fn a_body_that_is_no_message_is_an_error_of_the_protocol() {
    let app = app();
    for (body, code, text) in [
        ("", -32700, "the body must be JSON: "),
        ("{\"jsonrpc\":\"2.0\",", -32700, "the body must be JSON: "),
        ("\u{0}", -32700, "the body must be JSON: "),
        ("null", -32600, "the body must be a JSON-RPC 2.0 message: "),
        ("7", -32600, "the body must be a JSON-RPC 2.0 message: "),
        ("{}", -32600, "the body must be a JSON-RPC 2.0 message: "),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600, "the body must be a JSON-RPC 2.0 message: "),
        (r#"{"jsonrpc":"2.0","id":{},"method":5}"#, -32600, "the body must be a JSON-RPC 2.0 message: "),
        ("[]", -32600, "batches are not supported: "),
        (&format!("[{PING},{PING}]"), -32600, "batches are not supported: "),
    ] {
        let (status, actual, message) = refusal(&send(&app, body, &[]).await);
        assert_eq!((status, actual), (400, code), "{body}: {message}");
        assert!(message.starts_with(text), "{body}: {message}");
    }
    let deep = "[".repeat(60_000);
    assert_eq!(refusal(&send(&app, deep, &[]).await).1, -32700);
    let response = send(&app, r#"{"jsonrpc":"2.0","id":"x","method":7}"#, &[]).await;
    assert_eq!(serde_json::from_slice::<Value>(&response.body).unwrap()["id"], "x", "the id of the request is repeated");
}

#[tokio::test]
async fn methods_and_tools_that_do_not_exist_are_errors_of_the_protocol() {
    let app = app();
    for (method, params, code, text) in [
        ("unknown", json!({}), -32601, "the method does not exist"),
        ("resources/read", json!({ "uri": "x" }), -32601, "resources/read"),
        (
            "tools/call",
            json!({ "name": "delete_event" }),
            -32602,
            "available are search_events, get_event, event_calendar, list_categories",
        ),
        ("tools/call", json!({}), -32602, "`params` must have the `name` of a tool"),
        ("tools/call", json!({ "name": "get_event", "arguments": 5 }), -32602, "`params` must have the `name` of a tool"),
        ("initialize", json!({}), -32602, "`params` must have `protocolVersion`"),
    ] {
        let error = request(&app, method, params).await["error"].clone();
        assert_eq!(error["code"], code, "{method}: {error}");
        assert!(error["message"].as_str().unwrap().contains(text), "{method}: {error}");
    }
    let (status, code, message) = refusal(&send(&app, PING, &[("mcp-protocol-version", "1999-01-01")]).await);
    assert_eq!((status, code), (400, -32600), "{message}");
    assert!(message.contains("1999-01-01"), "{message}");
}

#[tokio::test]
async fn what_is_not_a_message_in_json_is_a_problem() {
    let app = app();
    let post = async |media_type: &str, body: Body, headers: &[(&str, &str)]| {
        app.upload(Method::POST, "/mcp", (media_type, body), headers).await
    };
    post("text/plain", PING.into(), &[]).await.problem(415, "unsupported_media_type");
    post("application/json", PING.into(), &[("content-encoding", "gzip")]).await.problem(415, "unsupported_media_type");
    post("application/json", PING.into(), &[("accept-encoding", "identity;q=0")]).await.problem(406, "not_acceptable");
    let large = " ".repeat(64 * 1024) + PING;
    post("application/json", large.clone().into(), &[]).await.problem(413, "body_too_large");
    post("application/json", large.into(), &[("content-length", "70000")]).await.problem(413, "body_too_large");
    let parameter = app.upload(Method::POST, "/mcp?limit=1", ("application/json", PING), &[]).await;
    parameter.problem(400, "invalid_parameter");

    // `Accept` is not required, because the response is always JSON, and a charset is permitted.
    assert_eq!(
        post("application/json; charset=utf-8", PING.into(), &[("accept", "text/html")]).await.json()["result"],
        json!({})
    );
}

#[tokio::test]
async fn there_is_no_stream_and_no_session() {
    let app = app();
    for method in [Method::GET, Method::HEAD, Method::DELETE, Method::PUT] {
        let response = app.send(method.clone(), "/mcp", &[("accept", "text/event-stream")]).await;
        assert_eq!((response.status.as_u16(), response.header("allow")), (405, Some("POST, OPTIONS")), "{method}");
    }
    let preflight = app.send(Method::OPTIONS, "/mcp", &[("access-control-request-method", "POST")]).await;
    assert_eq!(preflight.header("access-control-allow-methods"), Some("POST, OPTIONS"));
}

#[tokio::test]
async fn a_page_may_call_tools_if_it_may_read() {
    assert_eq!(send(&app(), PING, &[("origin", "https://elsewhere.example")]).await.status, 200);
    let settings = CorsSettings { cors_allowed_origins: vec!["https://app.example".parse().unwrap()] };
    let app = TestApp::with_state(&State { cors: Cors::from_settings(&settings), ..state() });
    assert_eq!(send(&app, PING, &[]).await.status, 200);
    assert_eq!(send(&app, PING, &[("origin", "https://app.example")]).await.status, 200);
    // With DNS rebinding, the host of the attacker is our own.
    for origin in ["https://elsewhere.example", "http://localhost", "null"] {
        send(&app, PING, &[("origin", origin)]).await.problem(403, "origin_not_allowed");
    }
}

#[tokio::test]
async fn messages_count_for_the_rate_limit() {
    let settings = RateSettings { rate_limit_per_second: NonZeroU32::new(1), ..Default::default() };
    let app = TestApp::with_state(&State { rate: RateLimiter::from_settings(&settings), ..state() });
    let mut response = send(&app, PING, &[]).await;
    for _ in 0..1_000 {
        if response.status == 429 {
            break;
        }
        response = send(&app, PING, &[]).await;
    }
    response.problem(429, "rate_limited");
}

#[tokio::test]
async fn a_large_result_is_encoded() {
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let plain = send(&app(), message, &[]).await;
    for coding in ["gzip", "br", "zstd"] {
        let encoded = send(&app(), message, &[("accept-encoding", coding)]).await;
        assert_eq!((encoded.header("content-encoding"), encoded.header("vary")), (Some(coding), Some("accept-encoding")));
        assert!(encoded.body.len() < plain.body.len() / 2);
        assert_eq!(encoded.decoded(), plain.body);
    }
}
