//! A stand-in for an external event provider: a seeded catalogue of any size, served as an
//! `event-list-xml` feed with `ETag`, gzip and faults on demand.
//!
//! Owns the invented catalogue ([`SimCatalogue`]), its feed, the ways an answer can go wrong
//! ([`InjectedFault`]) and the server ([`serve`]) with the handle that steers it ([`SimProvider`]).
//! Deliberately knows nothing of how a feed is read: it shares no code with the crates it
//! tests, so that a mistake cannot be made on both sides at once.
//!
//! The same [`SimCatalogue`] and poll number give the same bytes, on any machine.

mod answer;
mod body;
mod catalogue;
mod churn;
mod cities;
mod document;
mod fault;
mod feed;
mod model;
mod negotiation;
mod provider;
mod server;
mod spoil;
mod words;

pub use catalogue::SimCatalogue;
pub use fault::{InjectedFault, InvalidFault};
pub use model::{SellMode, SimBaseEvent, SimEvent, SimPerformer, SimVenue, SimZone};
pub use provider::{SimProvider, SimStatistics};
pub use server::serve;
