//! The worker: polls each provider's feed on its schedule and keeps the local copy of its catalogue.
//!
//! Read it in the order in which a feed flows: [`schedule`] fires, [`jobs`] claims, [`sync`](mod@sync) copies, [`provider`] fetches and
//! reads. [`commands`] is what the binary offers. It serves nothing but its [`metrics`]; the API reads the same tables and nothing else
//! of it.

pub mod commands;
pub mod jobs;
pub mod metrics;
pub mod progress;
pub mod provider;
pub mod schedule;
pub mod service;
pub mod sync;
