//! Inserts rows. Building a statement takes the worker about a third of the time that the database takes to execute it, so the next one is
//! built at the same time.

use entity::{Ahead, chunks};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, Insert, IntoActiveModel, Iterable,
    ModelTrait, PrimaryKeyToColumn, QueryTrait, Statement, Value, sea_query::OnConflict,
};

/// What happens to a row with the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SameKey {
    /// There is none.
    Absent,
    Replaced,
}

/// The statements that insert rows.
pub(super) fn insert_statements<M>(
    backend: DbBackend,
    rows: Vec<M>,
    same_key: SameKey,
) -> impl Iterator<Item = Statement> + Send + 'static
where
    M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel> + 'static,
    <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
{
    chunks(rows).map(move |rows| {
        let mut insert = Insert::many(into_active_models(rows)).into_query();
        if same_key == SameKey::Replaced {
            insert.on_conflict(replace::<M::Entity>());
        }
        backend.build(&insert)
    })
}

/// Executes statements in their order.
pub(super) async fn execute(
    transaction: &DatabaseTransaction,
    statements: impl Iterator<Item = Statement> + Send + 'static,
) -> Result<(), DbErr> {
    let mut statements = Ahead::new(statements);
    while let Some(statement) = statements.next().await.map_err(|panic| DbErr::Custom(panic.to_string()))? {
        transaction.execute_raw(statement).await?;
    }
    Ok(())
}

/// Replaces all columns but the key.
fn replace<E: EntityTrait>() -> OnConflict {
    let key: Vec<E::Column> = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
    let others = E::Column::iter().filter(|column| E::PrimaryKey::from_column(*column).is_none());
    OnConflict::columns(key).update_columns(others).to_owned()
}

/// The rows without the columns that are null in all of them: most feeds lack most details, and each value that is bound takes time.
fn into_active_models<M>(rows: Vec<M>) -> Vec<<M::Entity as EntityTrait>::ActiveModel>
where
    M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
{
    let columns = <M::Entity as EntityTrait>::Column::iter();
    let absent: Vec<_> = columns.filter(|column| rows.iter().all(|row| is_null(&row.get(*column)))).collect();
    let without_absent = |row: M| {
        let mut row = row.into_active_model();
        absent.iter().for_each(|column| row.not_set(*column));
        row
    };
    rows.into_iter().map(without_absent).collect()
}

fn is_null(value: &Value) -> bool {
    *value == value.as_null()
}
