//! Jobs that complete the rows of an earlier release, because a statement for all of them would take as long as it locks them.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Enqueues the only job of a kind, unless there are no events.
pub(crate) async fn enqueue(manager: &SchemaManager<'_>, kind: &str) -> Result<(), DbErr> {
    let now = match manager.get_database_backend() {
        DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
        _ => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
    };
    let insert = format!(
        "INSERT INTO job (kind, key, lane, payload, state, run_at, created_at, changed_at, in_order, attempt, max_attempts, epoch) \
         SELECT '{kind}', '{kind}', '{kind}', '{{}}', 'queued', {now}, {now}, {now}, FALSE, 0, 10, 0 \
         WHERE EXISTS (SELECT 1 FROM event)"
    );
    manager.get_connection().execute_unprepared(&insert).await.map(|_result| ())
}

/// Removes the job. An earlier release does not know its kind.
pub(crate) async fn remove(manager: &SchemaManager<'_>, kind: &str) -> Result<(), DbErr> {
    manager.execute(Query::delete().from_table("job").and_where(Expr::col("kind").eq(kind)).to_owned()).await
}
