//! The contract of the API with its clients and operators, on both databases: through the app without a socket, and
//! through the real process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails at its first error")]

mod aliases;
mod api_keys;
mod api_process;
mod bulk;
mod cache_consistency;
mod cached_format;
mod cached_responses;
mod cancelled_transactions;
mod changes;
mod concerts;
mod concerts_oracle;
mod conformance;
mod contract;
mod cross_origin;
mod database_outages;
mod demoted_primary;
mod documented;
mod error_bodies;
mod errors_page;
mod events;
mod exports;
mod fairness;
mod feeds;
mod find;
mod first_load;
mod fixtures;
mod health;
mod health_command;
mod json_schema;
mod malformed_queries;
mod multivac;
mod openapi;
mod pagination_under_changes;
mod performers_and_venues;
mod plans;
mod providers;
mod query_parameters;
mod rates;
mod reader_keys;
mod recorder;
mod redis;
mod replica;
mod routing;
mod search_pagination;
mod search_range;
mod search_response;
mod server;
mod statuses;
mod sync_runs;
mod takedown;
mod test_app;
mod untrusted_text;
mod write_deadlines;
