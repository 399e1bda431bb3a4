//! What the worker promises: how it reads a feed, what it makes of the copy, how it meets a provider that is ill, when it
//! polls, and what its commands answer.
//!
//! Feeds stand as files in `tests/fixtures`: `sound` ones, `rejects` with one item that cannot be taken, and `untrusted` ones in a
//! folder named by the reason with which they are refused.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends at the first thing that goes wrong")]

mod commands;
mod copy;
mod entries;
mod feeds;
mod fetch;
mod fixtures;
mod format;
mod jobs;
mod patience;
mod schedule;
mod served;
