//! The query string of a request: parameters, filters, date ranges, pages and their documentation.

mod documented;
mod filters;
mod list;
mod moment;
mod parameters;
mod range;
mod status_filter;

pub use entity::{Cursor, SortKey};

pub use self::{
    documented::{
        CursorText, DateOrTime, Documented, IdempotencyKeyText, IfMatchText, Limit, ParameterKind, Path, ProviderSlugText,
        Required, RowNumber, UuidText, WITHOUT_CONTROLS, WITHOUT_NUL,
    },
    filters::{Canonical, Filters},
    list::{ListFilters, ListQuery, MAX_ROWS, Page},
    moment::{Edge, parse_moment},
    parameters::{Parameters, no_parameters, parse_path},
    range::TimeRange,
    status_filter::StatusFilter,
};
pub(crate) use self::{
    filters::{serialize_instant, serialize_text},
    moment::Moment,
    parameters::{MAX_TARGET_BYTES, describe_invalid, is_ignored, parse_integer, parse_provider_slug},
    status_filter::StatusNames,
};
