//! What only the whole house can show: the real programs together, and the rules that no single crate can hold.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends at the first thing that goes wrong")]

mod edges;
mod house;
mod journey;
mod killed;
mod patience;
mod probe;
mod pushes;
mod pushes_killed;
mod rates;
mod silenced;
mod workers;
