//! The HTTP service: responds from the local copy of the catalogues, and contacts a provider for pictures only.
//!
//! A request passes through [`server`] (sockets, limits, the fast path), [`query`] (its parameters), [`resources`] (its operation),
//! [`cache`] and [`database`], and returns through [`response`]. [`app`] is the whole service without a socket, which the tests call.

pub mod auth;
pub mod cache;
pub mod commands;
pub mod database;
pub mod error;
pub mod find;
pub mod images;
pub mod map_tiles;
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
    Endpoint, EndpointExt, Request, Response, Route, RouteMethod,
    endpoint::make,
    http::{HeaderValue, StatusCode, header},
    middleware::CatchPanic,
};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::{
    auth::Caller,
    find::WithEventFilters,
    mcp::McpEndpoint,
    resources::{
        bulk, categories, changes, concerts, errors, events, feeds, health, multivac, openapi as openapi_document, performers,
        places, providers, rates, search, sync_runs, venues, webhooks,
    },
    response::{StaticDocument, TextReply},
    server::{COUNTED_ROUTES, Limits, METRICS, Observer, RouteSet, ServiceEntry},
};
pub use self::{
    commands::{Settings, StateError},
    state::{Samples, State},
};

/// The whole service without a socket: operations, documents, and one form of all errors. Without the pages of operators and the metrics if
/// they have their own address.
pub fn app(state: State) -> impl Endpoint<Output = Response> {
    let routes = if state.has_operations_address { RouteSet::Public } else { RouteSet::All };
    service_entry(state, routes)
}

/// What the address of operators serves: their pages, the metrics and health checks.
pub fn operations_app(state: State) -> impl Endpoint<Output = Response> {
    service_entry(state, RouteSet::Operations)
}

fn service_entry(state: State, routes: RouteSet) -> impl Endpoint<Output = Response> {
    if state.recorder.is_some() {
        server::describe_metrics();
    }
    let apis = if routes.has_public() { Operations::meta() } else { health::HealthApi::meta() };
    let observer = Observer::new(&apis, routes, &COUNTED_ROUTES);
    let State { keys, rate: limiter, cors, cache, pages, public_url, .. } = state.clone();
    let router = router(state, routes).with(CatchPanic::new()).around(server::bound_body);
    // The operator decides who reaches the other address.
    let limiter = limiter.filter(|_| routes.has_public());
    ServiceEntry { keys, limiter, cors, cache, pages, public_url, routes, observer, router }
}

/// The OpenAPI document as served at `/openapi.json`.
#[must_use]
pub fn openapi(state: State) -> String {
    openapi_document::document(&service(state))
}

/// Where a process listens.
#[derive(Debug)]
pub struct Listeners {
    /// For clients.
    pub public: TcpListener,
    /// For operators, if they have their own address.
    pub operations: Option<TcpListener>,
}

/// Serves until `shutdown` is cancelled, then completes the requests that were accepted.
///
/// # Errors
///
/// When a listener fails.
pub async fn run(listeners: Listeners, state: State, limits: Limits, shutdown: CancellationToken) -> io::Result<()> {
    let state = State { has_operations_address: listeners.operations.is_some(), ..state };
    let (rate, readiness) = (state.rate.clone(), state.readiness.clone());
    state.change_streams.limit_to_share_of(limits.connections);
    let sweep = async {
        match rate {
            Some(rate) => rate.sweep().await,
            None => std::future::pending().await,
        }
    };
    let serve_operations = async {
        let Some(listener) = listeners.operations else { return Ok(()) };
        let limits = Limits { connections: OPERATIONS_CONNECTIONS, ..limits.clone() };
        server::serve(listener, operations_app(state.clone()), limits, readiness.clone(), shutdown.clone()).await
    };
    let serve = server::serve(listeners.public, app(state.clone()), limits.clone(), readiness.clone(), shutdown.clone());
    tokio::select! {
        served = async { tokio::try_join!(serve, serve_operations) } => served.map(|_| ()),
        () = sweep => Ok(()),
    }
}

/// Connections of operators and scrapers, which share the files of the process with clients.
const OPERATIONS_CONNECTIONS: u32 = 64;
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
    (WithEventFilters<changes::ChangesApi>, changes::HistoryApi, webhooks::WebhooksApi),
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
        (
            WithEventFilters(changes::ChangesApi(state.clone())),
            changes::HistoryApi(state.clone()),
            webhooks::WebhooksApi(state.clone()),
        ),
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

/// The routes of an address. Those of operations are added here and not by [`OpenApiService`], which would parse the query string of every
/// request a second time.
fn router(state: State, routes: RouteSet) -> Route {
    let icon = StaticDocument::new("image/svg+xml", include_str!("resources/favicon.svg").to_owned());
    let mut router = web::add_assets(Route::new()).at("/favicon.ico", poem::get(icon));
    if routes.has_operations() {
        let metrics_state = state.clone();
        router = web::ops::add_routes(router, &state)
            .at(METRICS, poem::get(make(move |request| render_metrics(metrics_state.clone(), request))));
    }
    if !routes.has_public() {
        return add_operations(
            router.at("/", poem::get(make(|_| async { web::ops::redirect_to_overview() }))),
            health::HealthApi(state),
        );
    }
    let service = service(state.clone());
    let document = openapi_document::document(&service);
    let mcp = McpEndpoint::new(state.cors.clone(), add_operations(Route::new(), operations(state.clone())), &document);
    let docs = StaticDocument::new("text/html; charset=utf-8", openapi_document::swagger_ui(&service, &document));
    let router = web::add_routes(router, &state)
        .at(mcp::PATH, poem::post(mcp))
        .at("/openapi.json", poem::get(StaticDocument::new("application/json", document)))
        .at("/errors", poem::get(StaticDocument::new("text/html; charset=utf-8", errors::page())))
        .at("/docs", poem::get(docs));
    add_operations(router, operations(state))
}

/// Adds the routes of operations.
fn add_operations(router: Route, operations: impl OpenApi) -> Route {
    let mut operation_routes = HashMap::new();
    operations.add_routes(&mut operation_routes);
    operation_routes.into_iter().fold(router, |router, (path, methods)| {
        let is_private = path.starts_with(webhooks::PATHS);
        let methods = methods.into_iter().fold(RouteMethod::new(), |route, (method, endpoint)| route.method(method, endpoint));
        if is_private { router.at(path, methods.map(forbid_storing)) } else { router.at(path, methods) }
    })
}

/// Responses with secrets, which are shown once, and those beside them.
async fn forbid_storing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `GET /metrics`. It is not an operation of the API, because Prometheus defines its format.
async fn render_metrics(state: State, request: Request) -> poem::Result<TextReply> {
    state.keys.authorize_operations(&Caller::from_headers(request.headers()))?;
    let recorder = state.recorder.ok_or(StatusCode::NOT_FOUND)?;
    state.cache.record_size();
    Ok(TextReply::prometheus(&request, recorder.render()).await?)
}
