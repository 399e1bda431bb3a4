//! Writes the listings and the words of events that an earlier release wrote.

use entity::{
    base_event, chunks, daily_total, deadline, event, fold_name, footprint::Scope, key_chunks, listing, provider, venue,
};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, JoinType, QueryFilter, QuerySelect,
    prelude::Uuid,
    sea_query::{CaseStatement, Expr, ExprTrait},
};

use super::{Backfill, begin_locked};

/// The listings of all events that have none, or none with words, by base event.
#[derive(Clone, Copy, Debug)]
pub struct Listings;

impl Backfill for Listings {
    const KIND: &'static str = "words_backfill";
    const PREVIOUS_KINDS: &'static [&'static str] = &["listing_backfill"];
    const SCOPES: &'static [Scope] = &[Scope::Events, Scope::Performers, Scope::Venues];

    async fn fill(database: &DatabaseConnection) -> Result<u64, DbErr> {
        let mut filled = 0;
        let providers = provider::Entity::find().select_only().column(provider::Column::Id).into_tuple::<i32>().all(database);
        for provider_id in deadline::within(deadline::BULK, database, providers).await? {
            fold_cities(database, provider_id).await?;
            let base_events = base_event::Entity::find()
                .select_only()
                .column(base_event::Column::Id)
                .filter(base_event::COLUMN.provider_id.eq(provider_id))
                .into_tuple::<Uuid>();
            let base_events = deadline::within(deadline::BULK, database, base_events.all(database)).await?;
            for base_events in key_chunks(base_events) {
                filled += deadline::within(deadline::BULK, database, fill_batch(database, provider_id, base_events)).await?;
            }
        }
        Ok(filled)
    }
}

/// Writes the listings of the events of some base events, in one transaction.
async fn fill_batch(database: &DatabaseConnection, provider_id: i32, base_events: Vec<Uuid>) -> Result<u64, DbErr> {
    let unlisted: Vec<Uuid> = event::Entity::find()
        .select_only()
        .distinct()
        .column(event::Column::BaseEventId)
        .join(
            JoinType::LeftJoin,
            event::Entity::belongs_to(listing::Entity).from(event::Column::Id).to(listing::Column::EventId).into(),
        )
        .filter(event::COLUMN.base_event_id.is_in(base_events))
        .filter(Expr::col((event::Entity, event::Column::Shown)))
        .filter(Expr::col((listing::Entity, listing::Column::ShowTextId)).is_null())
        .into_tuple()
        .all(database)
        .await?;
    if unlisted.is_empty() {
        return Ok(0);
    }
    let transaction = begin_locked(database, provider_id).await?;
    let count = unlisted.len() as u64;
    listing::refresh_base_events(&transaction, unlisted).await?;
    // Without a release of the provider: the events are those of an earlier one.
    daily_total::invalidate(&transaction, provider_id).await?;
    transaction.commit().await?;
    Ok(count)
}

/// Sets the folded names of the cities of a provider's venues, which no event is listed with otherwise.
async fn fold_cities(database: &DatabaseConnection, provider_id: i32) -> Result<(), DbErr> {
    let transaction = begin_locked(database, provider_id).await?;
    let unfolded = venue::Entity::find()
        .filter(venue::COLUMN.provider_id.eq(provider_id))
        .filter(venue::Column::City.is_not_null())
        .filter(venue::Column::FoldedCity.is_null());
    let venues = deadline::within(deadline::BULK, &transaction, unfolded.all(&transaction)).await?;
    for venues in chunks(venues) {
        let mut folded = CaseStatement::new();
        for venue in &venues {
            folded = folded.case(Expr::col(venue::Column::Id).eq(venue.id), venue.city.as_deref().map(fold_name));
        }
        let update = venue::Entity::update_many()
            .col_expr(venue::Column::FoldedCity, folded.into())
            .filter(venue::COLUMN.id.is_in(venues.iter().map(|venue| venue.id)));
        deadline::within(deadline::BULK, &transaction, update.exec(&transaction)).await?;
    }
    transaction.commit().await
}
