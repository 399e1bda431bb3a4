//! Everything about one provider's feed: its entry in the settings, fetching the document and parsing it.
//!
//! The output is neutral: [`item`]s and rejects, independent of HTTP and of XML or JSON. Only [`fetch`] uses the HTTP client, and only
//! [`mod@format`] uses the parsers.

pub mod category;
mod country;
pub mod currency;
pub mod document;
pub mod entry;
pub mod feed_headers;
pub mod feed_url;
pub mod fetch;
pub mod format;
pub mod id_from;
pub mod item;
pub mod local_time;
pub mod pages;
pub mod price;
mod quote;
pub mod spool;
pub mod time_zone;
