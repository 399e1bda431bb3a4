//! Baselines: minimal implementations of the necessary part of a sync or a request, with the same libraries.

pub(crate) mod constant;
pub(crate) mod copy;
pub(crate) mod fetch;
pub(crate) mod find;
pub(crate) mod insert;
pub(crate) mod prices;
pub(crate) mod redis_get;
pub(crate) mod select;
#[cfg(feature = "tantivy")]
pub(crate) mod tantivy;
#[cfg(not(feature = "tantivy"))]
#[path = "no_tantivy.rs"]
pub(crate) mod tantivy;
pub(crate) mod xml;

/// The tables that a first load fills, in the order of their foreign keys. On SQLite it also fills an index of words without rows.
const TABLES: [&str; 12] = [
    "provider",
    "base_event",
    "venue",
    "performer",
    "event",
    "zone",
    "event_performer",
    "show_text",
    "listing",
    "word",
    "name_word",
    "daily_total",
];
