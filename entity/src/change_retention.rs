//! `change_retention`: which changes were removed from the log, so that a reader with an older cursor knows that it has missed some.

use sea_orm::{ActiveValue::Set, ExprTrait, QueryOrder, QuerySelect, entity::prelude::*, sea_query::OnConflict};

use crate::{
    UtcInstant,
    change::{self, ChangeKind},
};

/// A kind of which changes were removed.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "change_retention")]
pub struct Model {
    /// The kind.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: ChangeKind,
    /// The version of the newest one that was removed.
    pub removed_through: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// Removes the oldest changes of a kind that were made before an instant, at most `limit`, and returns their number. Must be called in a
/// transaction: a reader must find a change, or that it was removed.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn remove_oldest(
    transaction: &impl ConnectionTrait,
    kind: ChangeKind,
    before: UtcInstant,
    limit: u64,
) -> Result<u64, DbErr> {
    let oldest = change::Entity::find()
        .select_only()
        .columns([change::Column::Version, change::Column::Ordinal, change::Column::At])
        .filter(change::COLUMN.kind.eq(kind))
        .order_by_asc(change::Column::Version)
        .order_by_asc(change::Column::Ordinal)
        .limit(limit)
        .into_tuple::<(i64, i32, UtcInstant)>()
        .all(transaction)
        .await?;
    // In the order of the log: after one that is retained, none is removed.
    let Some((version, ordinal, _)) = oldest.into_iter().take_while(|(.., at)| *at < before).last() else { return Ok(0) };
    let is_later = Expr::col((Entity, Column::RemovedThrough)).lt(Expr::col(("excluded", Column::RemovedThrough)));
    let update = OnConflict::column(Column::Kind).update_column(Column::RemovedThrough).action_and_where(is_later).to_owned();
    Entity::insert(ActiveModel { kind: Set(kind), removed_through: Set(version) })
        .on_conflict(update)
        .exec_without_returning(transaction)
        .await?;
    let position = Expr::tuple([Expr::col(change::Column::Version), Expr::col(change::Column::Ordinal)]);
    let removed = change::Entity::delete_many()
        .filter(change::COLUMN.kind.eq(kind))
        .filter(position.lte(Expr::tuple([Expr::value(version), Expr::value(ordinal)])))
        .exec(transaction)
        .await?;
    Ok(removed.rows_affected)
}
