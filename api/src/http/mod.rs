//! What all operations share of HTTP: the request's id, log line and error body, query strings, pages, JSON bodies, and how answers
//! are sent: codings, validators, HEAD.

mod coding;
mod conditional;
mod described;
mod json;
mod moment;
mod nullable;
mod observe;
mod page;
mod query;
mod range;
mod represent;
mod request_id;
mod upload;

pub use coding::Coding;
pub use conditional::etag_of;
pub use described::{CursorText, Date, Described, Kind, Limit, Moment, Number, Word, Words};
pub use json::Encoded;
pub use moment::{Edge, parse_moment, to_rfc3339};
pub use nullable::Nullable;
pub(crate) use observe::problem;
pub use observe::{Observer, observe};
pub use page::{Cursor, MAX_ROWS, Page, Place, next_link};
pub use query::{Mistakes, Parameters, no_parameters};
pub use range::Range;
pub use represent::represent;
pub(crate) use represent::{Asker, CACHE_CONTROL, VARY, encode};
pub(crate) use request_id::RequestId;
pub use upload::{Contents, Upload};
pub(crate) use upload::{content_coding, idempotency_key, media_type};
