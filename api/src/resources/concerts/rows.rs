//! Reads concerts.
//!
//! The filters are first resolved to performers and venues. Their concerts are then read as sorted runs of one index, an arm of the
//! statement for each performer, venue, or performer at a venue, which the database merges: it reads one row for each arm and one for
//! each row of the response, however many concerts there are ([ADR 14](../../../docs/adr/0014-concerts.md)).

use sea_orm::{ConnectionTrait, DbErr, prelude::Uuid};

use super::{
    filters::{ConcertSortKey, ConcertsQuery},
    response::ConcertRow,
    statement::{Arm, statement},
};
use crate::{
    cache::{QueryOutput, SnapshotVersion},
    database::sql::{ReadConnection, Sql, VERSION_COLUMNS, is_loaded, read_rows},
    error::ApiError,
    find::Near,
};

/// Arms of one statement: each costs a descent of the index, and planning time once.
const MAX_ARMS: usize = 128;
/// Pairs of a performer and a venue, in several statements: for more, scanning all concerts of the performers is faster.
const MAX_PAIRS: usize = 8 * MAX_ARMS;
/// Attempts to read all statements from one version of the catalogue.
const MAX_ATTEMPTS: usize = 3;
/// If an area has more venues than arms, its concerts are first searched among the first of all venues: this many for each row of the
/// page, and a minimum. If the area contains a large share of all venues, that finds a page immediately.
const FIRST_PER_ROW: u64 = 4;
const MIN_FIRST: u64 = 2_000;
/// Rows that are encoded on the thread of the request: handing fewer over takes longer than encoding them.
const MAX_ROWS_INLINE: usize = 1_000;

/// Reads and encodes a page.
pub(super) async fn find(database: &impl ReadConnection, query: &ConcertsQuery) -> Result<QueryOutput, ApiError> {
    let mut attempt = 1;
    let (rows, snapshot) = loop {
        let mut reading = Reading { database, query, snapshots: Vec::new() };
        let rows = reading.rows().await?;
        // Of several versions, the oldest: the response is read again as soon as the newer one is known.
        let oldest = reading.snapshots.iter().min().copied();
        if oldest == reading.snapshots.iter().max().copied() || attempt == MAX_ATTEMPTS {
            break (rows, oldest);
        }
        attempt += 1;
    };
    let (rows, link) = query.paginate(rows, ConcertRow::sort_key);
    let body = encode(rows).await?;
    Ok(QueryOutput { snapshot, body: body.into(), link })
}

/// Encodes a list, on another thread if that takes long.
async fn encode(rows: Vec<ConcertRow>) -> Result<Vec<u8>, ApiError> {
    let encoded = if rows.len() > MAX_ROWS_INLINE {
        tokio::task::spawn_blocking(move || ConcertRow::encode(rows)).await.map_err(|_| ApiError::TaskPanicked)?
    } else {
        ConcertRow::encode(rows)
    };
    encoded.map_err(ApiError::Encoding)
}

/// One attempt, and the versions that its statements read.
struct Reading<'a, C> {
    database: &'a C,
    query: &'a ConcertsQuery,
    snapshots: Vec<SnapshotVersion>,
}

impl<C: ReadConnection> Reading<'_, C> {
    /// The rows of a page and one more, in order.
    async fn rows(&mut self) -> Result<Vec<ConcertRow>, DbErr> {
        let filters = &self.query.filters;
        let performers = self.performers().await?;
        if performers.is_empty() && !filters.bands.is_empty() {
            return Ok(Vec::new());
        }
        let of_performers: Vec<Arm> = performers.iter().map(|&performer| Arm::OfPerformer(performer)).collect();
        let Some(near) = &filters.near else {
            return self.merge(&of_performers, None).await;
        };
        let venues = self.venues(near, Some(MAX_ARMS as u64 + 1)).await?;
        if venues.is_empty() {
            return Ok(Vec::new());
        }
        let has_few_venues = venues.len() <= MAX_ARMS;
        match (performers.is_empty(), has_few_venues) {
            (false, true) if performers.len() * venues.len() <= MAX_PAIRS => {
                let pairs = performers.iter().flat_map(|&of| venues.iter().map(move |&at| Arm::OfPerformerAtVenue(of, at)));
                self.merge(&pairs.collect::<Vec<_>>(), None).await
            }
            (false, _) => self.merge(&of_performers, Some(near)).await,
            (true, true) => self.merge(&venue_arms(&venues), None).await,
            (true, false) => {
                let first = Arm::First(FIRST_PER_ROW * self.limit() + MIN_FIRST);
                let rows = self.read_arms(&[first], Some(near)).await?;
                if rows.len() as u64 == self.limit() {
                    return Ok(rows);
                }
                let venues = self.venues(near, None).await?;
                self.merge(&venue_arms(&venues), None).await
            }
        }
    }

    /// The rows to read: a page and one more.
    fn limit(&self) -> u64 {
        self.query.page.rows() + 1
    }

    /// The performers that the request names: by the provider's id, by the provider and its id, or by our id.
    async fn performers(&mut self) -> Result<Vec<Uuid>, DbErr> {
        let names = &self.query.filters.bands;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::default();
        let of_provider = |name: &str| name.split_once(':').map(|(_, id)| id.to_owned());
        let source_ids: Vec<String> = names.iter().cloned().chain(names.iter().filter_map(|name| of_provider(name))).collect();
        let select = format!(
            "SELECT performer.id, performer.source_id, provider.slug, {VERSION_COLUMNS} \
             FROM performer JOIN provider ON provider.id = performer.provider_id \
             WHERE provider.loading_since IS NULL AND performer"
        );
        let mut text = format!("{select}.source_id IN ({})", sql.bind_all(&source_ids));
        let ids: Vec<Uuid> = names.iter().filter_map(|name| name.parse().ok()).collect();
        if !ids.is_empty() {
            text += &format!(" UNION ALL {select}.id IN ({})", sql.bind_all(&ids));
        }
        let rows = self.database.query_all_raw(sql.statement(ConnectionTrait::get_database_backend(self.database), text)).await?;
        let mut performers = Vec::with_capacity(rows.len());
        for row in rows {
            let (id, source_id, slug): (Uuid, String, String) =
                (row.try_get("", "id")?, row.try_get("", "source_id")?, row.try_get("", "slug")?);
            self.record_snapshot((row.try_get("", "version")?, row.try_get("", "raised_at")?));
            let matches = |name: &String| *name == source_id || name.split_once(':') == Some((&slug, &source_id));
            if ids.contains(&id) || names.iter().any(matches) {
                performers.push(id);
            }
        }
        // A performer that is named by two ids is selected twice.
        performers.sort_unstable();
        performers.dedup();
        Ok(performers)
    }

    /// The venues of an area, up to `limit`.
    async fn venues(&mut self, near: &Near, limit: Option<u64>) -> Result<Vec<Uuid>, DbErr> {
        let mut sql = Sql::default();
        let (condition, is_loaded) = (near.condition(&mut sql), is_loaded("venue"));
        let limit = limit.map(|limit| format!(" LIMIT {}", sql.bind(limit))).unwrap_or_default();
        let text = format!("SELECT venue.id, {VERSION_COLUMNS} FROM venue WHERE {condition} AND {is_loaded}{limit}");
        let rows = self.database.query_all_raw(sql.statement(ConnectionTrait::get_database_backend(self.database), text)).await?;
        let mut venues = Vec::with_capacity(rows.len());
        for row in rows {
            venues.push(row.try_get("", "id")?);
            self.record_snapshot((row.try_get("", "version")?, row.try_get("", "raised_at")?));
        }
        Ok(venues)
    }

    /// The concerts of any number of arms, in order.
    async fn merge(&mut self, arms: &[Arm], near: Option<&Near>) -> Result<Vec<ConcertRow>, DbErr> {
        let mut rows = Vec::new();
        for arms in arms.chunks(MAX_ARMS) {
            let more = self.read_arms(arms, near).await?;
            let is_first = rows.is_empty();
            rows.extend(more);
            if !is_first {
                self.query.filters.sort.sort(&mut rows, ConcertRow::sort_key);
                rows.truncate(usize::try_from(self.limit()).unwrap_or(usize::MAX));
            }
        }
        Ok(rows)
    }

    /// The concerts of the arms of one statement, in order, at venues within `near`.
    async fn read_arms(&mut self, arms: &[Arm], near: Option<&Near>) -> Result<Vec<ConcertRow>, DbErr> {
        let statement = statement(ConnectionTrait::get_database_backend(self.database), self.query, arms, near);
        let rows = read_rows::<ConcertRow>(self.database, statement).await?;
        if let Some(row) = rows.first() {
            self.record_snapshot((row.version, row.raised_at));
        }
        Ok(rows)
    }

    fn record_snapshot(&mut self, snapshot: SnapshotVersion) {
        if self.snapshots.last() != Some(&snapshot) {
            self.snapshots.push(snapshot);
        }
    }
}

fn venue_arms(venues: &[Uuid]) -> Vec<Arm> {
    venues.iter().map(|&venue| Arm::AtVenue(venue)).collect()
}

impl ConcertRow {
    fn sort_key(&self) -> ConcertSortKey {
        (self.starts_at.0, self.event_id, self.position)
    }
}
