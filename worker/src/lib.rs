//! The worker polls each provider's feed on its schedule and maintains the copy of its catalogue.
//!
//! Read it in the order in which a feed flows: [`schedule`] fires, [`jobs`] claims, [`sync`](mod@sync) copies, [`provider`] fetches and
//! parses; [`service`] connects them. [`boundary`] writes what time changes, [`backfill`] what migrations added,
//! and [`webhooks`] delivers what has changed.
//! [`commands`] are those of the binary. The worker serves only its [`metrics`]; the API reads the same tables and does not call the worker.

pub mod backfill;
pub mod boundary;
pub mod commands;
mod database;
pub mod jobs;
pub mod metrics;
pub mod progress;
pub mod provider;
mod release_metrics;
pub mod reload;
pub mod schedule;
pub mod service;
pub mod sync;
pub mod webhooks;
