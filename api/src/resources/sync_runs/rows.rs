//! Reads the ledger.

use entity::{provider, reject, sync_run};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::filters::{RejectsQuery, SyncRunsQuery};

/// A run and its provider.
pub(crate) type RunRow = (sync_run::Model, provider::Model);

/// The runs of a page and one more, newest first.
pub(crate) async fn runs(database: &DatabaseConnection, query: &SyncRunsQuery) -> Result<Vec<RunRow>, DbErr> {
    let mut select = sync_run::Entity::find().find_also_related(provider::Entity).order_by_desc(sync_run::Column::Id);
    if let Some(slug) = &query.filters.provider {
        select = select.filter(provider::COLUMN.slug.eq(slug.as_str()));
    }
    if let Some(state) = query.filters.state {
        select = select.filter(sync_run::Column::State.eq(state));
    }
    if let Some(after) = query.page.after {
        select = select.filter(sync_run::COLUMN.id.lt(after.sort_key));
    }
    let rows = select.limit(query.page.rows() + 1).all(database).await?;
    Ok(rows.into_iter().filter_map(|(run, provider)| Some((run, provider?))).collect())
}

/// One run.
pub(crate) async fn run(database: &DatabaseConnection, id: i64) -> Result<Option<RunRow>, DbErr> {
    let row = sync_run::Entity::find_by_id(id).find_also_related(provider::Entity).one(database).await?;
    Ok(row.and_then(|(run, provider)| Some((run, provider?))))
}

/// The rejected items and warnings of a page and one more, in their order; `None` if the run does not exist.
pub(crate) async fn rejects(database: &DatabaseConnection, query: &RejectsQuery) -> Result<Option<Vec<reject::Model>>, DbErr> {
    let run_id = query.filters.run_id;
    if sync_run::Entity::find_by_id(run_id).one(database).await?.is_none() {
        return Ok(None);
    }
    let mut select = reject::Entity::find().filter(reject::COLUMN.sync_run_id.eq(run_id)).order_by_asc(reject::Column::Position);
    if let Some(severity) = query.filters.severity {
        select = select.filter(reject::Column::Severity.eq(severity));
    }
    if let Some(after) = query.page.after {
        select = select.filter(reject::COLUMN.position.gt(after.sort_key));
    }
    select.limit(query.page.rows() + 1).all(database).await.map(Some)
}
