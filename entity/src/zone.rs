//! `zone`: a priced area of one event.

use sea_orm::entity::prelude::*;

/// One zone. A provider may use a zone id twice in one event with different prices, so the key is the position, and the zones of an event
/// are replaced together.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "zone")]
pub struct Model {
    /// The event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    /// The position in the feed, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// The provider's id of it.
    pub source_id: String,
    /// Its name.
    pub name: Option<String>,
    /// Tickets that are left.
    pub capacity: Option<i64>,
    /// Price of a ticket in minor units.
    pub price: i64,
    /// Whether its seats are numbered.
    pub numbered: Option<bool>,
    /// ISO 4217 code of the price, if it is not the provider's.
    pub currency: Option<String>,
    /// Decimal digits of the minor unit of `currency`.
    pub currency_digits: Option<i16>,
}

impl ActiveModelBehavior for ActiveModel {}
