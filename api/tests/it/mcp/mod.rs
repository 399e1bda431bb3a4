//! `POST /mcp`: the tools, and what each of them refuses. `scripts/test-mcp` calls them with an independent client.

mod protocol;
mod tools;

use poem::http::Method;
use serde_json::{Value, json};

use crate::test_app::{TestApp, TestResponse};

/// A revision of the protocol with a handshake, which the official clients of other revisions also support.
const VERSION: &str = "2025-11-25";

/// Sends a body as a client of the protocol.
async fn send(app: &TestApp, body: impl Into<Vec<u8>>, headers: &[(&str, &str)]) -> TestResponse {
    let accept = [("accept", "application/json, text/event-stream")];
    let headers = [&accept, headers].concat();
    app.upload(Method::POST, "/mcp", ("application/json", body.into()), &headers).await
}

/// Sends a request, and returns the response message.
async fn request(app: &TestApp, method: &str, params: Value) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    let response = send(app, message.to_string(), &[("mcp-protocol-version", VERSION)]).await;
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let response = response.json();
    assert_eq!((&response["jsonrpc"], &response["id"]), (&json!("2.0"), &json!(7)), "{response:#}");
    response
}

/// Calls a tool, and returns its result.
pub(crate) async fn call(app: &TestApp, tool: &str, arguments: Value) -> Value {
    let response = request(app, "tools/call", json!({ "name": tool, "arguments": arguments })).await;
    response["result"].clone()
}
