//! `performer`: an artist or group.

use sea_orm::{ExprTrait, QuerySelect, QueryTrait, entity::prelude::*, sea_query::Expr};

use crate::{event_performer, name_word};

/// One performer of one provider.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "performer")]
pub struct Model {
    /// UUIDv5 of (provider slug, the provider's id).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The provider.
    pub provider_id: i32,
    /// The provider's id of it.
    pub source_id: String,
    /// Its name.
    pub name: String,
    /// The name for lookups, see [`fold_name`](crate::fold_name()).
    pub folded_name: String,
}

impl ActiveModelBehavior for ActiveModel {}

/// Deletes those of these performers without events, and returns them.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn delete_unused(transaction: &impl ConnectionTrait, ids: Vec<Uuid>) -> Result<Vec<Model>, DbErr> {
    let users = event_performer::Entity::find()
        .select_only()
        .column(event_performer::Column::PerformerId)
        .filter(Expr::col((event_performer::Entity, event_performer::Column::PerformerId)).equals((Entity, Column::Id)))
        .into_query();
    let unused = Entity::find().filter(COLUMN.id.is_in(ids)).filter(Expr::exists(users).not()).all(transaction).await?;
    let ids: Vec<Uuid> = unused.iter().map(|performer| performer.id).collect();
    name_word::delete(transaction, ids.clone()).await?;
    Entity::delete_many().filter(COLUMN.id.is_in(ids)).exec(transaction).await?;
    Ok(unused)
}
