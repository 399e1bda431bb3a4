//! End-to-end tests of the programs, and the rules that no single crate can check.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod boundaries;
mod closed_log;
mod color;
mod completions;
mod connection_strings;
mod database_roles;
mod deployment;
mod drift;
mod edges;
mod footprints;
mod frozen_api;
mod full_disk;
mod help;
mod journey;
mod killed_worker;
mod language;
mod make_run;
mod monitoring;
mod previous_release;
mod price_table;
mod probe;
mod pushes;
mod pushes_under_kills;
mod rates;
mod rekey;
mod schema_too_new;
mod service_manager;
mod settings;
mod takedown;
mod traces;
mod unresponsive_database;
mod unusable_database;
mod wait;
mod webhooks;
mod worker_metrics;
mod workers;
