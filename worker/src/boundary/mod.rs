//! What time changes: sales begin and end, and events end ([ADR 37](../../../docs/adr/0037-time-driven-changes.md)).
//!
//! `event.next_boundary_at` is the next instant at which an event changes without its feed. [`handle_batch`] writes the changes of those
//! that have passed by the database's clock. It writes events of a provider only while it holds the lock of its row, as a sync does.

mod details;
mod footprint;
mod transitions;

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use entity::{
    UtcInstant, base_event, begin_write,
    change::{self, ChangeCounts, NewChange},
    chunks, clock, daily_total, database_now, event, key_chunks, listing, provider,
    release::{self, Cause},
};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{CaseStatement, Expr, ExprTrait, LockBehavior, LockType},
};
use uuid::Uuid;

use self::{details::Details, transitions::Transitions};
use crate::release_metrics;

/// Events in one transaction: it takes some milliseconds, during which no sync of their providers can write.
pub const EVENTS_PER_BATCH: u64 = 512;

/// How long ago the oldest boundary passed that was not handled; `None` if none is due. It reads one row of the index.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn find_lag(database: &DatabaseConnection) -> Result<Option<Duration>, DbErr> {
    let boundaries = event::Entity::find().select_only().column(event::Column::NextBoundaryAt);
    let oldest = boundaries
        .filter(Expr::col(event::Column::NextBoundaryAt).lte(clock::now(database)))
        .order_by_asc(event::Column::NextBoundaryAt)
        .into_tuple::<UtcInstant>();
    let Some(oldest) = oldest.one(database).await? else { return Ok(None) };
    Ok(Some(oldest.until(database_now(database).await?)))
}

/// An event with a boundary that has passed.
type DueEvent = (Uuid, i32, UtcInstant);

/// Handles the boundaries that have passed, the oldest first, in one transaction of at most [`EVENTS_PER_BATCH`] events. Returns whether
/// there may be more.
///
/// It waits for no sync: providers with locked rows are added to `busy`, and a later job handles their events.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn handle_batch(database: &DatabaseConnection, busy: &mut BTreeSet<i32>) -> Result<bool, DbErr> {
    let transaction = begin_write(database).await?;
    let now = database_now(&transaction).await?;
    let due = find_due(&transaction, now, busy).await?;
    // If there are more events, later boundaries of these ones wait for the earlier ones of the others.
    let last = due.last().filter(|_| due.len() as u64 == EVENTS_PER_BATCH).map(|(.., at)| *at);
    let providers = lock_providers(&transaction, &due).await?;
    busy.extend(due.iter().map(|(_, provider, _)| *provider).filter(|provider| !providers.contains_key(provider)));
    let provider_of: HashMap<Uuid, &provider::Model> =
        due.iter().filter_map(|(event, provider, _)| Some((*event, providers.get(provider)?))).collect();
    let events = lock_events(&transaction, provider_of.keys().copied().collect()).await?;

    let transitions = Transitions::find(&events, &provider_of, last.unwrap_or(now));
    for next in chunks(transitions.next_boundaries) {
        set_next_boundaries(&transaction, next).await?;
    }
    for events in key_chunks(transitions.ended) {
        listing::end(&transaction, events).await?;
    }
    let mut published = None;
    if !transitions.changed_events.is_empty() {
        let details = Details::fetch(&transaction, &transitions.changed_events).await?;
        let slugs = transitions.changed_events.iter().map(|event| provider_of[&event.id].slug.as_str());
        let footprint = footprint::build(&transitions.changed_events, &details, slugs);
        let release = release::publish(&transaction, (Cause::Boundary, None), &footprint).await?;
        let mut counts = ChangeCounts::new();
        let changes = transitions.changes.iter();
        let changes: Vec<NewChange> = changes.map(|change| change.describe(provider_of[&change.event_id()], &details)).collect();
        changes.iter().for_each(|change| *counts.entry(change.kind).or_default() += 1);
        change::insert(&transaction, &release, 0, changes).await?;
        let changed: BTreeSet<i32> = transitions.changed_events.iter().map(|event| provider_of[&event.id].id).collect();
        // The totals of days contain events that have ended, too.
        daily_total::set_last_release(&transaction, changed, &release).await?;
        published = Some((footprint, counts));
    }
    transaction.commit().await?;
    if let Some((footprint, counts)) = published {
        release_metrics::count_release(Cause::Boundary, &footprint);
        release_metrics::count_changes(&counts);
    }
    Ok(last.is_some())
}

/// Events with a boundary that has passed, the oldest first, without those of some providers.
async fn find_due(transaction: &DatabaseTransaction, now: UtcInstant, without: &BTreeSet<i32>) -> Result<Vec<DueEvent>, DbErr> {
    event::Entity::find()
        .inner_join(base_event::Entity)
        .select_only()
        .column(event::Column::Id)
        .column(base_event::Column::ProviderId)
        .column(event::Column::NextBoundaryAt)
        .filter(event::Column::NextBoundaryAt.lte(now))
        .filter(base_event::Column::ProviderId.is_not_in(without.iter().copied()))
        .order_by_asc(event::Column::NextBoundaryAt)
        .order_by_asc(event::Column::Id)
        .limit(EVENTS_PER_BATCH)
        .into_tuple()
        .all(transaction)
        .await
}

/// Locks the rows of providers that no other transaction has locked, so that no sync of them reads or writes their events at the same time.
async fn lock_providers(transaction: &DatabaseTransaction, due: &[DueEvent]) -> Result<HashMap<i32, provider::Model>, DbErr> {
    let ids: BTreeSet<i32> = due.iter().map(|(_, provider, _)| *provider).collect();
    let free = provider::Entity::find()
        .filter(provider::COLUMN.id.is_in(ids))
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    Ok(free.all(transaction).await?.into_iter().map(|provider| (provider.id, provider)).collect())
}

/// Reads events after their providers were locked, and locks them, too: an event that is being removed for legal reasons is skipped.
async fn lock_events(transaction: &DatabaseTransaction, ids: Vec<Uuid>) -> Result<Vec<event::Model>, DbErr> {
    let mut events = Vec::with_capacity(ids.len());
    for ids in key_chunks(ids) {
        let unlocked = event::Entity::find()
            .filter(event::COLUMN.id.is_in(ids))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        events.extend(unlocked.all(transaction).await?);
    }
    Ok(events)
}

async fn set_next_boundaries(
    transaction: &DatabaseTransaction,
    next_boundaries: Vec<(Uuid, Option<UtcInstant>)>,
) -> Result<(), DbErr> {
    let mut next_of_event = CaseStatement::new();
    for (event, next) in &next_boundaries {
        next_of_event = next_of_event.case(Expr::col(event::Column::Id).eq(*event), *next);
    }
    event::Entity::update_many()
        .col_expr(event::Column::NextBoundaryAt, next_of_event.into())
        .filter(event::COLUMN.id.is_in(next_boundaries.into_iter().map(|(event, _)| event)))
        .exec(transaction)
        .await?;
    Ok(())
}
