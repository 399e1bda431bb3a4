//! The tables as sea-orm entities, one file per table, and the connection to the database that contains them.
//!
//! Both programs read and write through this crate. It owns what must be the same in both: column types, [`UtcInstant`] for every instant,
//! [`connect`], and values that both compute, such as [`provider::ProviderState`]. It contains no wire types: entities do not derive
//! `Serialize`, because `api` decides what a client sees, and `worker` what a feed means. Only the JSON of a change is here
//! ([`change_log::ChangeDocument`]), because both programs send it.
//!
//! The `migration` crate creates the schema. It does not use these entities: a migration that was released must not change when an entity
//! does.

mod ahead;
pub mod alias;
pub mod base_event;
pub mod catalogue_version;
mod category;
pub mod change;
pub mod change_log;
pub mod change_retention;
mod check;
mod chunks;
pub mod clock;
mod connect;
mod cursor;
pub mod daily_total;
pub mod datum;
mod day;
pub mod event;
pub mod event_performer;
pub mod event_state;
mod event_status;
pub mod feed_page;
mod fold_name;
pub mod footprint;
mod geo_cell;
mod instant;
pub mod item_id;
pub mod job;
pub mod listing;
pub mod name_word;
pub mod performer;
pub mod place;
mod price;
pub mod provider;
pub mod pushed_feed;
pub mod rate;
pub mod rate_batch;
pub mod rate_day;
mod redacted_url;
pub mod region;
pub mod reject;
pub mod release;
mod schedule;
mod schema;
pub mod schema_compatibility;
pub mod show_text;
pub mod sphere;
pub mod sql;
pub mod state_filter;
pub mod sync_run;
pub mod takedown;
pub mod tombstone;
pub mod undo;
pub mod venue;
pub mod webhook;
pub mod word;
pub mod words;
pub mod zone;

pub use ahead::Ahead;
pub use category::Category;
pub use check::{DatabaseError, check_connection, open};
pub use chunks::{chunks, key_chunks};
pub use clock::database_now;
pub use connect::{
    ConnectError, ConnectionRole, DatabaseSettings, DatabaseUrlError, Failure, accepts_writes, begin_write, cancel_on_drop,
    close_read_only_connections, connect, deadline, is_connection_lost, is_statement_timeout, is_unavailable,
};
pub use cursor::{Cursor, SortKey};
pub use day::{DayError, parse_day};
pub use event_status::EventStatus;
pub use fold_name::fold_name;
pub use geo_cell::{GeoArea, GeoCell};
pub use instant::UtcInstant;
pub use price::to_decimal;
pub use redacted_url::RedactedUrl;
pub use schedule::Schedule;
pub use schema::{NEWEST_MIGRATION, SchemaFit, check_schema};
