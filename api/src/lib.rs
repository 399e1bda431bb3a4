//! The HTTP service: answers from the local copy of the catalogues, and never asks a provider.
//!
//! One folder per resource ([`search`], [`events`], [`providers`], [`sync_runs`],
//! [`health`]), each with its operation, its request, its rows and
//! its answer; [`http`] holds what all of them share, [`error`] every way in which a call can fail,
//! [`serve`] how the service meets sockets. [`app`] is the whole service
//! without a socket, which is also what the tests call.

pub mod error;
pub mod events;
pub mod health;
pub mod http;
pub mod providers;
pub mod search;
pub mod serve;
mod settings;
pub mod sync_runs;

use std::{io, sync::Arc, time::Duration};

use poem::{Endpoint, EndpointExt, Response, Route, middleware::CatchPanic};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService};
use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;

pub use settings::Settings;

use self::{
    error::ApiError,
    serve::{Limits, Readiness, rate::RateLimiter},
};

/// How long the database may take for one answer: 3 s for a connection, 5 s for the longest statement, and some. Past this its
/// own limits have not held, because the server or the line to it fell silent. Less than [`serve::DRAIN_TIME`].
const READ_TIME: Duration = Duration::from_secs(9);

/// What every operation needs.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The copy.
    pub database: DatabaseConnection,
    /// Whether new work is wanted.
    pub readiness: Readiness,
    /// How many requests a client may make, if there is a limit.
    pub rate: Option<Arc<RateLimiter>>,
}

impl State {
    /// What a query finds, if the database answers at all.
    ///
    /// # Errors
    ///
    /// When the query fails, or takes longer than the database's own limits allow.
    pub(crate) async fn read<T>(&self, query: impl Future<Output = Result<T, DbErr>>) -> Result<T, ApiError> {
        let found = tokio::time::timeout(READ_TIME, query).await.map_err(|_| ApiError::DatabaseSilent)?;
        Ok(found?)
    }
}

/// The whole service: operations, `/openapi.json`, the Swagger UI at `/docs`, and one shape for every error.
pub fn app(state: State) -> impl Endpoint<Output = Response> {
    let rate = state.rate.clone();
    let service = service(state);
    let paths = Arc::new(http::Paths::of(&Operations::meta()));
    Route::new()
        .at("/openapi.json", poem::get(service.spec_endpoint()))
        .nest("/docs", poem::get(service.swagger_ui()))
        .nest("/", service)
        .with(CatchPanic::new())
        .around(serve::bound_body)
        .around(serve::rate::refuse)
        .around(move |endpoint, request| http::observe(endpoint, request, paths.clone()))
        .around(move |endpoint, request| serve::rate::limit(endpoint, request, rate.clone()))
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
        served = serve::serve(listener, app(state), limits, readiness, shutdown) => served,
        () = sweep => Ok(()),
    }
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
