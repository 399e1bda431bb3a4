//! The messages that the server responds to: the list of tools, and their calls.

use std::sync::Arc;

use metrics::counter;
use poem::http::{StatusCode, request::Parts};
use rmcp::{
    RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest, CustomResult, ErrorCode, ErrorData,
        Implementation, JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
};
use serde_json::Value;
use tracing::{Instrument, Span};

use super::{
    PATH, arguments,
    operations::{Operations, Output},
    tools::{ToolDefinition, Tools},
};
use crate::{error::ApiError, response::Problem, server::RequestId};

const INSTRUCTIONS: &str = "Find concerts, shows and other events in the catalogues of event providers. Times are those at the \
                            venue. Prices are in the currency of each event. If a call fails, its result states which arguments \
                            are accepted.";

/// Responds to the messages of all clients. It has no state of a client.
#[derive(Clone)]
pub(super) struct ToolServer {
    tools: Arc<Tools>,
    operations: Arc<Operations>,
}

impl ToolServer {
    pub(super) fn new(tools: Arc<Tools>, operations: Arc<Operations>) -> Self {
        Self { tools, operations }
    }

    async fn call(&self, tool: &ToolDefinition, arguments: &JsonObject) -> Result<CallToolResult, ApiError> {
        let target = arguments::target(tool, arguments)?;
        let Output { body, warning } = self.operations.get(&target).await?;
        let value: Value = serde_json::from_slice(&body).map_err(ApiError::Encoding)?;
        let mut result = CallToolResult::structured(value);
        if let Some(warning) = warning.as_ref().and_then(|warning| warning.to_str().ok()) {
            result.content.push(ContentBlock::text(format!("The result may be outdated: {warning}")));
        }
        Ok(result)
    }
}

impl ServerHandler for ToolServer {
    fn get_info(&self) -> ServerConfig {
        let implementation = Implementation::new("marquee", env!("CARGO_PKG_VERSION")).with_title("Marquee");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(implementation)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.described()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.find(name).map(|tool| tool.described.clone())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = self.tools.find(&request.name) else {
            let names = self.tools.names().join(", ");
            return Err(ErrorData::invalid_params(format!("the tool does not exist; available are {names}"), None));
        };
        let (arguments, http) = (request.arguments.unwrap_or_default(), context.extensions.get::<Parts>());
        let span = http.and_then(|http| http.extensions.get()).cloned().unwrap_or(Span::none());
        let request_id = http.and_then(|http| http.extensions.get()).map(RequestId::as_str).unwrap_or_default();
        let respond = async {
            let result = self.call(tool.definition, &arguments).await;
            record(tool.definition.name, result.as_ref().err());
            result.unwrap_or_else(|error| describe_error(&error, request_id))
        };
        Ok(respond.instrument(span).await.into())
    }

    /// Requests with a method that does not exist, or with parameters that it lacks.
    async fn on_custom_request(&self, request: CustomRequest, _: RequestContext<RoleServer>) -> Result<CustomResult, ErrorData> {
        Err(match request.method.as_str() {
            "tools/call" => ErrorData::invalid_params("`params` must have the `name` of a tool, and may have `arguments`", None),
            "initialize" => {
                let message = "`params` must have `protocolVersion`, `capabilities` and `clientInfo`";
                ErrorData::invalid_params(message, None)
            }
            _ => ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "the method does not exist; available is `tools`", None),
        })
    }
}

/// Logs and counts a call. The log line of the request states its duration.
fn record(tool: &'static str, error: Option<&ApiError>) {
    let status = error.map_or(StatusCode::OK, ApiError::status);
    counter!("marquee_mcp_calls_total", "tool" => tool, "status" => status.as_str().to_owned()).increment(1);
    match error.filter(|error| error.should_log()) {
        None => tracing::info!(mcp.tool = tool, mcp.status = status.as_u16(), "tool called"),
        Some(error) => {
            let error = telemetry::with_causes(error);
            tracing::error!(mcp.tool = tool, mcp.status = status.as_u16(), error, "tool call failed");
        }
    }
}

/// The error of an operation as a result, which the model sees, so that it can correct its arguments.
fn describe_error(error: &ApiError, request_id: &str) -> CallToolResult {
    let problem = Problem::new(error, request_id, PATH);
    let retry = error.retry_after().map(|seconds| format!(" (retry after {seconds} s)")).unwrap_or_default();
    let text = format!("{}: {}{retry}", error.code().name(), problem.detail);
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    result.structured_content = serde_json::to_value(problem).ok();
    result
}
