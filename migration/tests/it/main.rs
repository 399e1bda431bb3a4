//! Tests of the schema on both databases, and of `marquee-migrate`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod command;
mod compatibility;
mod roles;
mod steps;
