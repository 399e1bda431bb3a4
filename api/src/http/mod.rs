//! What all operations share of HTTP: the request's id, log line and error body, query strings, pages and JSON bodies.

mod described;
mod json;
mod moment;
mod nullable;
mod observe;
mod page;
mod query;

pub use described::{CursorText, Described, Kind, Limit, Moment, Word};
pub use json::Encoded;
pub use moment::{Edge, parse_moment, to_rfc3339};
pub use nullable::Nullable;
pub use observe::{Paths, observe};
pub use page::{Cursor, MAX_ROWS, Page, next_link};
pub use query::{Mistakes, Parameters, no_parameters};
