//! Reads the ledger, and detects writes to other tables.

use std::collections::BTreeMap;

use entity::{ConnectionRole, sync_run};
use migration::testing::TestDatabase;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QueryOrder, Statement};

use crate::{Failure, baseline::insert};

/// Tables that every sync may write.
const LEDGER_TABLES: [&str; 4] = ["sync_run", "reject", "job", "seaql_migrations"];

/// The latest run.
pub(crate) async fn latest_run(database: &TestDatabase) -> Result<sync_run::Model, Failure> {
    let connection = database.connect(ConnectionRole::Worker).await;
    let run = sync_run::Entity::find().order_by_desc(sync_run::Column::Id).one(&connection).await?;
    // An open connection would prevent SQLite from checkpointing when the worker exits.
    connection.close().await?;
    run.ok_or_else(|| "the ledger is empty".into())
}

/// A fingerprint of each table except the ledger, which differs after a write.
pub(crate) async fn fingerprints(database: &TestDatabase) -> Result<BTreeMap<String, String>, Failure> {
    let connection = database.connect(ConnectionRole::Worker).await;
    let mut fingerprints = BTreeMap::new();
    for table in list_tables(&connection).await? {
        let fingerprint = match connection.get_database_backend() {
            // xmin is the transaction that wrote the row version.
            DbBackend::Postgres => {
                let query = format!("SELECT count(*) || ' rows, ' || coalesce(sum(xmin::text::bigint), 0) FROM \"{table}\"");
                query_texts(&connection, &query).await?.concat()
            }
            _ => format!("{:?}", insert::hash_of_rows(connection.get_sqlite_connection_pool(), &table).await?),
        };
        fingerprints.insert(table, fingerprint);
    }
    connection.close().await?;
    Ok(fingerprints)
}

async fn list_tables(connection: &DatabaseConnection) -> Result<Vec<String>, Failure> {
    let query = match connection.get_database_backend() {
        DbBackend::Postgres => "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
        _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    };
    let mut tables = query_texts(connection, query).await?;
    tables.retain(|table| !LEDGER_TABLES.contains(&table.as_str()));
    Ok(tables)
}

/// The first column of the result.
async fn query_texts(connection: &DatabaseConnection, query: &str) -> Result<Vec<String>, Failure> {
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let rows = connection.query_all_raw(statement).await?;
    Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
}
