//! The service as a client sees it, without a socket, and the one shape of its errors.

use std::io::Read;

use api::{State, error::ErrorCode};
use entity::ConnectionRole;
use migration::testing::TestDatabase;
use poem::{
    Body, Endpoint, EndpointExt, Response,
    endpoint::BoxEndpoint,
    http::{HeaderMap, Method, StatusCode},
    test::{TestClient, TestRequestBuilder},
};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

/// The whole service over one database.
pub(crate) struct Service {
    client: TestClient<BoxEndpoint<'static, Response>>,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Service {
    pub(crate) async fn on(database: &TestDatabase) -> Self {
        Self::over(database.connect(ConnectionRole::Api).await)
    }

    pub(crate) fn over(database: DatabaseConnection) -> Self {
        // Each request asks the database: these tests change it in ways in which no worker does.
        Self::of(&State::new(database.clone(), database, 0, None))
    }

    pub(crate) fn of(state: &State) -> Self {
        Self::with(api::app(state.clone()))
    }

    fn with(app: impl Endpoint<Output = Response> + 'static) -> Self {
        Self { client: TestClient::new(app.boxed()) }
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(Method::GET, uri, &[]).await
    }

    pub(crate) async fn send(&self, method: Method, uri: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.client.request(method, uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::answer(request).await
    }

    /// Sends a body, of this media type.
    pub(crate) async fn upload(
        &self,
        method: Method,
        uri: &str,
        (media_type, body): (&str, impl Into<Body>),
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.client.request(method, uri).header("content-type", media_type).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::answer(request).await
    }

    async fn answer(request: TestRequestBuilder<'_, BoxEndpoint<'static, Response>>) -> Answer {
        let mut response = request.send().await.0;
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.take_body().into_vec().await.unwrap(),
        }
    }
}

impl Answer {
    /// The body of an answer that went well.
    pub(crate) fn json(&self) -> Value {
        assert!(self.status.is_success(), "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The body without its coding.
    pub(crate) fn decoded(&self) -> Vec<u8> {
        let mut body = Vec::new();
        match self.header("content-encoding") {
            None => body.clone_from(&self.body),
            Some("gzip") => drop(flate2::read::GzDecoder::new(&*self.body).read_to_end(&mut body).unwrap()),
            Some("br") => drop(brotli::Decompressor::new(&*self.body, 4096).read_to_end(&mut body).unwrap()),
            Some("zstd") => zstd::stream::copy_decode(&*self.body, &mut body).unwrap(),
            Some(other) => panic!("{other} is none of ours"),
        }
        body
    }

    /// The body of an error, which has the one shape of all errors.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(!detail.is_empty());
        let title = ErrorCode::ALL.iter().find(|known| known.name() == code).unwrap().title();
        let kind = problem["type"].as_str().unwrap();
        assert_eq!(kind.trim_start_matches("../"), format!("errors#{code}"));
        let shape = json!({
            "type": kind,
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

    /// The faults in the request, as (parameter, message), of an answer that refuses its parameters.
    pub(crate) fn mistakes(&self) -> Vec<(String, String)> {
        let problem = self.problem(400, "invalid_parameter");
        let mistakes: Vec<(String, String)> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|mistake| {
                assert_eq!(mistake.as_object().unwrap().len(), 2, "{mistake}");
                (mistake["parameter"].as_str().unwrap().to_owned(), mistake["message"].as_str().unwrap().to_owned())
            })
            .collect();
        assert!(!mistakes.is_empty());
        mistakes
    }

    /// The titles of the events that a search found, in its order.
    pub(crate) fn titles(&self) -> Vec<String> {
        let answer = self.json();
        let events = answer["data"]["events"].as_array().unwrap();
        events.iter().map(|event| event["title"].as_str().unwrap().to_owned()).collect()
    }

    /// Where the Link header says that the list goes on.
    pub(crate) fn next(&self) -> Option<String> {
        let link = self.header("link")?;
        let target = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        Some(target.unwrap_or_else(|| panic!("the link is no link to a next page: {link}")).to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
