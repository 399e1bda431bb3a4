//! What is read of the ledger.

use entity::{provider, reject, sync_run};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::request::{RejectsRequest, SyncRunsRequest};
use crate::query::Cursor;

/// A run and whose catalogue it copied.
pub(super) type RunRow = (sync_run::Model, provider::Model);

/// A page of runs, newest first, and the place behind it if there are more.
pub(super) async fn runs(
    database: &DatabaseConnection,
    wanted: &SyncRunsRequest,
) -> Result<(Vec<RunRow>, Option<Cursor<i64>>), DbErr> {
    let mut select = sync_run::Entity::find().find_also_related(provider::Entity).order_by_desc(sync_run::Column::Id);
    if let Some(slug) = &wanted.provider {
        select = select.filter(provider::COLUMN.slug.eq(slug.as_str()));
    }
    if let Some(state) = wanted.state {
        select = select.filter(sync_run::Column::State.eq(state));
    }
    if let Some(after) = wanted.page.after {
        select = select.filter(sync_run::COLUMN.id.lt(after.place));
    }
    let rows = select.limit(wanted.page.rows() + 1).all(database).await?;
    let rows = rows.into_iter().filter_map(|(run, provider)| Some((run, provider?))).collect();
    Ok(wanted.page.cut(rows, &wanted.key(), |(run, _)| run.id))
}

/// One run.
pub(super) async fn run(database: &DatabaseConnection, id: i64) -> Result<Option<RunRow>, DbErr> {
    let row = sync_run::Entity::find_by_id(id).find_also_related(provider::Entity).one(database).await?;
    Ok(row.and_then(|(run, provider)| Some((run, provider?))))
}

/// A page of a run's rejects, and the place behind it if there are more; `None` if there is no such run.
pub(super) async fn rejects(
    database: &DatabaseConnection,
    wanted: &RejectsRequest,
) -> Result<Option<(Vec<reject::Model>, Option<Cursor<i64>>)>, DbErr> {
    if sync_run::Entity::find_by_id(wanted.run_id).one(database).await?.is_none() {
        return Ok(None);
    }
    let mut select =
        reject::Entity::find().filter(reject::COLUMN.sync_run_id.eq(wanted.run_id)).order_by_asc(reject::Column::Position);
    if let Some(after) = wanted.page.after {
        select = select.filter(reject::COLUMN.position.gt(after.place));
    }
    let rows = select.limit(wanted.page.rows() + 1).all(database).await?;
    Ok(Some(wanted.page.cut(rows, &wanted.key(), |reject| reject.position.into())))
}
