//! The filters of a request, defined once: the cache key, the cursor's binding to its query, and the canonical query all derive from
//! the serialized form of one struct, so a new field is part of each of them.

use std::borrow::Cow;

use entity::UtcInstant;
use serde::{Serialize, Serializer};

use crate::response::to_rfc3339;

/// What an operation selects, without paging. Fields serialize to the query parameters of the same names, in one form for each meaning.
pub trait Filters: Serialize + Clone + Send + Sync + 'static {
    /// The path of the operation, with the values of its path parameters.
    fn path(&self) -> Cow<'static, str>;
}

/// A request with a canonical form: equal for requests of the same meaning, different for all others.
pub trait Canonical {
    /// The path and query of the request.
    fn canonical(&self) -> String;
}

impl<F: Filters> Canonical for F {
    fn canonical(&self) -> String {
        url_of(self, &[])
    }
}

/// The path and query of filters and `paging` parameters.
pub(super) fn url_of<F: Filters>(filters: &F, paging: &[(&str, String)]) -> String {
    let mut url = filters.path().into_owned();
    url.push('?');
    let query_start = url.len();
    let mut query = form_urlencoded::Serializer::for_suffix(url, query_start);
    if let Err(error) = filters.serialize(serde_urlencoded::Serializer::new(&mut query)) {
        // Two requests must never share a key because a filter was lost.
        unreachable!("a filter of {} does not serialize to text: {error}", filters.path());
    }
    query.extend_pairs(paging);
    let mut url = query.finish();
    if url.len() == query_start {
        url.pop();
    }
    url
}

/// Serializes any number, day or name as text, without the trailing `.0` of a float.
pub(crate) fn serialize_text<S: Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

/// Serializes an optional instant as RFC 3339 in UTC.
pub(crate) fn serialize_instant<S: Serializer>(instant: &Option<UtcInstant>, serializer: S) -> Result<S::Ok, S::Error> {
    instant.map(to_rfc3339).serialize(serializer)
}
