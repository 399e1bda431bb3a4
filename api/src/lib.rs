//! The HTTP service: responds from the local copy of the catalogues, and never contacts a provider.
//!
//! A request passes through [`server`] (sockets, limits, the fast path), [`query`] (its parameters), [`resources`] (its operation),
//! [`cache`] and [`database`], and returns through [`response`]. [`app`] is the whole service without a socket, which the tests call.

pub mod auth;
pub mod cache;
pub mod commands;
pub mod database;
pub mod error;
pub mod find;
mod mcp;
pub mod public_url;
pub mod query;
pub mod rate_limit;
pub mod resources;
pub mod response;
pub mod server;
mod state;
#[cfg(test)]
mod tests;
pub mod vocabulary;
mod web;

use std::{collections::HashMap, io};

use poem::{
    Endpoint, EndpointExt, Request, Response, Route, RouteMethod, endpoint::make, http::StatusCode, middleware::CatchPanic,
};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService};
use tokio_util::sync::CancellationToken;

use self::{
    auth::Caller,
    find::WithEventFilters,
    mcp::McpEndpoint,
    resources::{
        bulk, categories, changes, concerts, errors, events, feeds, health, multivac, openapi as openapi_document, performers,
        places, providers, rates, search, sync_runs, venues,
    },
    response::{StaticDocument, TextReply},
    server::{HOT_ROUTES, Limits, Observer, ServiceEntry},
};
pub use self::{
    commands::{Settings, StateError},
    state::State,
};

/// The whole service without a socket: operations, documents, and one form of all errors.
pub fn app(state: State) -> impl Endpoint<Output = Response> {
    if state.recorder.is_some() {
        server::describe_metrics();
    }
    let State { keys, rate: limiter, cors, cache, .. } = state.clone();
    let router = router(state).with(CatchPanic::new()).around(server::bound_body);
    let observer = Observer::new(&Operations::meta(), &HOT_ROUTES);
    ServiceEntry { keys, limiter, cors, cache, observer, router }
}

/// The OpenAPI document as served at `/openapi.json`.
#[must_use]
pub fn openapi(state: State) -> String {
    openapi_document::document(&service(state))
}

/// Serves until `shutdown` is cancelled, then completes the requests that were accepted.
///
/// # Errors
///
/// When the listener fails.
pub async fn run(listener: tokio::net::TcpListener, state: State, limits: Limits, shutdown: CancellationToken) -> io::Result<()> {
    let (rate, readiness) = (state.rate.clone(), state.readiness.clone());
    let sweep = async {
        match rate {
            Some(rate) => rate.sweep().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        served = server::serve(listener, app(state), limits, readiness, shutdown) => served,
        () = sweep => Ok(()),
    }
}

const LICENSE: &str = "MIT OR Apache-2.0";

type Operations = (
    WithEventFilters<search::SearchApi>,
    concerts::ConcertsApi,
    performers::PerformersApi,
    venues::VenuesApi,
    places::PlacesApi,
    rates::RatesApi,
    rates::batches::BatchesApi,
    // Nested, because poem-openapi implements its trait for tuples of up to 16.
    WithEventFilters<(events::EventsApi, events::ExportsApi)>,
    categories::CategoriesApi,
    changes::ChangesApi,
    bulk::BulkApi,
    providers::ProvidersApi,
    feeds::FeedsApi,
    sync_runs::SyncRunsApi,
    multivac::MultivacApi,
    health::HealthApi,
);

fn operations(state: State) -> Operations {
    (
        WithEventFilters(search::SearchApi(state.clone())),
        concerts::ConcertsApi(state.clone()),
        performers::PerformersApi(state.clone()),
        venues::VenuesApi(state.clone()),
        places::PlacesApi(state.clone()),
        rates::RatesApi(state.clone()),
        rates::batches::BatchesApi(state.clone()),
        WithEventFilters((events::EventsApi(state.clone()), events::ExportsApi::new(state.clone()))),
        categories::CategoriesApi(state.clone()),
        changes::ChangesApi(state.clone()),
        bulk::BulkApi(state.clone()),
        providers::ProvidersApi(state.clone()),
        feeds::FeedsApi(state.clone()),
        sync_runs::SyncRunsApi(state.clone()),
        multivac::MultivacApi(state.clone()),
        health::HealthApi(state),
    )
}

fn service(state: State) -> OpenApiService<Operations, ()> {
    OpenApiService::new(operations(state), "Marquee", env!("CARGO_PKG_VERSION"))
        .description(include_str!("description.md"))
        .server(".")
        .license(LicenseObject::new(LICENSE).identifier(LICENSE))
}

/// The routes of all operations and documents, and of `/mcp`. They are added here and not by [`OpenApiService`], which would parse the query string of
/// every request a second time.
fn router(state: State) -> Route {
    let service = service(state.clone());
    let document = openapi_document::document(&service);
    let mcp = McpEndpoint::new(state.cors.clone(), add_operations(Route::new(), state.clone()), &document);
    let docs = StaticDocument::new("text/html; charset=utf-8", openapi_document::swagger_ui(&service, &document));
    let metrics_state = state.clone();
    let router = web::add_routes(Route::new(), &state)
        .at("/metrics", poem::get(make(move |request| render_metrics(metrics_state.clone(), request))))
        .at(mcp::PATH, poem::post(mcp))
        .at("/openapi.json", poem::get(StaticDocument::new("application/json", document)))
        .at("/errors", poem::get(StaticDocument::new("text/html; charset=utf-8", errors::page())))
        .at("/docs", poem::get(docs))
        .at("/favicon.ico", poem::get(StaticDocument::new("image/svg+xml", include_str!("resources/favicon.svg").to_owned())));
    add_operations(router, state)
}

/// Adds the routes of all operations.
fn add_operations(router: Route, state: State) -> Route {
    let mut operation_routes = HashMap::new();
    operations(state).add_routes(&mut operation_routes);
    operation_routes.into_iter().fold(router, |router, (path, methods)| {
        let methods = methods.into_iter().fold(RouteMethod::new(), |route, (method, endpoint)| route.method(method, endpoint));
        router.at(path, methods)
    })
}

/// `GET /metrics`. It is not an operation of the API, because Prometheus defines its format.
async fn render_metrics(state: State, request: Request) -> poem::Result<TextReply> {
    state.keys.authorize_operations(&Caller::from_headers(request.headers()))?;
    let recorder = state.recorder.ok_or(StatusCode::NOT_FOUND)?;
    state.cache.record_size();
    Ok(TextReply::prometheus(&request, recorder.render()).await?)
}
