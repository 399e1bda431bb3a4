//! `event_performer`: the performers of an event, in feed order. It repeats columns of the event so that an index can serve concert queries:
//! a row that is shown and has a venue with coordinates is a concert.

use sea_orm::{RelationDef, entity::prelude::*};

use crate::{UtcInstant, event};

/// One performer of one event.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_performer")]
pub struct Model {
    /// The event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    /// The position in the feed, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// The performer.
    pub performer_id: Uuid,
    /// The event's venue, if its coordinates are known, repeated for the index.
    pub venue_id: Option<Uuid>,
    /// The event's start, repeated for the index.
    pub starts_at: UtcInstant,
    /// Whether the event is shown and not cancelled, for the index.
    pub shown: bool,
    /// Whether the event would be shown if it were not cancelled. Then it is not shown here.
    pub cancelled: bool,
    /// The performer.
    #[sea_orm(belongs_to, from = "performer_id", to = "id")]
    pub performer: BelongsTo<super::performer::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

/// The relation to the event.
#[must_use]
pub fn of_event() -> RelationDef {
    Entity::belongs_to(event::Entity).from(Column::EventId).to(event::Column::Id).into()
}
