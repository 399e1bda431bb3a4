//! What is read of the providers.

use std::collections::HashMap;

use entity::{provider, sync_run};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};

/// Every provider with its last run, in the order of their slugs.
pub(super) async fn find(database: &DatabaseConnection) -> Result<Vec<(provider::Model, Option<sync_run::Model>)>, DbErr> {
    let providers = provider::Entity::find().order_by_asc(provider::Column::Slug).all(database).await?;
    let newest = sync_run::Entity::find()
        .select_only()
        .expr(sync_run::Column::Id.max())
        .group_by(sync_run::Column::ProviderId)
        .into_query();
    let runs = sync_run::Entity::find().filter(sync_run::Column::Id.in_subquery(newest)).all(database).await?;
    let mut runs: HashMap<i32, sync_run::Model> = runs.into_iter().map(|run| (run.provider_id, run)).collect();
    Ok(providers
        .into_iter()
        .map(|provider| {
            let run = runs.remove(&provider.id);
            (provider, run)
        })
        .collect())
}
