//! `catalogue_version`: one row with a number that goes up in the same transaction as any change a search could see.

use sea_orm::{ExprTrait, entity::prelude::*};

/// The key of the only row.
pub const ONLY_ROW: i32 = 1;

/// The version.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "catalogue_version")]
pub struct Model {
    /// Always [`ONLY_ROW`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Starts at 0, never goes down.
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// The version that the reader's snapshot holds.
///
/// # Errors
///
/// When the database is away, or its schema was never made.
pub async fn current(database: &impl ConnectionTrait) -> Result<i64, DbErr> {
    Entity::find_by_id(ONLY_ROW)
        .one(database)
        .await?
        .map(|row| row.version)
        .ok_or_else(|| DbErr::RecordNotFound("catalogue_version has no row".to_owned()))
}

/// Raises the version; to be called in the transaction that changes what a search could see.
///
/// # Errors
///
/// When the database is away, or its schema was never made.
pub async fn raise(transaction: &impl ConnectionTrait) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(COLUMN.id.eq(ONLY_ROW))
        .exec(transaction)
        .await?;
    Ok(())
}
