//! Requests for pages of lists: filters, `limit`, `cursor`, and the link to the next page.

use poem::http::HeaderValue;

use super::{Canonical, Cursor, Filters, Parameters, SortKey, filters::url_of, parameters::parse_integer};
use crate::database::reader::ReadSize;

/// Rows of one response, with or without a `limit`: about 8 MB, which clients and caches can still hold.
pub const MAX_ROWS: u64 = 50_000;

/// The filters of a list.
pub trait ListFilters: Filters {
    /// The values by which the list is sorted.
    type SortKey: SortKey;
}

/// A request for a page of the list that the filters select.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery<F: ListFilters> {
    /// The filters.
    pub filters: F,
    /// The part of the list.
    pub page: Page<F::SortKey>,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// The maximum number of rows, if the client set one.
    pub limit: Option<u64>,
    /// The position after which the page begins.
    pub after: Option<Cursor<K>>,
}

impl<K> Default for Page<K> {
    /// The whole list.
    fn default() -> Self {
        Self { limit: None, after: None }
    }
}

impl<K> Page<K> {
    /// The number of rows to return. One more is to be read, to detect whether there is a next page.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.limit.unwrap_or(MAX_ROWS)
    }

    /// How large a read of the page may be.
    #[must_use]
    pub fn read_size(&self) -> ReadSize {
        ReadSize::of_rows(self.rows())
    }
}

impl<F: ListFilters> ListQuery<F> {
    /// Reads `limit` and `cursor`, after the filters were read.
    #[must_use]
    pub fn read(filters: F, parameters: &mut Parameters<'_>) -> Self {
        let limit = parameters.get("limit", |text| parse_integer(text, 1..=MAX_ROWS));
        let after: Option<Cursor<F::SortKey>> = parameters.get("cursor", str::parse);
        // Invalid filters are not other filters.
        if !parameters.has_errors() && after.as_ref().is_some_and(|cursor| !cursor.belongs_to(&filters.canonical())) {
            parameters.add_error("cursor", "belongs to a request with other filters");
        }
        Self { filters, page: Page { limit, after } }
    }

    /// Removes the row after the page, if it was read; then there is a next page, and this is the value of its `Link` header.
    pub fn paginate<Row>(&self, rows: Vec<Row>, sort_key: impl Fn(&Row) -> F::SortKey) -> (Vec<Row>, Option<HeaderValue>) {
        let (rows, next) = self.split(rows, sort_key);
        (rows, next.and_then(|query| link_to(&query)))
    }

    /// The same with the query string of the next page.
    pub fn split<Row>(&self, mut rows: Vec<Row>, sort_key: impl Fn(&Row) -> F::SortKey) -> (Vec<Row>, Option<String>) {
        let has_more = u64::try_from(rows.len()).is_ok_and(|count| count > self.page.rows());
        if !has_more {
            return (rows, None);
        }
        rows.pop();
        let next = rows.last().and_then(|row| self.next_query(sort_key(row)));
        (rows, next)
    }

    /// The value of the `Link` header of a page that ends with the row of this sort key: a reference relative to the request's URL.
    #[must_use]
    pub fn next_link(&self, last: F::SortKey) -> Option<HeaderValue> {
        link_to(&self.next_query(last)?)
    }

    /// The query string of the next page, with its `?`.
    fn next_query(&self, last: F::SortKey) -> Option<String> {
        let after = Some(Cursor::new(last, &self.filters.canonical()));
        let next = Self { filters: self.filters.clone(), page: Page { limit: self.page.limit, after } };
        let url = next.canonical();
        // Only the query: the path that the client requested may have a prefix that a proxy removed.
        url.find('?').map(|start| url[start..].to_owned())
    }
}

fn link_to(query: &str) -> Option<HeaderValue> {
    format!("<{query}>; rel=\"next\"").try_into().ok()
}

impl<F: ListFilters> Canonical for ListQuery<F> {
    fn canonical(&self) -> String {
        let limit = self.page.limit.map(|limit| ("limit", limit.to_string()));
        let cursor = self.page.after.as_ref().map(|cursor| ("cursor", cursor.encode()));
        url_of(&self.filters, &limit.into_iter().chain(cursor).collect::<Vec<_>>())
    }
}
