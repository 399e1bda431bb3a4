//! What the service promises to its clients and operators, on both databases: through the service without a socket, and
//! through the real process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends at the first thing that goes wrong")]

mod binary;
mod catalogue;
mod concerts;
mod concerts_oracle;
mod contract;
mod events;
mod feeds;
mod health;
mod kept;
mod keys;
mod ledger;
mod multivac;
mod names;
mod newest;
mod openapi;
mod outage;
mod parameters;
mod plans;
mod providers;
mod rates;
mod redis;
mod refusals;
mod schema;
mod search_answer;
mod search_moving;
mod search_pages;
mod search_range;
mod serve;
mod service;
mod strange_queries;
mod switch;
mod sync_runs;
