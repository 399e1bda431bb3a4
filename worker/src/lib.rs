//! The worker: polls each provider's feed on its schedule and keeps the local copy of its catalogue.
//!
//! Read it in the order in which a feed flows: [`schedule`] fires, [`sync`](mod@sync) copies, [`provider`] fetches and reads.
//! [`commands`] is what the binary offers. It never serves a request; the API reads the same tables and nothing else of it.

pub mod commands;
pub mod progress;
pub mod provider;
pub mod schedule;
pub mod sync;
