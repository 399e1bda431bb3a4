//! What the provider promises: its catalogue through the library, its answers through a
//! real socket, its command through a real process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod catalogue;
mod churn;
mod client;
mod command;
mod conditional;
mod content_coding;
mod faults;
mod handle;
mod routing;
