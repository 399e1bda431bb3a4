//! Errors of the pages of operators, as pages with the status of the error.

use askama::Template;
use poem::{
    Response,
    http::{HeaderValue, StatusCode, header},
};

use super::OpsFrame;
use crate::{error::ApiError, response::set_error_headers, web::HTML};

/// Only the scheme that browsers have a dialog for. Some read only the first scheme of a list.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"marquee operations\", charset=\"UTF-8\"");

#[derive(Debug, Template)]
#[template(path = "ops/error.html")]
struct ErrorPage<'a> {
    frame: OpsFrame,
    title: &'static str,
    /// What is wrong, a sentence each.
    details: Vec<String>,
    may_succeed_later: bool,
    /// Whether another key may be accepted.
    needs_key: bool,
    request_id: &'a str,
}

/// The response to a request for a page of operators that failed.
pub(crate) fn error_response(error: &ApiError, request_id: &str, path: &str) -> Response {
    let title = match error {
        ApiError::RemoteOperationsForbidden => "Local access only",
        error => error.code().title(),
    };
    let details = match error.errors() {
        [] => vec![error.detail()],
        errors => errors.iter().map(ToString::to_string).collect(),
    };
    let page = ErrorPage {
        frame: OpsFrame::of(path, ""),
        title,
        details,
        may_succeed_later: error.retry_after().is_some(),
        needs_key: error.status() == StatusCode::UNAUTHORIZED || matches!(error, ApiError::MissingScope { .. }),
        request_id,
    };
    let html = page.render().unwrap_or_else(|_| title.to_owned());
    let mut response = Response::builder().status(error.status()).body(html);
    response.headers_mut().insert(header::CONTENT_TYPE, HTML);
    super::set_headers(&mut response);
    set_error_headers(error, response.headers_mut());
    if error.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
    }
    response
}
