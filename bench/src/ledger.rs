//! Looks into the databases of the runs: the ledger, and whether anything else was written.

use std::collections::BTreeMap;

use entity::{ConnectionRole, sync_run};
use migration::testing::TestDatabase;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QueryOrder, Statement};

use crate::{Failure, peer::insert};

/// Tables that say what was done and not what is on sale.
const BOOKS: [&str; 4] = ["sync_run", "reject", "job", "seaql_migrations"];

/// The run that was entered last.
pub(crate) async fn newest(database: &TestDatabase) -> Result<sync_run::Model, Failure> {
    let connection = database.connect(ConnectionRole::Worker).await;
    let run = sync_run::Entity::find().order_by_desc(sync_run::Column::Id).one(&connection).await?;
    // A connection that stays open would keep SQLite from folding its log into its file when the worker ends.
    connection.close().await?;
    run.ok_or_else(|| "the ledger is empty".into())
}

/// A mark of each table but the ledger, which differs if any of its rows was written.
pub(crate) async fn marks(database: &TestDatabase) -> Result<BTreeMap<String, String>, Failure> {
    let connection = database.connect(ConnectionRole::Worker).await;
    let mut marks = BTreeMap::new();
    for table in tables(&connection).await? {
        let mark = match connection.get_database_backend() {
            // Each version of a row names the transaction that wrote it.
            DbBackend::Postgres => {
                let question = format!("SELECT count(*) || ' rows, ' || coalesce(sum(xmin::text::bigint), 0) FROM \"{table}\"");
                texts(&connection, &question).await?.concat()
            }
            _ => format!("{:?}", insert::hash_of_rows(connection.get_sqlite_connection_pool(), &table).await?),
        };
        marks.insert(table, mark);
    }
    connection.close().await?;
    Ok(marks)
}

async fn tables(connection: &DatabaseConnection) -> Result<Vec<String>, Failure> {
    let question = match connection.get_database_backend() {
        DbBackend::Postgres => "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
        _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    };
    let mut tables = texts(connection, question).await?;
    tables.retain(|table| !BOOKS.contains(&table.as_str()));
    Ok(tables)
}

/// The first column of an answer.
async fn texts(connection: &DatabaseConnection, question: &str) -> Result<Vec<String>, Failure> {
    let statement = Statement::from_string(connection.get_database_backend(), question);
    let rows = connection.query_all_raw(statement).await?;
    Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
}
