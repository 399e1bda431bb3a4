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
    public_url::PublicUrl,
    query::{Canonical, Filters, ListFilters, ListQuery, Parameters},
    resources::events::list::EventsFilters,
    response::BodyWriter,
    vocabulary::Vocabulary,
};

/// Events that are read and written before the next ones are read: with their details less than a megabyte.
const ROWS_PER_READ: u64 = 500;

/// Which events, in which order.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ExportFilters<F> {
    /// The same as those of `/events`.
    #[serde(flatten)]
    events: EventsFilters,
    #[serde(skip)]
    format: PhantomData<fn() -> F>,
    /// The address of the service, which the document contains.
    #[serde(skip)]
    public_url: Option<PublicUrl>,
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
        let query = Self::read(ExportFilters { events, format: PhantomData, public_url: None }, &mut parameters);
        parameters.finish(query)
    }

    /// The same list with absolute URLs, if the address of the service is known.
    #[must_use]
    pub(crate) fn with_public_url(mut self, public_url: Option<PublicUrl>) -> Self {
        self.filters.public_url = public_url;
        self
    }

    fn context(&self) -> ExportContext {
        ExportContext {
            has_point: self.filters.events.filters.near.is_some(),
            public_url: self.filters.public_url.clone(),
            list: self.filters.canonical(),
            page: self.canonical(),
        }
    }
}

impl<F: ExportFormat> CachedQuery for ExportQuery<F> {
    const CONTENT_TYPE: HeaderValue = F::CONTENT_TYPE;
    const RESOURCE: CachedResource = CachedResource::Exports;

    fn public_url(&self) -> Option<&PublicUrl> {
        self.filters.public_url.as_ref()
    }

    fn selection(&self) -> Selection {
        self.filters.events.filters.selection(self.filters.events.sort)
    }

    fn needs_snapshot(&self) -> bool {
        true
    }

    fn correct(&mut self, vocabulary: &Vocabulary) -> Option<String> {
        self.filters.events.filters.correct(vocabulary)
    }

    fn read_size(&self) -> ReadSize {
        self.page.read_size()
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let EventsFilters { filters, ids, sort, .. } = &self.filters.events;
        let reader = PageReader { database, filters, ids, sort: *sort };
        let context = self.context();
        let (mut export, mut body) = (F::new(&context), BodyWriter::default());
        let (mut after, mut written) = (self.page.after.as_ref().map(|cursor| cursor.sort_key), 0);
        let link = 'list: loop {
            // One more than the page has, to detect whether there is a next page.
            let limit = (self.page.rows() + 1 - written).min(ROWS_PER_READ);
            let (page, _) = reader.read(after, limit, None).await?;
            let is_last = (page.rows.len() as u64) < limit;
            for event in page.rows {
                if written == self.page.rows() {
                    break 'list after.and_then(|last| self.next_link(last));
                }
                after = Some(event.sort_key(*sort));
                body.append(|body| export.write(event.view, body))?;
                written += 1;
            }
            if is_last {
                break None;
            }
        };
        let body = body.finish(&export.head(&context)?, F::TAIL)?;
        Ok(QueryOutput { snapshot: None, body, link })
    }
}

/// The document of one event.
pub(super) fn encode_one<F: ExportFormat>(event: EventView, public_url: Option<PublicUrl>) -> Result<Vec<u8>, ApiError> {
    let context = ExportContext { public_url, ..ExportContext::default() };
    let (mut export, mut body) = (F::new(&context), Vec::new());
    export.write(event, &mut body)?;
    Ok([&*export.head(&context)?, &*body, F::TAIL].concat())
}
