//! The HTTP service: answers from the local copy of the catalogues, and never asks a provider.
//!
//! A request flows through [`server`] (sockets, limits, the fast path), [`query`] (its parameters), [`resources`] (its operation),
//! [`cache`] and [`database`], and comes back through [`response`]. [`app`] is the whole service without a socket, which is also what
//! the tests call.

pub mod auth;
pub mod cache;
pub mod database;
pub mod error;
mod metrics;
pub mod query;
pub mod resources;
pub mod response;
pub mod server;
mod settings;
mod state;

use std::{io, sync::Arc};

use poem::{Endpoint, EndpointExt, Response, Route, middleware::CatchPanic};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService};
use tokio_util::sync::CancellationToken;

use self::{
    metrics::RequestMetrics,
    resources::{concerts, events, feeds, health, multivac, performers, places, providers, rates, search, sync_runs, venues},
    server::{Limits, fast_path::Front},
};
pub use self::{
    settings::{Command, Settings},
    state::{State, StateError},
};

/// The whole service: operations, `/openapi.json`, the Swagger UI at `/docs`, and one shape for every error.
pub fn app(state: State) -> impl Endpoint<Output = Response> {
    let (rate, cache) = (state.rate.clone(), state.cache.clone());
    let scraped = metrics::endpoint(state.clone());
    let metrics = RequestMetrics::new(&server::fast_path::ROUTES);
    let service = service(state);
    let observer = Arc::new(server::Observer::new(&Operations::meta(), metrics.clone()));
    let rest = Route::new()
        .at("/metrics", poem::get(scraped))
        .at("/openapi.json", poem::get(service.spec_endpoint()))
        .nest("/docs", poem::get(service.swagger_ui()))
        .nest("/", service)
        .with(CatchPanic::new())
        .around(response::represent)
        .around(server::bound_body)
        .around(server::rate_limit::refuse)
        .around(move |endpoint, request| server::observe(endpoint, request, observer.clone()));
    Front { rate, cache, metrics, rest }
}

/// The service's description as served at `/openapi.json`.
#[must_use]
pub fn openapi(state: State) -> String {
    service(state).spec()
}

/// Serves until `shutdown` is cancelled, then finishes the requests that were accepted.
///
/// # Errors
///
/// When the listener breaks.
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

type Operations = (
    search::SearchApi,
    concerts::ConcertsApi,
    performers::PerformersApi,
    venues::VenuesApi,
    places::PlacesApi,
    rates::RatesApi,
    rates::batches::BatchesApi,
    events::EventsApi,
    providers::ProvidersApi,
    feeds::FeedsApi,
    sync_runs::SyncRunsApi,
    multivac::MultivacApi,
    health::HealthApi,
);

fn service(state: State) -> OpenApiService<Operations, ()> {
    let operations = (
        search::SearchApi(state.clone()),
        concerts::ConcertsApi(state.clone()),
        performers::PerformersApi(state.clone()),
        venues::VenuesApi(state.clone()),
        places::PlacesApi(state.clone()),
        rates::RatesApi(state.clone()),
        rates::batches::BatchesApi(state.clone()),
        events::EventsApi(state.clone()),
        providers::ProvidersApi(state.clone()),
        feeds::FeedsApi(state.clone()),
        sync_runs::SyncRunsApi(state.clone()),
        multivac::MultivacApi(state.clone()),
        health::HealthApi(state),
    );
    OpenApiService::new(operations, "Marquee", env!("CARGO_PKG_VERSION"))
        .description(include_str!("description.md"))
        .server("/")
        .license(LicenseObject::new("MIT OR Apache-2.0"))
}
