//! Tests of the catalogue through the library, of responses through a socket, and of the command as a process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod catalogue;
mod churn;
mod client;
mod command;
mod conditional;
mod content_coding;
mod details;
mod faults;
mod handle;
mod routing;
