//! Query plans of both databases on catalogues that are large enough for the planner to matter.

mod changes;
mod concerts;
mod events;
mod rates;
mod search;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait,
    sea_query::{PostgresQueryBuilder, QueryBuilder},
    sqlx::{Row, postgres::PgRow},
};
use serde_json::Value;

/// The steps of the query plan of SQLite.
async fn explain_sqlite(database: &DatabaseConnection, statement: Statement) -> Vec<String> {
    let explain = Statement { sql: format!("EXPLAIN QUERY PLAN {}", statement.sql), ..statement };
    let rows = database.query_all_raw(explain).await.unwrap();
    rows.iter().map(|row| row.try_get("", "detail").unwrap()).collect()
}

/// The plan of the prepared statement, as connections of the API use it.
async fn explain_postgres(database: &DatabaseConnection, statement: Statement) -> Value {
    // A prepared statement belongs to one connection.
    let transaction = database.begin().await.unwrap();
    let values: Vec<String> =
        statement.values.into_iter().flatten().map(|value| PostgresQueryBuilder.value_to_string(&value)).collect();
    transaction.execute_unprepared(&format!("PREPARE search AS {}", statement.sql)).await.unwrap();
    let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    let explain = format!("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE search{values}");
    let row = transaction.query_one_raw(Statement::from_string(DbBackend::Postgres, explain)).await.unwrap().unwrap();
    transaction.execute_unprepared("DEALLOCATE search").await.unwrap();
    transaction.commit().await.unwrap();
    let row: &PgRow = row.try_as_pg_row().unwrap();
    // The JSON type of the driver needs a feature that nothing else uses, so the column is read as text.
    let plan: Value = serde_json::from_str(&row.try_get_unchecked::<String, _>(0).unwrap()).unwrap();
    plan[0]["Plan"].clone()
}

fn nodes(plan: &Value) -> Vec<&Value> {
    let children = plan["Plans"].as_array().into_iter().flatten();
    std::iter::once(plan).chain(children.flat_map(nodes)).collect()
}

/// The rows that the nodes of a plan read from tables. A function reads at least those that it returns.
fn rows_read(plan: &Value) -> f64 {
    let number = |node: &Value, field: &str| node[field].as_f64().unwrap_or(0.0);
    let reads = |node: &&Value| node["Relation Name"].is_string() || node["Node Type"] == "ProjectSet";
    nodes(plan)
        .into_iter()
        .filter(reads)
        .map(|node| (number(node, "Actual Rows") + number(node, "Rows Removed by Filter")) * number(node, "Actual Loops"))
        .sum()
}
