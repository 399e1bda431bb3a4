//! Reads events with all their details.

use std::collections::HashMap;

use entity::{
    UtcInstant,
    alias::{self, AliasKind},
    base_event,
    catalogue_version::{self, ONLY_ROW},
    clock, event, event_performer, listing, performer, provider, tombstone, venue, zone,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, JoinType, QueryFilter, QuerySelect, RelationTrait,
    Select, prelude::Uuid,
};

use crate::{
    database::sql::{begin_snapshot, pad},
    error::ApiError,
};

/// Dates of one show that are read, and how many of them are shown: few shows have more, and a list of them is a search.
const MAX_DATES_READ: u64 = 1_000;
const MAX_OTHER_DATES: usize = 20;

/// An event and its related rows.
#[derive(Clone, Debug)]
pub(crate) struct EventRows {
    pub(super) event: event::Model,
    pub(super) base_event: base_event::Model,
    pub(super) provider: provider::Model,
    pub(super) venue: Option<venue::Model>,
    pub(super) performers: Vec<performer::Model>,
    pub(super) zones: Vec<zone::Model>,
    /// When it last changed; `None` while the listings of an earlier release are being written.
    pub(super) updated_at: Option<UtcInstant>,
}

/// An event that was read from a snapshot.
#[derive(Debug)]
pub(super) struct ReadEvent {
    pub(super) rows: EventRows,
    /// The database's clock.
    pub(super) now: UtcInstant,
    /// The version of the catalogue in the snapshot.
    pub(super) version: i64,
}

/// Selects an event, joined with its base event and its provider. For readers, an event that was never on sale online does not exist, nor
/// do the events of an incomplete first load.
pub(crate) fn select_visible(id: Uuid) -> Select<event::Entity> {
    event::Entity::find_by_id(id)
        .filter(event::Column::Shown.eq(true))
        .join(JoinType::InnerJoin, event::Relation::BaseEvent.def())
        .join(JoinType::InnerJoin, base_event::Relation::Provider.def())
        .filter(provider::COLUMN.loading_since.is_null())
}

/// Reads an event that readers can see. `suffix` follows the id in the path of the resource.
pub(super) async fn find(database: &DatabaseConnection, id: Uuid, suffix: &str) -> Result<ReadEvent, ApiError> {
    // One snapshot, so that a concurrent sync cannot mix the zones of two feeds.
    let snapshot = begin_snapshot(database).await?;
    let event = match fetch(&snapshot, id).await? {
        Some(event) => Ok(event),
        None => Err(explain_missing(&snapshot, id, |target| format!("{target}{suffix}")).await?),
    };
    // Not a rollback, which would close the connection.
    snapshot.commit().await?;
    event
}

/// The ids of upcoming events of the same show, the earliest first. They are sorted here, because the database would read all upcoming
/// events in their order.
pub(super) async fn find_other_dates(database: &impl ConnectionTrait, event: &event::Model) -> Result<Vec<Uuid>, DbErr> {
    let of_show = listing::Entity::find()
        .filter(listing::COLUMN.base_event_id.eq(event.base_event_id))
        .filter(listing::COLUMN.event_id.ne(event.id))
        .filter(listing::COLUMN.upcoming.eq(true))
        .limit(MAX_DATES_READ);
    let mut dates: Vec<(UtcInstant, Uuid)> =
        of_show.select_only().columns([listing::Column::StartsAt, listing::Column::EventId]).into_tuple().all(database).await?;
    dates.sort_unstable();
    Ok(dates.into_iter().take(MAX_OTHER_DATES).map(|(_, id)| id).collect())
}

/// Why readers see no event with this id. `locate` returns the resource of another id, relative to the URL of the request.
pub(crate) async fn explain_missing(
    snapshot: &impl ConnectionTrait,
    id: Uuid,
    locate: impl FnOnce(Uuid) -> String,
) -> Result<ApiError, DbErr> {
    if tombstone::Entity::find_by_id(id).one(snapshot).await?.is_some() {
        return Ok(ApiError::EventRemoved(id));
    }
    let alias = alias::Entity::find_by_id(id).filter(alias::Column::Kind.eq(AliasKind::Event)).one(snapshot).await?;
    Ok(match alias {
        Some(alias) => ApiError::EventMoved { id, location: locate(alias.target) },
        None => ApiError::not_found("event", &id),
    })
}

/// Reads an event that readers can see, in a transaction.
pub(super) async fn fetch(transaction: &impl ConnectionTrait, id: Uuid) -> Result<Option<ReadEvent>, DbErr> {
    let event = select_visible(id).select_also(base_event::Entity);
    let Some((event, Some(base_event))) = event.one(transaction).await? else { return Ok(None) };
    let provider = provider::Entity::find_by_id(base_event.provider_id).one(transaction).await?;
    let provider = provider.ok_or_else(|| DbErr::RecordNotFound(format!("provider {}", base_event.provider_id)))?;
    let rows = load_related(transaction, &provider, vec![(event, base_event)]).await?;
    let catalogue = catalogue_version::Entity::find_by_id(ONLY_ROW).select_only().column(catalogue_version::Column::Version);
    let catalogue = catalogue.expr(clock::now(transaction)).into_tuple::<(i64, UtcInstant)>().one(transaction).await?;
    let (version, now) = catalogue.ok_or_else(|| DbErr::RecordNotFound("catalogue_version has no row".to_owned()))?;
    Ok(rows.into_iter().next().map(|rows| ReadEvent { rows, now, version }))
}

/// Reads what belongs to events of a provider, with one statement for each table. Nothing is sorted by the database, because its
/// connections avoid sorting even where an index would return far more rows.
pub(crate) async fn load_related(
    snapshot: &impl ConnectionTrait,
    provider: &provider::Model,
    events: Vec<(event::Model, base_event::Model)>,
) -> Result<Vec<EventRows>, DbErr> {
    let ids = pad(events.iter().map(|(event, _)| event.id).collect());
    let venues = load_venues(snapshot, &events).await?;
    let performers = event_performer::Entity::find().filter(event_performer::COLUMN.event_id.is_in(ids.clone()));
    let performers = performers.find_also_related(performer::Entity).all(snapshot).await?;
    let performers = performers.into_iter().filter_map(|(row, performer)| Some((row.event_id, row.position, performer?)));
    let updates = listing::Entity::find().select_only().columns([listing::Column::EventId, listing::Column::UpdatedAt]);
    let updates = updates.filter(listing::COLUMN.event_id.is_in(ids.clone())).into_tuple::<(Uuid, UtcInstant)>();
    let updates: HashMap<Uuid, UtcInstant> = updates.all(snapshot).await?.into_iter().collect();
    let zones = zone::Entity::find().filter(zone::COLUMN.event_id.is_in(ids)).all(snapshot).await?;
    let zones = zones.into_iter().map(|zone| (zone.event_id, zone.position, zone));
    let (mut performers, mut zones) = (group(performers.collect()), group(zones.collect()));
    let rows = events.into_iter().map(|(event, base_event)| EventRows {
        provider: provider.clone(),
        venue: event.venue_id.and_then(|id| venues.get(&id).cloned()),
        performers: performers.remove(&event.id).unwrap_or_default(),
        zones: zones.remove(&event.id).unwrap_or_default(),
        updated_at: updates.get(&event.id).copied(),
        event,
        base_event,
    });
    Ok(rows.collect())
}

async fn load_venues(
    snapshot: &impl ConnectionTrait,
    events: &[(event::Model, base_event::Model)],
) -> Result<HashMap<Uuid, venue::Model>, DbErr> {
    let mut ids: Vec<Uuid> = events.iter().filter_map(|(event, _)| event.venue_id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    ids.sort_unstable();
    ids.dedup();
    let venues = venue::Entity::find().filter(venue::COLUMN.id.is_in(pad(ids))).all(snapshot).await?;
    Ok(venues.into_iter().map(|venue| (venue.id, venue)).collect())
}

/// The rows of each event, by position.
fn group<T>(mut rows: Vec<(Uuid, i32, T)>) -> HashMap<Uuid, Vec<T>> {
    rows.sort_unstable_by_key(|(_, position, _)| *position);
    let mut groups: HashMap<Uuid, Vec<T>> = HashMap::new();
    for (event_id, _, row) in rows {
        groups.entry(event_id).or_default().push(row);
    }
    groups
}
