//! Reads pages of events with their details.

use entity::{UtcInstant, database_now};
use futures_util::TryStreamExt;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement, prelude::Uuid};
use tokio::task::consume_budget;

use super::{
    event_view::EventView,
    filters::EventFilters,
    plan::{MAX_PROBED, MAX_SORTED, Plan, plan, probed},
    relevance::{self, MAX_RANKED},
    resolve::Resolved,
    sort::{Sort, SortKey, SortValue},
    statement::{self, Found, SORTED_BY},
};
use crate::{
    cache::SnapshotVersion,
    database::sql::{ReadConnection, read_rows},
    error::ApiError,
};

/// Attempts to read all statements from one version of the catalogue.
const MAX_ATTEMPTS: usize = 3;
/// Larger pages are rarely found among the events that are probed.
const MAX_PROBED_PAGE: u64 = MAX_PROBED / 4;

/// The columns of an event and what it belongs to. A detail that an event lacks is read from its base event.
pub(super) const COLUMNS: &str = "event.id, event.base_event_id, event.local_start, event.local_end, event.starts_at, event.ends_at, \
    event.sell_from, event.sell_to, event.sale_starts_at, event.sale_ends_at, event.sold_out, event.status, event.min_price, \
    event.max_price, event.left_at, event.previous_start_at, event.name, event.first_seen_at, event.source_id, base_event.source_id AS base_event_source_id, \
    page.updated_at, page.chord, base_event.title, \
    COALESCE(event.category, base_event.category) AS category, \
    COALESCE(event.description, base_event.description) AS description, COALESCE(event.url, base_event.url) AS url, \
    COALESCE(event.image_url, base_event.image_url) AS image_url, \
    COALESCE(event.organizer_name, base_event.organizer_name) AS organizer, \
    COALESCE(event.time_zone, provider.time_zone) AS time_zone, COALESCE(event.currency, provider.currency) AS currency, \
    COALESCE(event.currency_digits, provider.currency_digits) AS currency_digits, \
    provider.slug AS provider_slug, provider.name AS provider_name, provider.home_page AS provider_home_page, \
    provider.licence AS provider_licence, provider.attribution AS provider_attribution, \
    venue.id AS venue_id, venue.source_id AS venue_source_id, venue.name AS venue_name, venue.latitude, venue.longitude, venue.located, \
    venue.place_code, venue.address, venue.postal_code, venue.city, venue.region, venue.country";

/// An event of a list.
#[derive(Debug, FromQueryResult)]
pub(crate) struct FoundEvent {
    #[sea_orm(nested)]
    pub(crate) view: EventView,
    /// How important the words are in it, the least first; 0 in other orders.
    #[sea_orm(skip)]
    pub(super) rank: i64,
    candidates: i64,
    version: i64,
    raised_at: UtcInstant,
}

#[derive(FromQueryResult)]
struct CountRow {
    count: i64,
    version: i64,
    raised_at: UtcInstant,
}

impl FoundEvent {
    /// Its position in a list.
    pub(crate) fn sort_key(&self, sort: Sort) -> SortKey {
        let value = match sort {
            Sort::StartsAt | Sort::StartsAtDescending => SortValue::Absent,
            Sort::Price | Sort::PriceDescending => self.view.min_price.map_or(SortValue::Absent, SortValue::Integer),
            Sort::Distance => SortValue::Float(self.view.chord),
            Sort::Relevance => SortValue::Integer(self.rank),
            Sort::UpdatedAtDescending => SortValue::Integer(self.view.updated_at.0),
            Sort::FirstSeenAtDescending => SortValue::Integer(self.view.first_seen_at.0),
        };
        (value, self.view.starts_at.0, self.view.id)
    }
}

/// Reads one list of events.
#[derive(Debug)]
pub(crate) struct PageReader<'a, C> {
    pub(crate) database: &'a C,
    pub(crate) filters: &'a EventFilters,
    /// Only these events; empty for all.
    pub(crate) ids: &'a [Uuid],
    pub(crate) sort: Sort,
}

/// Events of a list.
#[derive(Debug, Default)]
pub(crate) struct FoundPage {
    pub(crate) rows: Vec<FoundEvent>,
    /// The number of all events up to a maximum, if it was requested.
    pub(crate) total: Option<u64>,
    /// The words by which they were found, if these are not those of the request.
    pub(crate) corrected: Option<String>,
    /// Whether events were left out that no other page has.
    pub(crate) is_cut: bool,
}

/// Rows, and the version of the snapshot that they were read from; `None` if there are no rows that contain it.
pub(crate) type Snapshot<T> = (T, Option<SnapshotVersion>);

/// The versions that the statements of one attempt have read. Statements without rows have none.
#[derive(Debug, Default)]
struct Versions {
    read: Vec<SnapshotVersion>,
    are_unknown: bool,
}

impl<C: ReadConnection> PageReader<'_, C> {
    /// The rows after a position, at most `limit`, and if it `counts` the number of all rows up to a maximum.
    pub(crate) async fn read(
        &self,
        after: Option<SortKey>,
        limit: u64,
        max_count: Option<u64>,
    ) -> Result<Snapshot<FoundPage>, ApiError> {
        let mut attempt = 1;
        loop {
            let mut versions = Versions::default();
            let found = self.attempt(after, limit, max_count, &mut versions).await?;
            // Of several versions, the oldest: the response is read again as soon as the newer one is known.
            let oldest = versions.read.iter().min().copied();
            if oldest == versions.read.iter().max().copied() || attempt == MAX_ATTEMPTS {
                return Ok((found, oldest.filter(|_| !versions.are_unknown)));
            }
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        after: Option<SortKey>,
        limit: u64,
        max_count: Option<u64>,
        versions: &mut Versions,
    ) -> Result<FoundPage, ApiError> {
        let resolved = Resolved::fetch(self.database, self.filters, self.sort).await?;
        versions.read.extend(resolved.documents.as_ref().map(|documents| documents.snapshot));
        if resolved.is_empty() {
            return Ok(FoundPage { total: max_count.map(|_| 0), ..FoundPage::default() });
        }
        let are_upcoming = are_upcoming(self.database, self.filters).await?;
        let plans = plan(self.filters, self.sort, !self.ids.is_empty(), &resolved, are_upcoming);
        let found = Found {
            filters: self.filters,
            resolved: &resolved,
            ids: self.ids,
            sort: self.sort,
            has_price: None,
            are_upcoming,
            starts: None,
            columns: SORTED_BY,
        };
        let total = match max_count {
            Some(max) => Some(self.count(&found, &plans[0], max, versions).await?),
            None => None,
        };
        let corrected = resolved.corrected();
        let rows = match (&resolved.documents, self.sort) {
            (Some(documents), Sort::Relevance) => {
                let candidates = self.read_part(&found, &plans, None, MAX_RANKED + 1, versions).await?;
                let is_cut = candidates.len() as u64 > MAX_RANKED;
                let rows = relevance::page(&documents.terms, candidates, after, limit);
                return Ok(FoundPage { rows, total, corrected, is_cut });
            }
            (_, sort) if sort.is_by_price() => self.read_by_price(found, &plans, after, limit, versions).await?,
            _ => self.read_part(&found, &plans, after, limit, versions).await?,
        };
        Ok(FoundPage { rows, total, corrected, is_cut: false })
    }

    /// First the events with a price, and then those without one.
    async fn read_by_price(
        &self,
        found: Found<'_>,
        plans: &[Plan],
        after: Option<SortKey>,
        limit: u64,
        versions: &mut Versions,
    ) -> Result<Vec<FoundEvent>, ApiError> {
        let is_priced = !matches!(after, Some((SortValue::Absent, ..)));
        let mut rows = Vec::new();
        if is_priced {
            let priced = Found { has_price: Some(true), ..found };
            rows = self.read_part(&priced, plans, after, limit, versions).await?;
        }
        let missing = limit - rows.len() as u64;
        if missing > 0 {
            let unpriced = Found { has_price: Some(false), ..found };
            rows.extend(self.read_part(&unpriced, plans, after.filter(|_| !is_priced), missing, versions).await?);
        }
        Ok(rows)
    }

    /// Reads with the first plan that does not have to sort too many events.
    async fn read_part(
        &self,
        found: &Found<'_>,
        plans: &[Plan],
        after: Option<SortKey>,
        limit: u64,
        versions: &mut Versions,
    ) -> Result<Vec<FoundEvent>, ApiError> {
        if let Some(rows) = self.probe(found, plans, after, limit).await? {
            versions.read.extend(rows.first().map(|row| (row.version, row.raised_at)));
            return Ok(rows);
        }
        for plan in plans {
            let statement = statement::page(self.backend(), found, plan, after, limit);
            let rows = self.read_rows(statement).await?;
            versions.read.extend(rows.first().map(|row| (row.version, row.raised_at)));
            versions.are_unknown |= rows.is_empty();
            let candidates = match (rows.first(), plan) {
                (Some(row), _) => u64::try_from(row.candidates).unwrap_or(0),
                // A page after a position may be empty because too few events were sorted.
                (None, Plan::Sorted(_)) if after.is_some() => self.count(found, plan, MAX_SORTED + 1, versions).await?,
                (None, _) => 0,
            };
            if candidates <= MAX_SORTED {
                return Ok(rows);
            }
        }
        Err(self.filters.too_broad())
    }

    /// Reads a page from the first events in the order of the list, if they have one, so that none are sorted.
    async fn probe(
        &self,
        found: &Found<'_>,
        plans: &[Plan],
        after: Option<SortKey>,
        limit: u64,
    ) -> Result<Option<Vec<FoundEvent>>, ApiError> {
        // SQLite would sort those that it has read.
        let may_find = self.backend() == DbBackend::Postgres && limit <= MAX_PROBED_PAGE && found.resolved.documents.is_none();
        let may_find = may_find
            && match found.sort {
                // Without a currency, no index has the prices in their order.
                Sort::Price | Sort::PriceDescending => found.has_price == Some(true) && found.resolved.currency.is_some(),
                // Its index contains events of the past, too.
                Sort::UpdatedAtDescending => false,
                _ => true,
            };
        let Some(source) = probed(plans).filter(|_| may_find) else { return Ok(None) };
        let rows = self.read_rows(statement::probe(self.backend(), found, source, after, limit)).await?;
        Ok((rows.len() as u64 == limit).then_some(rows))
    }

    async fn count(&self, found: &Found<'_>, plan: &Plan, max: u64, versions: &mut Versions) -> Result<u64, ApiError> {
        let rows: Vec<CountRow> = read_rows(self.database, statement::count(self.backend(), found, plan, max))
            .await
            .map_err(|error| self.filters.explain(error))?;
        versions.read.extend(rows.first().map(|row| (row.version, row.raised_at)));
        Ok(rows.first().map_or(0, |row| u64::try_from(row.count).unwrap_or(0)))
    }

    async fn read_rows(&self, statement: Statement) -> Result<Vec<FoundEvent>, ApiError> {
        let read = async {
            let mut stream = FoundEvent::find_by_statement(statement).stream(self.database).await?;
            let mut rows = Vec::new();
            while let Some(row) = stream.try_next().await? {
                rows.push(row);
                // The driver may have all rows ready.
                consume_budget().await;
            }
            Ok(rows)
        };
        // A list that reads only its page is slow because the database is.
        let reads_page = self.sort.is_by_start() && self.ids.is_empty() && self.filters.are_only_dates();
        read.await.map_err(|error: DbErr| if reads_page { error.into() } else { self.filters.explain(error) })
    }

    fn backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(self.database)
    }
}

/// Whether all events of the filters are in their feeds and have not ended.
pub(super) async fn are_upcoming(database: &impl ReadConnection, filters: &EventFilters) -> Result<bool, ApiError> {
    let now = if filters.may_be_upcoming() { Some(database_now(database).await?) } else { None };
    Ok(filters.are_upcoming(now))
}
