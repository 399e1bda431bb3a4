//! `zone`: a priced area of one event.

use sea_orm::entity::prelude::*;

/// One zone. The provider may give the same zone id twice in one event with different prices, so a zone is known by its
/// position, and the zones of an event are replaced together.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "zone")]
pub struct Model {
    /// The event it is a part of.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    /// Its place in the feed's order, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// The provider's own id of it.
    pub source_id: String,
    /// What it is called.
    pub name: Option<String>,
    /// How many tickets are left.
    pub capacity: Option<i64>,
    /// Price of a ticket in minor units of the provider's currency.
    pub price: i64,
    /// Whether its seats are numbered.
    pub numbered: Option<bool>,
}

impl ActiveModelBehavior for ActiveModel {}
