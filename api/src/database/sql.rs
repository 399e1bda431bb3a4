//! Statements that are put together here, where the query builder has no words for them. Values never stand in the text.

use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, Statement, TransactionOptions,
    TransactionTrait, Value,
};

/// A statement whose values are numbered as they are bound: both databases take `$1`.
#[derive(Debug, Default)]
pub(crate) struct Sql {
    values: Vec<Value>,
}

impl Sql {
    /// What stands for the value in the text, as often as it is wanted there.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// What stands for these values, of which there is at least one, in `IN (...)`. The last one is repeated until there are a power of
    /// two, so that a database sees few statements and can keep their plans.
    pub(crate) fn bind_all<V: Into<Value> + Clone>(&mut self, values: &[V]) -> String {
        let last = values.last().into_iter().cycle();
        let padded = values.iter().chain(last).take(values.len().next_power_of_two());
        let places: Vec<String> = padded.map(|value| self.bind(value.clone())).collect();
        places.join(", ")
    }

    /// The statement with this text.
    pub(crate) fn statement(self, backend: DbBackend, text: String) -> Statement {
        Statement::from_sql_and_values(backend, text, self.values)
    }
}

/// Two columns that say of which version the snapshot is that a statement reads: asked at another time it might belong to other rows.
pub(crate) const OF_VERSION: &str =
    "(SELECT version FROM catalogue_version) AS version, (SELECT raised_at FROM catalogue_version) AS raised_at";

/// A transaction in which all statements read the same. On SQLite every one does; PostgreSQL must be asked for it.
pub(crate) async fn snapshot(database: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = match database.get_database_backend() {
        DbBackend::Postgres => TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            ..Default::default()
        },
        _ => TransactionOptions::default(),
    };
    database.begin_with_options(options).await
}
