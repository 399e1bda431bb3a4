//! Sets the instants of sale periods, and the next boundary, of events that an earlier release wrote.

use chrono_tz::Tz;
use entity::{UtcInstant, base_event, database_now, deadline, event, footprint::Scope, key_chunks, provider};
use sea_orm::{ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{Backfill, begin_locked};
use crate::provider::local_time::{DayEdge, LocalTime};

/// The columns of all events that have not ended. Time no longer changes the others.
#[derive(Clone, Copy, Debug)]
pub struct Boundaries;

impl Backfill for Boundaries {
    const KIND: &'static str = "boundary_backfill";
    /// The boundary job releases what it changes.
    const SCOPES: &'static [Scope] = &[];

    async fn fill(database: &DatabaseConnection) -> Result<u64, DbErr> {
        let mut filled = 0;
        for provider in deadline::within(deadline::BULK, database, provider::Entity::find().all(database)).await? {
            let base_events = base_event::Entity::find()
                .select_only()
                .column(base_event::Column::Id)
                .filter(base_event::COLUMN.provider_id.eq(provider.id))
                .into_tuple::<Uuid>();
            let base_events = deadline::within(deadline::BULK, database, base_events.all(database)).await?;
            for base_events in key_chunks(base_events) {
                filled += deadline::within(deadline::BULK, database, fill_batch(database, &provider, base_events)).await?;
            }
        }
        Ok(filled)
    }
}

/// Sets the columns of the events of some base events, in one transaction.
async fn fill_batch(database: &DatabaseConnection, provider: &provider::Model, base_events: Vec<Uuid>) -> Result<u64, DbErr> {
    let now = database_now(database).await?;
    let unfilled = event::Entity::find()
        .filter(event::COLUMN.base_event_id.is_in(base_events))
        .filter(event::Column::NextBoundaryAt.is_null())
        .filter(event::COLUMN.ends_at.gt(now));
    // Without a lock first: mostly a sync of this release has set them.
    if unfilled.clone().one(database).await?.is_none() {
        return Ok(0);
    }
    let transaction = begin_locked(database, provider.id).await?;
    let zone = provider.time_zone.parse().unwrap_or(Tz::UTC);
    let events = unfilled.all(&transaction).await?;
    let filled = events.len() as u64;
    for event in events {
        fill_event(&transaction, event, zone, now).await?;
    }
    transaction.commit().await?;
    Ok(filled)
}

async fn fill_event(transaction: &DatabaseTransaction, event: event::Model, zone: Tz, now: UtcInstant) -> Result<(), DbErr> {
    // The offset of a time that the feed states with one was not stored: the offset of the zone is used until its next change.
    let convert = |local: &Option<String>, edge| Some(LocalTime::parse(local.as_deref()?, zone, edge).ok()?.instant);
    let filled = event::Model {
        sale_starts_at: event.sale_starts_at.or_else(|| convert(&event.sell_from, DayEdge::Start)),
        sale_ends_at: event.sale_ends_at.or_else(|| convert(&event.sell_to, DayEdge::End)),
        ..event
    };
    event::Entity::update_many()
        .col_expr(event::Column::SaleStartsAt, filled.sale_starts_at.into())
        .col_expr(event::Column::SaleEndsAt, filled.sale_ends_at.into())
        .col_expr(event::Column::NextBoundaryAt, filled.find_next_boundary(now).into())
        .filter(event::COLUMN.id.eq(filled.id))
        .exec(transaction)
        .await?;
    Ok(())
}
