//! How concerts are found.
//!
//! Bands and places are first resolved to performers and venues. Their concerts are then read as sorted runs of one index, an arm of the
//! statement for each performer, venue, or performer at a venue, which the database merges: it reads a row for each arm and one for each
//! row of the answer, however many concerts there are ([ADR 14](../../../docs/adr/0014-concerts.md)).

use entity::UtcInstant;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, FromQueryResult, Statement, prelude::Uuid};

use super::{
    answer::ConcertRow,
    request::{ConcertPlace, ConcertsRequest},
};
use crate::{
    cache::Found,
    error::ApiError,
    http::{Cursor, next_link},
    sql::{OF_VERSION, Sql},
    venues::near::Near,
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

/// A sorted run of concerts: a range of one index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// All of a performer.
    OfPerformer(Uuid),
    /// All at a venue.
    AtVenue(Uuid),
    /// All of a performer at a venue.
    OfPerformerAtVenue(Uuid, Uuid),
    /// The latest of all, so many.
    Latest(u64),
}

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
    Ok(Found { snapshot, body, link: link.and_then(|link| link.try_into().ok()) })
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
            let is_named =
                |name: &String| *name == source_id || name.split_once(':') == Some((&slug, &source_id)) || name.parse() == Ok(id);
            if named.iter().any(is_named) {
                performers.push(id);
            }
        }
        // One that is named by two of its ids was found twice.
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

/// The statement that merges a few arms: the rows of a page and one more, latest first, of venues within `near`.
#[must_use]
pub fn statement(backend: DbBackend, request: &ConcertsRequest, arms: &[Arm], near: Option<&Near>) -> Statement {
    let ConcertsRequest { range, max_price, page, .. } = request;
    let mut sql = Sql::default();
    let mut in_range = String::from("shown AND venue_id IS NOT NULL");
    if let Some(starts_at) = range.starts_at {
        in_range += &format!(" AND starts_at >= {}", sql.bind(starts_at));
    }
    let mut joined = String::new();
    let mut conditions = Vec::from_iter(near.map(|near| near.condition(&mut sql)));
    if let Some(ends_at) = range.ends_at {
        // No event ends before it starts, so this follows from the condition on its end; it is what bounds the runs.
        let ends_at = sql.bind(ends_at);
        in_range += &format!(" AND starts_at <= {ends_at}");
        conditions.push(format!("event.ends_at <= {ends_at}"));
    }
    if let Some(max_price) = max_price {
        joined += " JOIN provider ON provider.id = performer.provider_id";
        let most = sql.bind(*max_price);
        conditions.push(format!("event.min_price * {UNITS_OF_PRICE} <= {most}"));
    }
    if range.ends_at.is_some() || max_price.is_some() {
        joined += " JOIN event ON event.id = concert.event_id";
    }
    if let Some(Cursor { place: (starts_at, event_id, position), .. }) = page.after {
        let [starts_at, event_id, position] = [sql.bind(starts_at), sql.bind(event_id), sql.bind(position)];
        in_range += &format!(" AND (starts_at, event_id, position) < ({starts_at}, {event_id}, {position})");
    }
    let runs: Vec<String> = padded(arms).into_iter().map(|arm| run(backend, arm, &in_range, &mut sql)).collect();
    let (runs, wanted) = (runs.join(" UNION ALL "), sql.bind(page.rows() + 1));
    let conditions = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let text = format!(
        "SELECT concert.starts_at, concert.event_id, concert.position, performer.name AS band, venue.name AS location, \
             venue.latitude, venue.longitude, {OF_VERSION} \
             FROM ({runs}) AS concert JOIN venue ON venue.id = concert.venue_id \
             JOIN performer ON performer.id = concert.performer_id{joined}{conditions} \
             ORDER BY concert.starts_at DESC, concert.event_id DESC, concert.position DESC LIMIT {wanted}"
    );
    sql.statement(backend, text)
}

const IN_ORDER: &str = "ORDER BY starts_at DESC, event_id DESC, position DESC";
/// Prices of all currencies in one unit: how many ten-thousandths a minor unit is.
const UNITS_OF_PRICE: &str =
    "CASE provider.currency_digits WHEN 0 THEN 10000 WHEN 1 THEN 1000 WHEN 2 THEN 100 WHEN 3 THEN 10 ELSE 1 END";

fn at(venues: &[Uuid]) -> Vec<Arm> {
    venues.iter().map(|&venue| Arm::AtVenue(venue)).collect()
}

/// Empty arms are added until there are a power of two, so that the database sees few statements and can keep their plans.
fn padded(arms: &[Arm]) -> Vec<Arm> {
    let empty = match arms.first() {
        Some(Arm::OfPerformerAtVenue(..)) => Arm::OfPerformerAtVenue(Uuid::nil(), Uuid::nil()),
        Some(Arm::AtVenue(_)) => Arm::AtVenue(Uuid::nil()),
        _ => Arm::OfPerformer(Uuid::nil()),
    };
    let mut padded = arms.to_vec();
    padded.resize(arms.len().next_power_of_two(), empty);
    padded
}

fn run(backend: DbBackend, arm: Arm, in_range: &str, sql: &mut Sql) -> String {
    let mut run = format!("SELECT event_id, position, performer_id, venue_id, starts_at FROM event_performer WHERE {in_range}");
    run += &match arm {
        Arm::OfPerformer(performer) => format!(" AND performer_id = {}", sql.bind(performer)),
        Arm::AtVenue(venue) => format!(" AND venue_id = {}", sql.bind(venue)),
        Arm::OfPerformerAtVenue(performer, venue) => {
            format!(" AND performer_id = {} AND venue_id = {}", sql.bind(performer), sql.bind(venue))
        }
        Arm::Latest(count) => return format!("{run} {IN_ORDER} LIMIT {}", sql.bind(count)),
    };
    // SQLite hands the order of the whole down to each, PostgreSQL must be asked for it, and each takes no other's words.
    if backend == DbBackend::Sqlite { run } else { format!("({run} {IN_ORDER})") }
}

impl ConcertRow {
    fn place(&self) -> ConcertPlace {
        (self.starts_at.0, self.event_id, self.position)
    }
}
