//! The API as a client sees it, called without a socket, and the common shape of its errors.

use std::{io::Read, pin::pin};

use api::{State, error::ErrorCode};
use entity::ConnectionRole;
use futures_util::StreamExt;
use migration::testing::TestDatabase;
use poem::{
    Body, Endpoint, EndpointExt, Response,
    endpoint::BoxEndpoint,
    http::{HeaderMap, Method, StatusCode},
    test::{TestClient, TestRequestBuilder},
};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

use crate::documented::assert_documented;

/// Attempts of a read that takes seconds, and longer than the API allows while other programs use the processor.
const MAX_RETRIES: usize = 20;

/// The whole API over one database.
pub(crate) struct TestApp {
    client: TestClient<BoxEndpoint<'static, Response>>,
}

/// A response with its complete body.
#[derive(Clone, Debug)]
pub(crate) struct TestResponse {
    /// The path of the request.
    pub(crate) path: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl TestApp {
    pub(crate) async fn new(database: &TestDatabase) -> Self {
        Self::with_connection(database.connect(ConnectionRole::Api).await)
    }

    /// Without a cache: tests change rows without a new catalogue version.
    pub(crate) fn with_connection(database: DatabaseConnection) -> Self {
        Self::with_state(&State::new(database.clone(), database, 0, None))
    }

    pub(crate) fn with_state(state: &State) -> Self {
        Self::with_endpoint(api::app(state.clone()))
    }

    fn with_endpoint(endpoint: impl Endpoint<Output = Response> + 'static) -> Self {
        Self { client: TestClient::new(endpoint.boxed()).default_header("host", "localhost") }
    }

    pub(crate) async fn get(&self, uri: &str) -> TestResponse {
        self.send(Method::GET, uri, &[]).await
    }

    pub(crate) async fn send(&self, method: Method, uri: &str, headers: &[(&str, &str)]) -> TestResponse {
        let request = self.client.request(method.clone(), uri);
        Self::send_request(request, (&method, uri), headers).await
    }

    /// Sends a body with its media type.
    pub(crate) async fn upload(
        &self,
        method: Method,
        uri: &str,
        (media_type, body): (&str, impl Into<Body>),
        headers: &[(&str, &str)],
    ) -> TestResponse {
        let request = self.client.request(method.clone(), uri).header("content-type", media_type).body(body);
        Self::send_request(request, (&method, uri), headers).await
    }

    async fn send_request(
        mut request: TestRequestBuilder<'_, BoxEndpoint<'static, Response>>,
        (method, uri): (&Method, &str),
        headers: &[(&str, &str)],
    ) -> TestResponse {
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send().await.0;
        let response = TestResponse {
            path: uri.split('?').next().unwrap_or_default().to_owned(),
            status: response.status(),
            headers: response.headers().clone(),
            body: read_body(&mut response).await,
        };
        assert_documented(method, uri, &response);
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        response
    }

    /// Requests a page that a busy machine may not read within the time limit of the API: retries on 503, as its detail says.
    pub(crate) async fn get_with_retries(&self, uri: &str) -> TestResponse {
        for _ in 0..MAX_RETRIES {
            let response = self.get(uri).await;
            if response.status != StatusCode::SERVICE_UNAVAILABLE {
                return response;
            }
        }
        self.get(uri).await
    }

    /// Requests this page and follows the `next` links to the last one.
    pub(crate) async fn get_pages(&self, uri: &str) -> Vec<TestResponse> {
        let mut pages = Vec::new();
        let mut next = Some(uri.to_owned());
        while let Some(uri) = next {
            let page = self.get(&uri).await;
            next = page.next();
            pages.push(page);
        }
        pages
    }
}

/// The whole body, or the first block of a stream, which has no end.
async fn read_body(response: &mut Response) -> Vec<u8> {
    let is_stream = response.content_type() == Some("text/event-stream");
    let body = response.take_body();
    if !is_stream {
        return body.into_vec().await.unwrap();
    }
    let first = pin!(body.into_bytes_stream()).next().await;
    first.map_or_else(Vec::new, |block| block.unwrap().to_vec())
}

impl TestResponse {
    /// The body of a successful response.
    pub(crate) fn json(&self) -> Value {
        assert!(self.status.is_success(), "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The body without its content coding.
    pub(crate) fn decoded(&self) -> Vec<u8> {
        let mut body = Vec::new();
        match self.header("content-encoding") {
            None => body.clone_from(&self.body),
            Some("gzip") => drop(flate2::read::GzDecoder::new(&*self.body).read_to_end(&mut body).unwrap()),
            Some("br") => drop(brotli::Decompressor::new(&*self.body, 4096).read_to_end(&mut body).unwrap()),
            Some("zstd") => zstd::stream::copy_decode(&*self.body, &mut body).unwrap(),
            Some(other) => panic!("unexpected content coding {other}"),
        }
        body
    }

    /// The body of an error, after checking the members that all problems share.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert!(!self.text().contains(command_line::is_unsafe), "{:?}", self.text());
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(!detail.is_empty());
        let title = ErrorCode::ALL.iter().find(|error| error.name() == code).unwrap().title();
        let reference = problem["type"].as_str().unwrap();
        assert_eq!(reference.trim_start_matches("../"), format!("errors#{code}"));
        let shape = json!({
            "type": reference,
            "title": title,
            "status": status,
            "detail": detail,
            "errors": problem["errors"].as_array().unwrap(),
            "request_id": self.header("x-request-id").unwrap(),
            "data": null,
            "error": { "code": code, "message": detail },
        });
        assert_eq!(problem, shape);
        problem
    }

    /// The validation errors of a response that rejects parameters, as (parameter, message).
    pub(crate) fn validation_errors(&self) -> Vec<(String, String)> {
        let problem = self.problem(400, "invalid_parameter");
        let errors: Vec<(String, String)> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| {
                assert_eq!(error.as_object().unwrap().len(), 2, "{error}");
                (error["parameter"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
            })
            .collect();
        assert!(!errors.is_empty());
        errors
    }

    /// The titles of the events of a search, in order.
    pub(crate) fn titles(&self) -> Vec<String> {
        let body = self.json();
        let events = body["data"]["events"].as_array().unwrap();
        events.iter().map(|event| event["title"].as_str().unwrap().to_owned()).collect()
    }

    /// The path in `Location`, resolved against the path of the request.
    pub(crate) fn location(&self) -> String {
        let location = self.header("location").unwrap();
        let parents = location.matches("../").count();
        let base = self.path.rsplitn(parents + 2, '/').last().unwrap();
        format!("{base}/{}", location.trim_start_matches("../"))
    }

    /// The target of the `next` link, which refers to another query of the same path.
    pub(crate) fn next(&self) -> Option<String> {
        let link = self.header("link")?;
        let target = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        let query = target.filter(|target| target.starts_with('?'));
        let query = query.unwrap_or_else(|| panic!("expected a link to the next page, got {link}"));
        Some(format!("{}{query}", self.path))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
