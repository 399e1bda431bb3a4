//! How concerts are found.
//!
//! Bands and places are first resolved to performers and venues. Their concerts are then read as sorted runs of one index, an arm of the
//! statement for each performer, venue, or performer at a venue, which the database merges: it reads a row for each arm and one for each
//! row of the answer, however many concerts there are ([ADR 14](../../../docs/adr/0014-concerts.md)).

use entity::UtcInstant;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, FromQueryResult, prelude::Uuid};

use super::{
    answer::ConcertRow,
    request::{ConcertPlace, ConcertsRequest},
    statement::{Arm, statement},
};
use crate::{
    cache::Found,
    database::sql::{OF_VERSION, Sql},
    error::ApiError,
    query::next_link,
    resources::venues::near::Near,
};

/// Arms of one statement: each costs the database a descent of the index, and planning time once.
const MAX_ARMS: usize = 128;
/// Pairs of a performer and a venue, in several statements: more would take longer than to look through what the bands have played.
const MAX_PAIRS: usize = 8 * MAX_ARMS;
/// Times that all is asked again because a sync came between two statements.
const MAX_TRIES: usize = 3;
/// A place with more venues than there are arms is first looked for among the latest concerts of all: so many for each row wanted, and
/// some. Where it holds a good part of all venues that finds a page at once.
const LATEST_PER_ROW: u64 = 4;
const LATEST_BESIDE: u64 = 2_000;

/// Of which snapshot something was read.
type Snapshot = (i64, UtcInstant);

/// The encoded page, and the link to what follows it.
pub(super) async fn find(database: &DatabaseConnection, request: &ConcertsRequest) -> Result<Found, ApiError> {
    let mut tries = 1;
    let (rows, snapshot) = loop {
        let (rows, snapshots) = found(database, request).await?;
        // Of several, the oldest: what it names is asked again as soon as the newer one is known.
        let oldest = snapshots.iter().min().copied();
        if oldest == snapshots.iter().max().copied() || tries == MAX_TRIES {
            break (rows, oldest);
        }
        tries += 1;
    };
    let (rows, next) = request.page.cut(rows, &request.filter_key(), ConcertRow::place);
    let link = next.map(|cursor| next_link("/concerts", &request.filters(), request.page.limit, &cursor));
    let body = ConcertRow::encode(rows).map_err(ApiError::Encoding)?;
    Ok(Found::page(snapshot, body, link))
}

/// One row more than a page, latest first, and the snapshots that they were read from.
async fn found(database: &DatabaseConnection, request: &ConcertsRequest) -> Result<(Vec<ConcertRow>, Vec<Snapshot>), DbErr> {
    let mut asking = Asking { database, request, snapshots: Vec::new() };
    let rows = asking.rows().await?;
    Ok((rows, asking.snapshots))
}

struct Asking<'a> {
    database: &'a DatabaseConnection,
    request: &'a ConcertsRequest,
    snapshots: Vec<Snapshot>,
}

impl Asking<'_> {
    async fn rows(&mut self) -> Result<Vec<ConcertRow>, DbErr> {
        let request = self.request;
        let performers = self.performers().await?;
        if performers.is_empty() && !request.bands.is_empty() {
            return Ok(Vec::new());
        }
        let of_performers: Vec<Arm> = performers.iter().map(|&performer| Arm::OfPerformer(performer)).collect();
        let Some(near) = &request.near else {
            return self.merged(&of_performers, None).await;
        };
        let venues = self.venues(near, Some(MAX_ARMS as u64 + 1)).await?;
        if venues.is_empty() {
            return Ok(Vec::new());
        }
        let is_narrow = venues.len() <= MAX_ARMS;
        match (performers.is_empty(), is_narrow) {
            (false, true) if performers.len() * venues.len() <= MAX_PAIRS => {
                let pairs = performers.iter().flat_map(|&of| venues.iter().map(move |&at| Arm::OfPerformerAtVenue(of, at)));
                self.merged(&pairs.collect::<Vec<_>>(), None).await
            }
            (false, _) => self.merged(&of_performers, Some(near)).await,
            (true, true) => self.merged(&at(&venues), None).await,
            (true, false) => {
                let latest = Arm::Latest(LATEST_PER_ROW * self.wanted() + LATEST_BESIDE);
                let rows = self.arms(&[latest], Some(near)).await?;
                if rows.len() as u64 == self.wanted() {
                    return Ok(rows);
                }
                let venues = self.venues(near, None).await?;
                self.merged(&at(&venues), None).await
            }
        }
    }

    /// Rows to be read: one more than are answered.
    fn wanted(&self) -> u64 {
        self.request.page.rows() + 1
    }

    /// The performers that the request names, by the provider's id, by that and the provider, or by ours.
    async fn performers(&mut self) -> Result<Vec<Uuid>, DbErr> {
        let named = &self.request.bands;
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::default();
        let of_provider = |name: &str| name.split_once(':').map(|(_, id)| id.to_owned());
        let source_ids: Vec<String> = named.iter().cloned().chain(named.iter().filter_map(|name| of_provider(name))).collect();
        let select = format!(
            "SELECT performer.id, performer.source_id, provider.slug, {OF_VERSION} \
             FROM performer JOIN provider ON provider.id = performer.provider_id WHERE performer"
        );
        let mut text = format!("{select}.source_id IN ({})", sql.bind_all(&source_ids));
        let ids: Vec<Uuid> = named.iter().filter_map(|name| name.parse().ok()).collect();
        if !ids.is_empty() {
            text += &format!(" UNION ALL {select}.id IN ({})", sql.bind_all(&ids));
        }
        let rows = self.database.query_all_raw(sql.statement(self.database.get_database_backend(), text)).await?;
        let mut performers = Vec::with_capacity(rows.len());
        for row in rows {
            let (id, source_id, slug): (Uuid, String, String) =
                (row.try_get("", "id")?, row.try_get("", "source_id")?, row.try_get("", "slug")?);
            self.note((row.try_get("", "version")?, row.try_get("", "raised_at")?));
            let is_named = |name: &String| *name == source_id || name.split_once(':') == Some((&slug, &source_id));
            if ids.contains(&id) || named.iter().any(is_named) {
                performers.push(id);
            }
        }
        // One that is named by two of its ids is found twice.
        performers.sort_unstable();
        performers.dedup();
        Ok(performers)
    }

    /// The venues of a place, at most so many.
    async fn venues(&mut self, near: &Near, most: Option<u64>) -> Result<Vec<Uuid>, DbErr> {
        let mut sql = Sql::default();
        let condition = near.condition(&mut sql);
        let limit = most.map(|most| format!(" LIMIT {}", sql.bind(most))).unwrap_or_default();
        let text = format!("SELECT venue.id, {OF_VERSION} FROM venue WHERE {condition}{limit}");
        let rows = self.database.query_all_raw(sql.statement(self.database.get_database_backend(), text)).await?;
        let mut venues = Vec::with_capacity(rows.len());
        for row in rows {
            venues.push(row.try_get("", "id")?);
            self.note((row.try_get("", "version")?, row.try_get("", "raised_at")?));
        }
        Ok(venues)
    }

    /// The concerts of any number of arms.
    async fn merged(&mut self, arms: &[Arm], near: Option<&Near>) -> Result<Vec<ConcertRow>, DbErr> {
        let mut rows = Vec::new();
        for arms in arms.chunks(MAX_ARMS) {
            let more = self.arms(arms, near).await?;
            let is_first = rows.is_empty();
            rows.extend(more);
            if !is_first {
                rows.sort_unstable_by_key(|row: &ConcertRow| std::cmp::Reverse(row.place()));
                rows.truncate(usize::try_from(self.wanted()).unwrap_or(usize::MAX));
            }
        }
        Ok(rows)
    }

    /// The concerts of a few arms, latest first, of venues within `near`.
    async fn arms(&mut self, arms: &[Arm], near: Option<&Near>) -> Result<Vec<ConcertRow>, DbErr> {
        let statement = statement(self.database.get_database_backend(), self.request, arms, near);
        let rows = ConcertRow::find_by_statement(statement).all(self.database).await?;
        if let Some(row) = rows.first() {
            self.note((row.version, row.raised_at));
        }
        Ok(rows)
    }

    fn note(&mut self, snapshot: Snapshot) {
        if self.snapshots.last() != Some(&snapshot) {
            self.snapshots.push(snapshot);
        }
    }
}

fn at(venues: &[Uuid]) -> Vec<Arm> {
    venues.iter().map(|&venue| Arm::AtVenue(venue)).collect()
}

impl ConcertRow {
    fn place(&self) -> ConcertPlace {
        (self.starts_at.0, self.event_id, self.position)
    }
}
