//! The schema goes up and down on both databases, and its index serves the searches.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends at the first thing that goes wrong")]

mod steps;
