//! The HTTP service: answers from the local copy of the catalogues, and never asks a provider.
//!
//! One folder per resource ([`search`], [`events`], [`providers`], [`sync_runs`],
//! [`health`]), each with its operation, its request, its rows and
//! its answer; [`http`] holds what all of them share, [`error`] every way in which a call can fail. [`app`] is the whole service
//! without a socket, which is also what the tests call.

pub mod cache;
pub mod catalogue;
pub mod error;
pub mod events;
pub mod health;
pub mod http;
mod metrics;
pub mod providers;
pub mod reader;
pub mod search;
mod settings;
mod state;
pub mod sync_runs;

use std::{io, sync::Arc, time::Duration};

use poem::{Endpoint, EndpointExt, Response, Route, Server, listener::TcpAcceptor, middleware::CatchPanic};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService};
use tokio_util::sync::CancellationToken;

pub use self::{
    settings::Settings,
    state::{State, StateError},
};

/// How long requests that were accepted may take to end once the process was told to stop; the longest statement takes 5 s.
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// How long a connection may stay silent: longer than load balancers keep theirs (60 s), so that they close first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// The whole service: operations, `/openapi.json`, the Swagger UI at `/docs`, and one shape for every error.
pub fn app(state: State) -> impl Endpoint<Output = Response> {
    let cache = state.cache.clone();
    let metrics = metrics::endpoint(state.clone());
    let service = service(state);
    let observer = Arc::new(http::Observer::new(&Operations::meta()));
    Route::new()
        .at("/metrics", poem::get(metrics))
        .at("/openapi.json", poem::get(service.spec_endpoint()))
        .nest("/docs", poem::get(service.swagger_ui()))
        .nest("/", service)
        .with(CatchPanic::new())
        .around(http::represent)
        .around(move |endpoint, request| search::at_once(endpoint, request, cache.clone()))
        .around(move |endpoint, request| http::observe(endpoint, request, observer.clone()))
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
pub async fn run(listener: tokio::net::TcpListener, state: State, shutdown: CancellationToken) -> io::Result<()> {
    Server::<std::convert::Infallible, _>::new_with_acceptor(TcpAcceptor::from_tokio(listener)?)
        .idle_timeout(IDLE_TIMEOUT)
        .run_with_graceful_shutdown(app(state), shutdown.cancelled_owned(), Some(DRAIN_TIME))
        .await
}

type Operations = (search::SearchApi, events::EventsApi, providers::ProvidersApi, sync_runs::SyncRunsApi, health::HealthApi);

fn service(state: State) -> OpenApiService<Operations, ()> {
    let operations = (
        search::SearchApi(state.clone()),
        events::EventsApi(state.clone()),
        providers::ProvidersApi(state.clone()),
        sync_runs::SyncRunsApi(state.clone()),
        health::HealthApi(state),
    );
    OpenApiService::new(operations, "Marquee", env!("CARGO_PKG_VERSION"))
        .description(include_str!("description.md"))
        .server("/")
        .license(LicenseObject::new("MIT OR Apache-2.0"))
}
