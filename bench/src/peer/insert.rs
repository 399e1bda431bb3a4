//! Peer of a first load on SQLite: prepared inserts of many rows, in one transaction, of the rows that the load made.

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

/// Rows of one statement: with more it gets no faster, and 500 rows of the widest table are far below the values that SQLite binds.
const ROWS_PER_STATEMENT: usize = 500;

/// A value as SQLite keeps it.
#[derive(Clone, Debug)]
enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

struct Rows {
    table: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// How long it takes to insert all rows of a database into an empty one with the same schema and pragmas, until it is closed.
pub(crate) async fn rows_of(loaded: &TestDatabase) -> Result<Duration, Failure> {
    let connection = loaded.connect(ConnectionRole::Worker).await;
    let mut tables = Vec::new();
    for table in TABLES {
        let rows = read(connection.get_sqlite_connection_pool(), table).await?;
        let columns = rows.first().map(|row| row.columns().iter().map(|column| column.name().to_owned()).collect());
        let rows = rows.iter().map(values).collect::<Result<_, _>>()?;
        tables.push(Rows { table, columns: columns.unwrap_or_default(), rows });
    }
    connection.close().await?;

    let empty = TestDatabase::migrated(Backend::Sqlite).await;
    let connection = empty.connect(ConnectionRole::Worker).await;
    let mut held = connection.get_sqlite_connection_pool().acquire().await?;
    let begun = Instant::now();
    held.execute("BEGIN IMMEDIATE").await?;
    for table in tables {
        write(&mut held, table).await?;
    }
    held.execute("COMMIT").await?;
    drop(held);
    // As with a worker that ends, the log is folded into the file.
    connection.close().await?;
    let taken = begun.elapsed();
    empty.remove().await;
    Ok(taken)
}

/// A hash of all rows of a table in the order in which they are stored.
pub(crate) async fn hash_of_rows(pool: &SqlitePool, table: &str) -> Result<u64, Failure> {
    let mut hash = 0;
    for row in read(pool, table).await? {
        hash = xxh3_64(format!("{hash}{:?}", values(&row)?).as_bytes());
    }
    Ok(hash)
}

async fn read(pool: &SqlitePool, table: &str) -> Result<Vec<SqliteRow>, Failure> {
    // The names are this program's own.
    Ok(sqlx::query(AssertSqlSafe(format!("SELECT * FROM \"{table}\""))).fetch_all(pool).await?)
}

fn values(row: &SqliteRow) -> Result<Vec<Value>, Failure> {
    (0..row.len()).map(|place| value(row, place)).collect()
}

fn value(row: &SqliteRow, place: usize) -> Result<Value, Failure> {
    let kind = {
        let raw = row.try_get_raw(place)?;
        if raw.is_null() {
            return Ok(Value::Null);
        }
        raw.type_info().name().to_owned()
    };
    Ok(match kind.as_str() {
        "TEXT" => Value::Text(row.try_get_unchecked(place)?),
        "BLOB" => Value::Blob(row.try_get_unchecked(place)?),
        "REAL" => Value::Real(row.try_get_unchecked(place)?),
        _ => Value::Integer(row.try_get_unchecked(place)?),
    })
}

async fn write(connection: &mut sqlx::SqliteConnection, Rows { table, columns, rows }: Rows) -> Result<(), Failure> {
    let one = format!("({})", vec!["?"; columns.len()].join(","));
    let statement = |count: usize| {
        format!("INSERT INTO \"{table}\" (\"{}\") VALUES {}", columns.join("\",\""), vec![one.as_str(); count].join(","))
    };
    let whole = statement(ROWS_PER_STATEMENT);
    let mut rows = rows.into_iter();
    loop {
        let chunk: Vec<Vec<Value>> = rows.by_ref().take(ROWS_PER_STATEMENT).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        let text = if chunk.len() == ROWS_PER_STATEMENT { whole.clone() } else { statement(chunk.len()) };
        let query = chunk.into_iter().flatten().fold(sqlx::query(AssertSqlSafe(text)), bound);
        query.execute(&mut *connection).await?;
    }
}

fn bound(query: Query<'_, Sqlite, SqliteArguments>, value: Value) -> Query<'_, Sqlite, SqliteArguments> {
    match value {
        Value::Null => query.bind(None::<i64>),
        Value::Integer(integer) => query.bind(integer),
        Value::Real(real) => query.bind(real),
        Value::Text(text) => query.bind(text),
        Value::Blob(blob) => query.bind(blob),
    }
}
