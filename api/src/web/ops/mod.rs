//! The pages of operators: what is wrong, since when, and what to do about it ([ADR 53](../../../../docs/adr/0053-operations-page.md)).
//!
//! They require the scope `operations`, and are never cached. Each is complete without script; `ops.js` replaces what has changed.

mod access;
mod dry_run;
mod error_page;
mod form;
mod health;
mod jobs;
mod overview;
mod plot;
mod run;
mod run_line;
mod runs;
mod text;
mod timeline;
mod webhooks;

use askama::Template;
use poem::{
    Request, Response, Route,
    http::{HeaderName, HeaderValue, StatusCode, header},
};

pub(crate) use self::error_page::error_response;
use super::{REFERRER_POLICY, assets::PATHS, endpoint, represent};
use crate::{error::ApiError, state::State};

/// The path of the overview. Those of all other pages begin with it.
pub(crate) const PATH: &str = "/ops";
const READ: &str = "GET, HEAD, OPTIONS";
/// The routes and their methods.
pub(crate) const ROUTES: [(&str, &str); 9] = [
    (PATH, READ),
    (runs::PATH, READ),
    ("/ops/runs/{id}", READ),
    (jobs::PATH, READ),
    ("/ops/jobs/{id}/retry", "POST, OPTIONS"),
    (dry_run::PATH, "GET, HEAD, POST, OPTIONS"),
    ("/ops/dry-runs/{id}", READ),
    (webhooks::PATH, READ),
    ("/ops/webhooks/{id}/enable", "POST, OPTIONS"),
];

/// Only scripts and connections of the service itself: text of providers and clients is shown, and a page has forms that change something.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What surrounds the content of every page.
#[derive(Clone, Debug)]
struct OpsFrame {
    /// The address of the service, relative to the page.
    root: String,
    style: &'static str,
    ops_style: &'static str,
    script: &'static str,
    /// The path of the page or of the list that contains it, for the navigation.
    section: &'static str,
}

impl OpsFrame {
    /// The frame of the response to a request for this path.
    fn of(path: &str, section: &'static str) -> Self {
        let root = "../".repeat(path.matches('/').count().saturating_sub(1));
        Self { root, style: &PATHS.style, ops_style: &PATHS.ops_style, script: &PATHS.ops_script, section }
    }
}

/// Adds the routes of the pages.
pub(crate) fn add_routes(router: Route, state: &State) -> Route {
    router
        .at(PATH, poem::get(endpoint(state, overview::respond)))
        .at(runs::PATH, poem::get(endpoint(state, runs::respond)))
        .at("/ops/runs/:id", poem::get(endpoint(state, run::respond)))
        .at(jobs::PATH, poem::get(endpoint(state, jobs::respond)))
        .at("/ops/jobs/:id/retry", poem::post(endpoint(state, jobs::retry)))
        .at(dry_run::PATH, poem::get(endpoint(state, dry_run::show_form)).post(endpoint(state, dry_run::start)))
        .at("/ops/dry-runs/:id", poem::get(endpoint(state, dry_run::show)))
        .at(webhooks::PATH, poem::get(endpoint(state, webhooks::respond)))
        .at("/ops/webhooks/:id/enable", poem::post(endpoint(state, webhooks::enable)))
}

/// Redirects from the root of the address of operators.
pub(crate) fn redirect_to_overview() -> poem::Result<Response> {
    Ok(Response::builder().status(StatusCode::TEMPORARY_REDIRECT).header(header::LOCATION, PATH.trim_start_matches('/')).finish())
}

/// Whether a path is that of a page of operators, or begins as one.
pub(crate) fn is_below(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The response to a request for a page.
async fn respond(request: &Request, page: &impl Template) -> Result<Response, ApiError> {
    let mut response = represent(request, page).await?;
    set_headers(&mut response);
    Ok(response)
}

/// Sets the headers of every page.
fn set_headers(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    headers.insert(header::REFERRER_POLICY, REFERRER_POLICY);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
}
