//! What is read of the providers.

use std::collections::HashMap;

use entity::{provider, sync_run};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select};

/// A provider and how its copy fares.
#[derive(Debug)]
pub(super) struct ProviderRow {
    pub(super) provider: provider::Model,
    pub(super) last_run: Option<sync_run::Model>,
    /// Whether the newest run that has ended is a failed one; a run that goes on says nothing yet.
    pub(super) is_failing: bool,
}

/// Every provider with its last run, in the order of their slugs.
pub(super) async fn find(database: &DatabaseConnection) -> Result<Vec<ProviderRow>, DbErr> {
    let mut providers = provider::Entity::find().all(database).await?;
    // Here and not in the query: a database sorts by the rules of its own language.
    providers.sort_by(|left, right| left.slug.cmp(&right.slug));
    let mut last_runs = newest(sync_run::Entity::find(), database).await?;
    let ended = sync_run::Entity::find().filter(sync_run::Column::EndedAt.is_not_null());
    let last_ended = newest(ended, database).await?;
    Ok(providers
        .into_iter()
        .map(|provider| ProviderRow {
            last_run: last_runs.remove(&provider.id),
            is_failing: last_ended.get(&provider.id).is_some_and(|run| run.state == sync_run::RunState::Failed),
            provider,
        })
        .collect())
}

/// The newest of these runs for each provider.
async fn newest(runs: Select<sync_run::Entity>, database: &DatabaseConnection) -> Result<HashMap<i32, sync_run::Model>, DbErr> {
    let newest = runs.select_only().expr(sync_run::Column::Id.max()).group_by(sync_run::Column::ProviderId).into_query();
    let runs = sync_run::Entity::find().filter(sync_run::Column::Id.in_subquery(newest)).all(database).await?;
    Ok(runs.into_iter().map(|run| (run.provider_id, run)).collect())
}
