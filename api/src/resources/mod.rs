//! The resources of the API, a folder each: its operation, its request, its rows and its response; and the bodies of their requests.

pub mod bulk;
pub mod categories;
pub mod changes;
pub mod concerts;
pub(crate) mod errors;
pub mod events;
pub mod feeds;
pub mod health;
pub(crate) mod item;
pub mod multivac;
mod name_list;
pub(crate) mod openapi;
pub mod performers;
pub mod places;
pub mod providers;
pub mod rates;
pub mod search;
pub mod sync_runs;
pub mod upload;
pub mod venues;
pub mod webhooks;
