//! `event_performer`: who plays at an event, in the feed's order. With the columns that it repeats of the event it is what concerts are
//! found by: a row that is shown and has a venue is a concert.

use sea_orm::entity::prelude::*;

use crate::UtcInstant;

/// One performer of one event.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_performer")]
pub struct Model {
    /// The event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    /// The place on the bill, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// Who plays.
    pub performer_id: Uuid,
    /// Where: the event's venue, repeated here so that an index can hold it beside the performer.
    pub venue_id: Option<Uuid>,
    /// When: the event's start, repeated for the same reason.
    pub starts_at: UtcInstant,
    /// Whether the event is shown, repeated for the same reason.
    pub shown: bool,
    /// Who plays.
    #[sea_orm(belongs_to, from = "performer_id", to = "id")]
    pub performer: BelongsTo<super::performer::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
