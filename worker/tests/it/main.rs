//! The worker: parsing of feeds, the copy, failing providers, schedules, jobs and commands.
//!
//! Feeds are files in `tests/fixtures`: `sound` ones, `rejects` with one invalid item, and `untrusted` ones in a directory named by the
//! code of their rejection.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails at the first error")]

mod boundaries;
mod commands;
mod copy;
mod entries;
mod feeds;
mod fetch;
mod fixtures;
mod format;
mod jobs;
mod pages;
mod patience;
mod schedule;
mod served;
mod webhooks;
