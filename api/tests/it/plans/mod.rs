//! How the databases run the statements of the service, on catalogues that are large enough to make a planner choose.

mod concerts;
mod rates;
mod search;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait,
    sea_query::{PostgresQueryBuilder, QueryBuilder},
    sqlx::{Row, postgres::PgRow},
};
use serde_json::Value;

/// What SQLite does, step by step.
async fn sqlite_steps(database: &DatabaseConnection, statement: Statement) -> Vec<String> {
    let explain = Statement { sql: format!("EXPLAIN QUERY PLAN {}", statement.sql), ..statement };
    let rows = database.query_all_raw(explain).await.unwrap();
    rows.iter().map(|row| row.try_get("", "detail").unwrap()).collect()
}

/// The plan of the prepared statement, as a connection of the API keeps it for all values.
async fn postgres_plan(database: &DatabaseConnection, statement: Statement) -> Value {
    // One connection for both: what is prepared is its own.
    let transaction = database.begin().await.unwrap();
    let values: Vec<String> =
        statement.values.into_iter().flatten().map(|value| PostgresQueryBuilder.value_to_string(&value)).collect();
    transaction.execute_unprepared(&format!("PREPARE search AS {}", statement.sql)).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE search({})", values.join(", "));
    let row = transaction.query_one_raw(Statement::from_string(DbBackend::Postgres, explain)).await.unwrap().unwrap();
    transaction.execute_unprepared("DEALLOCATE search").await.unwrap();
    transaction.commit().await.unwrap();
    let row: &PgRow = row.try_as_pg_row().unwrap();
    // Without a feature of its own the driver has no type for PostgreSQL's JSON; on the wire it is text.
    let plan: Value = serde_json::from_str(&row.try_get_unchecked::<String, _>(0).unwrap()).unwrap();
    plan[0]["Plan"].clone()
}

fn nodes(plan: &Value) -> Vec<&Value> {
    let children = plan["Plans"].as_array().into_iter().flatten();
    std::iter::once(plan).chain(children.flat_map(nodes)).collect()
}
