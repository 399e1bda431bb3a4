//! Calls of operations inside the process. They pass through the same cache, limits and checks as requests.

use bytes::Bytes;
use poem::{
    Endpoint, EndpointExt, Request, Response, Route,
    endpoint::BoxEndpoint,
    http::{HeaderValue, StatusCode, header},
    middleware::CatchPanic,
};

use crate::error::ApiError;

/// The operations of the API.
pub(super) struct Operations(BoxEndpoint<'static, Response>);

/// The response of an operation.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) body: Bytes,
    /// That the response may be outdated.
    pub(super) warning: Option<HeaderValue>,
}

impl Operations {
    pub(super) fn new(operations: Route) -> Self {
        Self(operations.with(CatchPanic::new()).map_to_response().boxed())
    }

    /// Requests a path with its query string. Follows the redirect of an event that has another id.
    ///
    /// # Errors
    ///
    /// The error of the operation.
    pub(super) async fn get(&self, target: &str) -> Result<Output, ApiError> {
        match self.request(target).await {
            Err(ApiError::EventMoved { location, .. }) => {
                let parent = target.rfind('/').map_or("", |end| &target[..=end]);
                self.request(&format!("{parent}{location}")).await
            }
            result => result,
        }
    }

    async fn request(&self, target: &str) -> Result<Output, ApiError> {
        let uri = target.parse().map_err(|_| ApiError::Malformed("the arguments must form a URL"))?;
        let response = self.0.call(Request::builder().uri(uri).finish()).await.map_err(ApiError::from)?;
        if response.status() != StatusCode::OK {
            return Err(response.status().into());
        }
        let warning = response.headers().get(header::WARNING).cloned();
        let body = response.into_body().into_bytes().await.map_err(|_| ApiError::ResponseBody)?;
        Ok(Output { body, warning })
    }
}
