//! Baseline of a first load on SQLite: prepared multi-row inserts of the same rows in one transaction.

use std::time::{Duration, Instant};

use entity::ConnectionRole;
use migration::testing::{Backend, TestDatabase};
use sqlx::{
    AssertSqlSafe, Column, Executor, Row, Sqlite, SqlitePool, TypeInfo, ValueRef,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use xxhash_rust::xxh3::xxh3_64;

use super::TABLES;
use crate::Failure;

/// Rows per statement. More are not faster, and would approach the bind limit of SQLite.
const ROWS_PER_STATEMENT: usize = 500;

/// A SQLite value.
#[derive(Clone, Debug)]
enum SqliteValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

struct TableRows {
    table: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<SqliteValue>>,
}

/// The time to insert all rows into an empty database with the same schema and pragmas, including its close.
pub(crate) async fn time_rows(loaded: &TestDatabase) -> Result<Duration, Failure> {
    let connection = loaded.connect(ConnectionRole::Worker).await;
    let mut tables = Vec::new();
    for table in TABLES {
        let rows = read(connection.get_sqlite_connection_pool(), table).await?;
        let columns = rows.first().map(|row| row.columns().iter().map(|column| column.name().to_owned()).collect());
        let rows = rows.iter().map(values).collect::<Result<_, _>>()?;
        tables.push(TableRows { table, columns: columns.unwrap_or_default(), rows });
    }
    connection.close().await?;

    let empty = TestDatabase::migrated(Backend::Sqlite).await;
    let connection = empty.connect(ConnectionRole::Worker).await;
    let mut held = connection.get_sqlite_connection_pool().acquire().await?;
    let started = Instant::now();
    held.execute("BEGIN IMMEDIATE").await?;
    for table in tables {
        write(&mut held, table).await?;
    }
    held.execute("COMMIT").await?;
    drop(held);
    // Checkpoints the write-ahead log, as the exit of a worker does.
    connection.close().await?;
    let elapsed = started.elapsed();
    empty.remove().await;
    Ok(elapsed)
}

/// A hash of all rows of a table in storage order.
pub(crate) async fn hash_of_rows(pool: &SqlitePool, table: &str) -> Result<u64, Failure> {
    let mut hash = 0;
    for row in read(pool, table).await? {
        hash = xxh3_64(format!("{hash}{:?}", values(&row)?).as_bytes());
    }
    Ok(hash)
}

async fn read(pool: &SqlitePool, table: &str) -> Result<Vec<SqliteRow>, Failure> {
    // Table names are constants of this program.
    Ok(sqlx::query(AssertSqlSafe(format!("SELECT * FROM \"{table}\""))).fetch_all(pool).await?)
}

fn values(row: &SqliteRow) -> Result<Vec<SqliteValue>, Failure> {
    (0..row.len()).map(|place| value(row, place)).collect()
}

fn value(row: &SqliteRow, place: usize) -> Result<SqliteValue, Failure> {
    let kind = {
        let raw = row.try_get_raw(place)?;
        if raw.is_null() {
            return Ok(SqliteValue::Null);
        }
        raw.type_info().name().to_owned()
    };
    Ok(match kind.as_str() {
        "TEXT" => SqliteValue::Text(row.try_get_unchecked(place)?),
        "BLOB" => SqliteValue::Blob(row.try_get_unchecked(place)?),
        "REAL" => SqliteValue::Real(row.try_get_unchecked(place)?),
        _ => SqliteValue::Integer(row.try_get_unchecked(place)?),
    })
}

async fn write(connection: &mut sqlx::SqliteConnection, TableRows { table, columns, rows }: TableRows) -> Result<(), Failure> {
    let one = format!("({})", vec!["?"; columns.len()].join(","));
    let statement = |count: usize| {
        format!("INSERT INTO \"{table}\" (\"{}\") VALUES {}", columns.join("\",\""), vec![one.as_str(); count].join(","))
    };
    let whole = statement(ROWS_PER_STATEMENT);
    let mut rows = rows.into_iter();
    loop {
        let chunk: Vec<Vec<SqliteValue>> = rows.by_ref().take(ROWS_PER_STATEMENT).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        let text = if chunk.len() == ROWS_PER_STATEMENT { whole.clone() } else { statement(chunk.len()) };
        let query = chunk.into_iter().flatten().fold(sqlx::query(AssertSqlSafe(text)), bound);
        query.execute(&mut *connection).await?;
    }
}

fn bound(query: Query<'_, Sqlite, SqliteArguments>, value: SqliteValue) -> Query<'_, Sqlite, SqliteArguments> {
    match value {
        SqliteValue::Null => query.bind(None::<i64>),
        SqliteValue::Integer(integer) => query.bind(integer),
        SqliteValue::Real(real) => query.bind(real),
        SqliteValue::Text(text) => query.bind(text),
        SqliteValue::Blob(blob) => query.bind(blob),
    }
}
