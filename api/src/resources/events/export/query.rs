//! Exports of lists: any filters of `/events`, in any format.

use std::{borrow::Cow, marker::PhantomData};

use entity::footprint::Selection;
use poem::http::HeaderValue;
use serde::Serialize;

use super::{ExportContext, ExportFormat};
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{reader::ReadSize, sql::ReadConnection},
    error::ApiError,
    find::{EventView, PageReader, SortKey},
    query::{Canonical, Filters, ListFilters, ListQuery, Parameters},
    resources::events::list::EventsFilters,
};

/// Events that are read and written before the next ones are read: with their details less than a megabyte.
const ROWS_PER_READ: u64 = 500;
/// More than what follows the events of a document takes, except for many time zones.
const END_BYTES: usize = 64 * 1024;

/// Which events, in which order.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ExportFilters<F> {
    /// The same as those of `/events`.
    #[serde(flatten)]
    events: EventsFilters,
    #[serde(skip)]
    format: PhantomData<fn() -> F>,
}

/// A request for a list in a format.
pub(crate) type ExportQuery<F> = ListQuery<ExportFilters<F>>;

impl<F: ExportFormat> Filters for ExportFilters<F> {
    fn path(&self) -> Cow<'static, str> {
        F::PATH.into()
    }
}

impl<F: ExportFormat> ListFilters for ExportFilters<F> {
    type SortKey = SortKey;
}

impl<F: ExportFormat> ExportQuery<F> {
    /// Reads the parameters of a request.
    ///
    /// # Errors
    ///
    /// When any are unknown, repeated, malformed or contradictory; the error lists all of them.
    pub(crate) fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let events = EventsFilters::read(&mut parameters);
        let query = Self::read(ExportFilters { events, format: PhantomData }, &mut parameters);
        parameters.finish(query)
    }

    fn context(&self) -> ExportContext {
        let reference = self.canonical();
        ExportContext {
            has_point: self.filters.events.filters.near.is_some(),
            list: self.filters.canonical(),
            reference: reference.trim_start_matches('/').to_owned(),
        }
    }
}

impl<F: ExportFormat> CachedQuery for ExportQuery<F> {
    const CONTENT_TYPE: HeaderValue = F::CONTENT_TYPE;
    const NEEDS_SNAPSHOT: bool = true;
    const RESOURCE: CachedResource = CachedResource::Exports;

    fn selection(&self) -> Selection {
        self.filters.events.filters.selection()
    }

    fn read_size(&self) -> ReadSize {
        self.page.read_size()
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let EventsFilters { filters, ids, sort, .. } = &self.filters.events;
        let reader = PageReader { database, filters, ids, sort: *sort };
        let mut body = Vec::new();
        let mut export = F::begin(&self.context(), &mut body)?;
        let (mut after, mut written) = (self.page.after.as_ref().map(|cursor| cursor.sort_key), 0);
        let link = 'list: loop {
            // One more than the page has, to detect whether there is a next page.
            let limit = (self.page.rows() + 1 - written).min(ROWS_PER_READ);
            let ((events, _), _) = reader.read(after, limit, None).await?;
            let is_last = (events.len() as u64) < limit;
            for event in events {
                if written == self.page.rows() {
                    break 'list after.and_then(|last| self.next_link(last));
                }
                after = Some(event.sort_key(*sort));
                export.write(event.view, &mut body)?;
                written += 1;
            }
            if is_last {
                break None;
            }
            reserve(&mut body, written, self.page.rows());
        };
        export.end(&mut body)?;
        body.shrink_to_fit();
        Ok(QueryOutput { snapshot: None, body, link })
    }
}

/// The document of one event.
pub(super) fn encode_one<F: ExportFormat>(event: EventView) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    let mut export = F::begin(&ExportContext::default(), &mut body)?;
    export.write(event, &mut body)?;
    export.end(&mut body)?;
    Ok(body)
}

/// Reserves memory for the rest of a page, if the rows that are missing are as long as those that are written. A vector that doubles
/// would be copied, and use three times its size. Memory that is reserved and not written is only an address.
fn reserve(body: &mut Vec<u8>, written: u64, rows: u64) {
    let per_row = body.len() / usize::try_from(written).unwrap_or(usize::MAX).max(1) + 1;
    if body.capacity() - body.len() < per_row * ROWS_PER_READ as usize {
        let missing = usize::try_from(rows - written).unwrap_or_default();
        body.reserve_exact(per_row * missing * 9 / 8 + END_BYTES);
    }
}
