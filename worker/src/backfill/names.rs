//! Writes the parts of the names of performers and venues that an earlier release wrote.

use entity::{
    deadline, fold_name,
    footprint::Scope,
    key_chunks,
    name_word::{self, NameKind},
    performer, provider, venue,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect, prelude::Uuid};

use super::{Backfill, begin_locked};

/// An item and its name.
type Name = (Uuid, String, String);

/// The parts of all names. Those that an earlier release folded in another way are folded again.
#[derive(Clone, Copy, Debug)]
pub struct Names;

impl Backfill for Names {
    const KIND: &'static str = "name_backfill";
    const SCOPES: &'static [Scope] = &[Scope::Concerts, Scope::Performers, Scope::Venues];

    async fn fill(database: &DatabaseConnection) -> Result<u64, DbErr> {
        let mut filled = 0;
        let providers = provider::Entity::find().select_only().column(provider::Column::Id).into_tuple::<i32>().all(database);
        for provider_id in deadline::within(deadline::BULK, database, providers).await? {
            for kind in [NameKind::Performer, NameKind::Venue] {
                for ids in key_chunks(deadline::within(deadline::BULK, database, fetch_ids(database, provider_id, kind)).await?) {
                    filled += deadline::within(deadline::BULK, database, fill_batch(database, provider_id, kind, ids)).await?;
                }
            }
        }
        Ok(filled)
    }
}

async fn fetch_ids(database: &DatabaseConnection, provider_id: i32, kind: NameKind) -> Result<Vec<Uuid>, DbErr> {
    match kind {
        NameKind::Performer => {
            let ids = performer::Entity::find().select_only().column(performer::Column::Id);
            ids.filter(performer::COLUMN.provider_id.eq(provider_id)).into_tuple().all(database).await
        }
        NameKind::Venue => {
            let ids = venue::Entity::find().select_only().column(venue::Column::Id);
            ids.filter(venue::COLUMN.provider_id.eq(provider_id)).into_tuple().all(database).await
        }
    }
}

/// Writes the parts of some names, in a transaction in which no sync can change them.
async fn fill_batch(database: &DatabaseConnection, provider_id: i32, kind: NameKind, ids: Vec<Uuid>) -> Result<u64, DbErr> {
    let transaction = begin_locked(database, provider_id).await?;
    let mut names = Vec::new();
    for (id, name, stored) in fetch_names(&transaction, kind, ids).await? {
        let folded = fold_name(&name);
        if folded != stored {
            fold_again(&transaction, kind, id, &folded).await?;
        }
        names.push((id, folded));
    }
    let count = names.len() as u64;
    name_word::replace(&transaction, kind, names).await?;
    transaction.commit().await?;
    Ok(count)
}

async fn fetch_names(transaction: &impl ConnectionTrait, kind: NameKind, ids: Vec<Uuid>) -> Result<Vec<Name>, DbErr> {
    match kind {
        NameKind::Performer => {
            let columns = [performer::Column::Id, performer::Column::Name, performer::Column::FoldedName];
            let names = performer::Entity::find().select_only().columns(columns);
            names.filter(performer::COLUMN.id.is_in(ids)).into_tuple().all(transaction).await
        }
        NameKind::Venue => {
            let columns = [venue::Column::Id, venue::Column::Name, venue::Column::FoldedName];
            let names = venue::Entity::find().select_only().columns(columns);
            names.filter(venue::COLUMN.id.is_in(ids)).into_tuple().all(transaction).await
        }
    }
}

async fn fold_again(transaction: &impl ConnectionTrait, kind: NameKind, id: Uuid, folded: &str) -> Result<(), DbErr> {
    match kind {
        NameKind::Performer => {
            let update = performer::Entity::update_many().col_expr(performer::Column::FoldedName, folded.into());
            update.filter(performer::COLUMN.id.eq(id)).exec(transaction).await?;
        }
        NameKind::Venue => {
            let update = venue::Entity::update_many().col_expr(venue::Column::FoldedName, folded.into());
            update.filter(venue::COLUMN.id.eq(id)).exec(transaction).await?;
        }
    }
    Ok(())
}
