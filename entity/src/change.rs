//! `change`: the log of what happened to each event, written in the transaction that makes the change.
//!
//! A change has the version of its release, which is assigned in the order of commits. A reader of the log therefore never sees a
//! change that is earlier than one that it has read.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{ActiveValue::Set, entity::prelude::*};
use serde::{Deserialize, Serialize};

use crate::{UtcInstant, chunks, key_chunks, listing, release};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What happened to an event: the first that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is shown for the first time.
    #[sea_orm(string_value = "created")]
    Created,
    /// It was removed: from its feed, by an undo or by a takedown.
    #[sea_orm(string_value = "left")]
    Left,
    /// It is in its feed again.
    #[sea_orm(string_value = "returned")]
    Returned,
    /// It was cancelled.
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
    /// It was postponed, without a new date.
    #[sea_orm(string_value = "postponed")]
    Postponed,
    /// It has another start.
    #[sea_orm(string_value = "rescheduled")]
    Rescheduled,
    /// It is sold out.
    #[sea_orm(string_value = "sold_out")]
    SoldOut,
    /// It is on sale: no longer sold out, or its sale has begun.
    #[sea_orm(string_value = "on_sale")]
    OnSale,
    /// It has other prices.
    #[sea_orm(string_value = "price_changed")]
    PriceChanged,
    /// Something else has changed.
    #[sea_orm(string_value = "updated")]
    Updated,
}

impl ChangeKind {
    /// All kinds, in order of precedence.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Left,
        Self::Returned,
        Self::Cancelled,
        Self::Postponed,
        Self::Rescheduled,
        Self::SoldOut,
        Self::OnSale,
        Self::PriceChanged,
        Self::Updated,
    ];

    /// The name in tables, JSON and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Left => "left",
            Self::Returned => "returned",
            Self::Cancelled => "cancelled",
            Self::Postponed => "postponed",
            Self::Rescheduled => "rescheduled",
            Self::SoldOut => "sold_out",
            Self::OnSale => "on_sale",
            Self::PriceChanged => "price_changed",
            Self::Updated => "updated",
        }
    }

    /// How long a change is retained. Most changes are updates, and the least interesting ones later.
    #[must_use]
    pub fn retention(self) -> Duration {
        match self {
            Self::Updated => 14 * DAY,
            _ => 400 * DAY,
        }
    }
}

/// One change of one event.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "change")]
pub struct Model {
    /// The version of the release.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i64,
    /// The position in the release, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ordinal: i32,
    /// When the release was made.
    pub at: UtcInstant,
    /// What happened.
    pub kind: ChangeKind,
    /// The provider.
    pub provider_id: i32,
    /// The event, which may no longer exist.
    pub event_id: Uuid,
    /// The changed fields as JSON: `{"min_price":{"old":30,"new":25}}`.
    pub changed: String,
    /// What filters select, as [`ChangedStates`](crate::event_state::ChangedStates). `None` of a change that an earlier release logged, and
    /// of an event that was removed for legal reasons.
    pub states: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

/// A change of a release that does not exist yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewChange {
    /// What happened.
    pub kind: ChangeKind,
    /// The provider.
    pub provider_id: i32,
    /// The event.
    pub event_id: Uuid,
    /// The changed fields as JSON, as in the table.
    pub changed: String,
    /// What filters select, as in the table.
    pub states: Option<String>,
}

/// Writes changes of a release, from an ordinal on.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn insert(
    transaction: &impl ConnectionTrait,
    release: &release::Model,
    first_ordinal: i32,
    changes: Vec<NewChange>,
) -> Result<(), DbErr> {
    for events in key_chunks(changes.iter().map(|change| change.event_id).collect()) {
        listing::touch(transaction, events, release.raised_at).await?;
    }
    let rows: Vec<ActiveModel> = (first_ordinal..)
        .zip(changes)
        .map(|(ordinal, change)| ActiveModel {
            version: Set(release.version),
            ordinal: Set(ordinal),
            at: Set(release.raised_at),
            kind: Set(change.kind),
            provider_id: Set(change.provider_id),
            event_id: Set(change.event_id),
            changed: Set(change.changed),
            states: Set(change.states),
        })
        .collect();
    for chunk in chunks(rows) {
        Entity::insert_many(chunk).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// How many changes of each kind.
pub type ChangeCounts = BTreeMap<ChangeKind, u32>;
