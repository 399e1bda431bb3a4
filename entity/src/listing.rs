//! `listing`: what lists of events are filtered and sorted by, one row for each event that was ever on sale.
//!
//! A row is derived from those of its event, base event, venue and provider, in the transaction that changes them. Only
//! `updated_at` is not: it is when the newest change of the event was logged.

use sea_orm::{
    JoinType, QuerySelect, QueryTrait, RelationTrait,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait, Func, OnConflict, Query, SimpleExpr, SubQueryStatement},
};

use crate::{
    EventStatus, GeoArea, UtcInstant, base_event,
    chunks::has_any,
    clock, event, event_performer, key_chunks, provider,
    show_text::{self, NO_VENUE},
    venue,
};

/// What a list reads of one event.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "listing")]
pub struct Model {
    /// The event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    /// Its base event.
    pub base_event_id: Uuid,
    /// Its provider.
    pub provider_id: i32,
    /// Its venue.
    pub venue_id: Option<Uuid>,
    /// When it starts.
    pub starts_at: UtcInstant,
    /// When it ends; an event without an end ends when it starts.
    pub ends_at: UtcInstant,
    /// Whether it is in its feed and has not ended. It may be true until some seconds after the end.
    pub upcoming: bool,
    /// Whether it is in its feed.
    pub listed: bool,
    /// Whether it takes place as announced.
    pub status: EventStatus,
    /// The slug of its category.
    pub category: Option<String>,
    /// The city of its venue, see [`fold_name`](crate::fold_name()).
    pub city: Option<String>,
    /// The country of its venue, ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// The [`GeoArea`] of its venue.
    pub area: Option<i32>,
    /// ISO 4217 code of its prices.
    pub currency: String,
    /// The lowest price of its zones in minor units.
    pub min_price: Option<i64>,
    /// The highest price of its zones in minor units.
    pub max_price: Option<i64>,
    /// Start of the first run with a feed that contained it.
    pub first_seen_at: UtcInstant,
    /// When the newest change of it was logged; `first_seen_at` if none was.
    pub updated_at: UtcInstant,
    /// The words of its show at its venue, see [`show_text`].
    pub show_text_id: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

/// The columns that are computed from other tables.
const DERIVED: [Column; 17] = [
    Column::BaseEventId,
    Column::ProviderId,
    Column::VenueId,
    Column::StartsAt,
    Column::EndsAt,
    Column::Upcoming,
    Column::Listed,
    Column::Status,
    Column::Category,
    Column::City,
    Column::Country,
    Column::Area,
    Column::Currency,
    Column::MinPrice,
    Column::MaxPrice,
    Column::FirstSeenAt,
    Column::ShowTextId,
];

/// Writes the rows of the shown events with one of these base events, and their words. Rows that are the same already are not written.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn refresh_base_events(transaction: &impl ConnectionTrait, base_events: Vec<Uuid>) -> Result<(), DbErr> {
    // All words first: a database inserts many rows into one table faster than into two in turn.
    for base_events in key_chunks(base_events.clone()) {
        show_text::refresh(transaction, &base_events).await?;
    }
    refresh_with_same_words(transaction, base_events).await
}

/// [`refresh_base_events`] for events with the same words as before, at the same venues.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn refresh_with_same_words(transaction: &impl ConnectionTrait, base_events: Vec<Uuid>) -> Result<(), DbErr> {
    for base_events in key_chunks(base_events) {
        let backend = transaction.get_database_backend();
        refresh(transaction, has_any(backend, event::Column::BaseEventId, &base_events)).await?;
    }
    Ok(())
}

/// The base events with events at these venues.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn find_base_events_at(transaction: &impl ConnectionTrait, venues: Vec<Uuid>) -> Result<Vec<Uuid>, DbErr> {
    let mut found = Vec::new();
    for venues in key_chunks(venues) {
        let events = event::Entity::find().select_only().distinct().column(event::Column::BaseEventId);
        found.extend(events.filter(event::COLUMN.venue_id.is_in(venues)).into_tuple::<Uuid>().all(transaction).await?);
    }
    Ok(found)
}

/// The base events with events of these performers.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn find_base_events_of(transaction: &impl ConnectionTrait, performers: Vec<Uuid>) -> Result<Vec<Uuid>, DbErr> {
    let mut found = Vec::new();
    for performers in key_chunks(performers) {
        let events = event_performer::Entity::find().join(JoinType::InnerJoin, event_performer::of_event());
        let events = events
            .select_only()
            .distinct()
            .column(event::Column::BaseEventId)
            .filter(event_performer::COLUMN.performer_id.is_in(performers));
        found.extend(events.into_tuple::<Uuid>().all(transaction).await?);
    }
    Ok(found)
}

/// Deletes the rows of events that readers no longer see.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn delete(transaction: &impl ConnectionTrait, events: Vec<Uuid>) -> Result<(), DbErr> {
    Entity::delete_many().filter(COLUMN.event_id.is_in(events)).exec(transaction).await?;
    Ok(())
}

/// Marks events that have ended.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn end(transaction: &impl ConnectionTrait, events: Vec<Uuid>) -> Result<(), DbErr> {
    let end = Entity::update_many().col_expr(Column::Upcoming, false.into()).filter(COLUMN.event_id.is_in(events));
    end.filter(Expr::col(Column::Upcoming)).exec(transaction).await?;
    Ok(())
}

/// Sets when events last changed.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn touch(transaction: &impl ConnectionTrait, events: Vec<Uuid>, at: UtcInstant) -> Result<(), DbErr> {
    let touch = Entity::update_many().col_expr(Column::UpdatedAt, at.into()).filter(COLUMN.event_id.is_in(events));
    touch.exec(transaction).await?;
    Ok(())
}

async fn refresh(transaction: &impl ConnectionTrait, events: SimpleExpr) -> Result<(), DbErr> {
    let of_event = |column| Expr::col((event::Entity, column));
    let of_venue = |column| Expr::col((venue::Entity, column));
    let is_upcoming = of_event(event::Column::LeftAt).is_null().and(of_event(event::Column::EndsAt).gt(clock::now(transaction)));
    let category =
        Func::coalesce([of_event(event::Column::Category), Expr::col((base_event::Entity, base_event::Column::Category))]);
    let currency = Func::coalesce([of_event(event::Column::Currency), Expr::col((provider::Entity, provider::Column::Currency))]);
    let venue_id = Func::coalesce([of_event(event::Column::VenueId), Expr::value(NO_VENUE)]);
    let show_text = show_text::Entity::find()
        .select_only()
        .column(show_text::Column::Id)
        .filter(of_event(event::Column::BaseEventId).equals((show_text::Entity, show_text::Column::BaseEventId)))
        .filter(Expr::col((show_text::Entity, show_text::Column::VenueId)).eq(venue_id))
        .into_query();
    let rows = event::Entity::find()
        .select_only()
        .columns([event::Column::Id, event::Column::BaseEventId])
        .column(base_event::Column::ProviderId)
        .columns([event::Column::VenueId, event::Column::StartsAt, event::Column::EndsAt])
        .expr(is_upcoming)
        .expr(of_event(event::Column::LeftAt).is_null())
        .column(event::Column::Status)
        .expr(category)
        .expr(of_venue(venue::Column::FoldedCity))
        .expr(of_venue(venue::Column::Country))
        .expr(Expr::cust(format!("CAST(venue.cell >> {} AS integer)", GeoArea::SHIFT)))
        .expr(currency)
        .columns([event::Column::MinPrice, event::Column::MaxPrice, event::Column::FirstSeenAt])
        .expr(SimpleExpr::SubQuery(None, Box::new(SubQueryStatement::SelectStatement(show_text))))
        .expr(of_event(event::Column::FirstSeenAt))
        .join(JoinType::InnerJoin, event::Relation::BaseEvent.def())
        .join(JoinType::InnerJoin, base_event::Relation::Provider.def())
        .join(JoinType::LeftJoin, event::Relation::Venue.def())
        .filter(of_event(event::Column::Shown))
        .filter(events)
        .into_query();
    let row = |table: &str| DERIVED.map(|column| format!("{table}.{}", column.as_str())).join(", ");
    let is_changed = Expr::cust(format!("({}) IS DISTINCT FROM ({})", row("listing"), row("excluded")));
    let on_conflict = OnConflict::column(Column::EventId).update_columns(DERIVED).action_and_where(is_changed).to_owned();
    let columns = [Column::EventId].into_iter().chain(DERIVED).chain([Column::UpdatedAt]);
    let insert = Query::insert()
        .into_table(Entity)
        .columns(columns)
        .select_from(rows)
        .map(|insert| insert.on_conflict(on_conflict).to_owned());
    transaction.execute(&insert.map_err(|error| DbErr::Custom(error.to_string()))?).await?;
    Ok(())
}
