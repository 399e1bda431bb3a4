//! `event_performer`: who plays at an event, in the feed's order.

use sea_orm::entity::prelude::*;

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
    /// Who plays.
    #[sea_orm(belongs_to, from = "performer_id", to = "id")]
    pub performer: BelongsTo<super::performer::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
