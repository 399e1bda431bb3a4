//! The peers: the barest way to do the part of a sync or a search that none can leave out, with the same libraries.

pub(crate) mod bare;
pub(crate) mod copy;
pub(crate) mod fetch;
pub(crate) mod insert;
pub(crate) mod prices;
pub(crate) mod redis_get;
pub(crate) mod select;
pub(crate) mod xml;

/// The tables of a copy in the order in which rows can go in.
const TABLES: [&str; 7] = ["provider", "base_event", "venue", "performer", "event", "zone", "event_performer"];
