//! The query string of a request: parameters, date ranges, pages and how OpenAPI describes them.

mod described;
mod moment;
mod page;
mod parameters;
mod range;

pub use self::{
    described::{CursorText, Date, Described, Kind, Limit, Moment, Number, Word, Words},
    moment::{Edge, parse_moment, to_rfc3339},
    page::{Cursor, MAX_ROWS, Page, Place, next_link},
    parameters::{Parameters, ValidationErrors, no_parameters},
    range::Range,
};
