//! The tables of Marquee as sea-orm entities, one file per table, and how to reach the database that holds them.
//!
//! Both programs read and write through this crate, so it owns what must be the same for both: the column types, the
//! [`UtcInstant`] of every instant, and [`connect`]. It holds no business rule and no wire type: entities derive no
//! `Serialize`, because what a client sees is decided in `api`, and what a feed says in `worker`.
//!
//! The schema itself is made by the `migration` crate, which keeps identifiers of its own: a migration that ran must not
//! change because an entity did.

pub mod base_event;
pub mod catalogue_version;
mod connect;
pub mod datum;
mod day;
pub mod event;
pub mod event_performer;
mod fold_name;
mod instant;
pub mod job;
pub mod performer;
pub mod place;
pub mod provider;
pub mod pushed_feed;
pub mod rate;
pub mod rate_batch;
pub mod rate_day;
mod redacted_url;
pub mod region;
pub mod reject;
mod schedule;
pub mod sphere;
pub mod sync_run;
pub mod venue;
pub mod zone;

pub use connect::{ConnectionRole, DatabaseSettings, begin_write, connect, is_connection_lost, is_unavailable};
pub use day::{DayError, parse_day};
pub use fold_name::fold_name;
pub use instant::UtcInstant;
pub use redacted_url::RedactedUrl;
pub use schedule::Schedule;
