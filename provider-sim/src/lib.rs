//! A simulated event provider: a generated catalogue of any size, served as an `event-list-xml` feed with `ETag`,
//! compression and injected faults.
//!
//! Contains the generated catalogue ([`SimCatalogue`]), its feed, the faults ([`InjectedFault`]), the server ([`serve`]),
//! the handle that controls it ([`SimProvider`]), and a receiver of webhooks ([`WebhookReceiver`]). It shares no code with the crates that it tests, so that one error cannot
//! hide in both.
//!
//! The same [`SimCatalogue`] and poll number produce the same bytes on any machine.

mod body;
mod catalogue;
mod churn;
mod cities;
mod corrupt;
mod details;
mod document;
mod fault;
mod feed;
mod model;
mod negotiation;
mod picture;
mod provider;
mod receiver;
mod response;
mod server;
mod words;

pub use catalogue::SimCatalogue;
pub use fault::{InjectedFault, InvalidFault};
pub use model::{SellMode, SimAddress, SimBaseEvent, SimDetails, SimEvent, SimPerformer, SimStatus, SimVenue, SimZone};
pub use provider::{SimProvider, SimStatistics};
pub use receiver::{ReceivedMessage, ReceiverReply, WebhookReceiver};
pub use server::serve;
