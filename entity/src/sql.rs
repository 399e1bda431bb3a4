//! Statements that the query builder cannot express. Values are always bound, never part of the text.

use futures_util::TryStreamExt;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, IsolationLevel, Statement, StreamTrait,
    TransactionOptions, TransactionTrait, Value,
};
use tokio::task::consume_budget;

/// The values of a statement, numbered in the order in which they are bound: both databases accept `$1`.
#[derive(Debug, Default)]
pub struct Sql {
    values: Vec<Value>,
}

impl Sql {
    /// Binds a value, and returns its placeholder, which may be used several times.
    pub fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Binds one or more values, and returns their placeholders for `IN (...)`, [padded](pad).
    pub fn bind_all<V: Into<Value> + Clone>(&mut self, values: &[V]) -> String {
        let placeholders: Vec<String> = pad(values.to_vec()).into_iter().map(|value| self.bind(value)).collect();
        placeholders.join(", ")
    }

    /// The statement with this text.
    pub fn statement(self, backend: DbBackend, text: String) -> Statement {
        Statement::from_sql_and_values(backend, text, self.values)
    }
}

/// Repeats the last of the values of `IN (...)` up to a power of two, so that the database sees few distinct statements and can cache
/// their plans.
pub fn pad<V: Clone>(mut values: Vec<V>) -> Vec<V> {
    if let Some(last) = values.last().cloned() {
        values.resize(values.len().next_power_of_two(), last);
    }
    values
}

/// The columns `version` and `raised_at` of the snapshot that a statement reads. Read by another statement, they could belong to other
/// rows.
pub const VERSION_COLUMNS: &str =
    "(SELECT version FROM catalogue_version) AS version, (SELECT raised_at FROM catalogue_version) AS raised_at";

/// The condition that the rows of a table with a column `provider_id` are visible, which those of an incomplete first load are not. Usually
/// there is none, which the database finds out once per statement.
pub fn is_loaded(table: &str) -> String {
    format!("{table}.provider_id NOT IN (SELECT loading.id FROM provider AS loading WHERE loading.loading_since IS NOT NULL)")
}

/// A database, or a transaction that reads one snapshot of it.
pub trait ReadConnection: ConnectionTrait + StreamTrait + TransactionTrait<Transaction = DatabaseTransaction> {}

impl<C: ConnectionTrait + StreamTrait + TransactionTrait<Transaction = DatabaseTransaction>> ReadConnection for C {}

/// Reads rows one by one. `all` of the query builder holds all of them in the form of the driver, too, which is many times larger.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn read_rows<Row: FromQueryResult + Send + Unpin>(
    database: &impl ReadConnection,
    statement: Statement,
) -> Result<Vec<Row>, DbErr> {
    let mut stream = Row::find_by_statement(statement).stream(database).await?;
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(row);
        // The driver may have all rows ready.
        consume_budget().await;
    }
    Ok(rows)
}

/// Begins a transaction in which all statements read the same snapshot. SQLite always does that; PostgreSQL needs a higher isolation
/// level.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn begin_snapshot(database: &impl ReadConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = match ConnectionTrait::get_database_backend(database) {
        DbBackend::Postgres => TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            ..Default::default()
        },
        _ => TransactionOptions::default(),
    };
    database.begin_with_options(options).await
}
