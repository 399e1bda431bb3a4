//! The groups of operations in the document.

use poem_openapi::Tags;

/// A group of operations.
#[derive(Clone, Copy, Debug, Tags)]
pub(crate) enum Tag {
    /// Events by date, with all their details.
    Events,
    /// What happened to events, and a copy of all events to begin with.
    Changes,
    /// Endpoints to which changes are delivered.
    Webhooks,
    /// Concerts by performer and location, and the lists of performers and venues.
    Concerts,
    /// Places, regions, and the prices of travelling between them.
    #[oai(rename = "Places and prices")]
    PlacesAndPrices,
    /// Providers, their feeds, and the ledger of sync runs.
    #[oai(rename = "Providers and syncs")]
    ProvidersAndSyncs,
    /// An end-to-end test of a deployment: a datum is queued, processed by a worker, and read back.
    Probe,
    /// Liveness and readiness, for orchestrators and load balancers.
    Health,
}
