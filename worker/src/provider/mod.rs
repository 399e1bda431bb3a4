//! The provider's side: how its entry in the settings looks, how its feed is fetched, and how a feed is read.
//!
//! What leaves this room is neutral: [`item`]s and rejects that say nothing of HTTP or XML. The HTTP client stands in
//! [`fetch`], the XML reader in [`mod@format`], and nowhere else.

pub mod currency;
pub mod entry;
pub mod fetch;
pub mod format;
pub mod item;
pub mod local_time;
pub mod spool;
