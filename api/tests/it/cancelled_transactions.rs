//! If the future of a transaction is dropped while it begins, it does not stay open: nothing is written or read in it later.

use std::{pin::pin, sync::Arc, time::Duration};

use entity::ConnectionRole;
use futures_util::poll;
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, Statement, TransactionOptions,
    TransactionTrait,
};
use tokio::time::sleep;

on_every_backend!(writes_are_not_part_of_a_cancelled_transaction, reads_are_not_part_of_a_cancelled_transaction,);

/// Longer than a round trip to the database, so that a transaction makes one step in each.
const STEP: Duration = Duration::from_millis(5);
/// How often a transaction is cancelled after each step: a response may arrive before it is.
const ROUNDS: usize = 10;

async fn writes_are_not_part_of_a_cancelled_transaction(database: Arc<TestDatabase>) {
    let (writer, reader) = connect(&database).await;
    let mut written = 0;
    let (mut steps, mut rounds) = (0, 0);
    while rounds < ROUNDS {
        let has_begun = cancel_after(steps, entity::begin_write(&writer)).await;
        for _ in 0..wait_until_idle(&writer).await {
            insert(&writer).await;
            written += 1;
            assert_eq!(count(&reader).await, written, "cancelled after {steps} steps");
        }
        (steps, rounds) = if has_begun { (0, rounds + 1) } else { (steps + 1, rounds) };
    }
}

async fn reads_are_not_part_of_a_cancelled_transaction(database: Arc<TestDatabase>) {
    let (writer, reader) = connect(&database).await;
    let mut written = 0;
    let (mut steps, mut rounds) = (0, 0);
    while rounds < ROUNDS {
        let has_begun = cancel_after(steps, entity::cancel_on_drop(begin_snapshot(&reader))).await;
        let connections = wait_until_idle(&reader).await;
        for _ in 0..2 * connections {
            insert(&writer).await;
            written += 1;
            assert_eq!(count(&reader).await, written, "cancelled after {steps} steps");
        }
        for _ in 0..connections {
            if let Err(error) = begin_snapshot(&reader).await {
                panic!("cancelled after {steps} steps: {error}");
            }
        }
        (steps, rounds) = if has_begun { (0, rounds + 1) } else { (steps + 1, rounds) };
    }
}

async fn begin_snapshot(database: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions { isolation_level: Some(IsolationLevel::RepeatableRead), ..Default::default() };
    database.begin_with_options(options).await
}

async fn connect(database: &TestDatabase) -> (DatabaseConnection, DatabaseConnection) {
    let writer = database.connect(ConnectionRole::Write).await;
    writer.execute_unprepared("CREATE TABLE probe (number INTEGER NOT NULL)").await.unwrap();
    (writer, database.connect(ConnectionRole::Api).await)
}

/// Drops a future after this number of steps. Returns whether it was complete.
async fn cancel_after(steps: usize, begin: impl Future<Output = Result<DatabaseTransaction, DbErr>>) -> bool {
    let mut begin = pin!(begin);
    for _ in 0..steps {
        if poll!(begin.as_mut()).is_ready() {
            return true;
        }
        sleep(STEP).await;
    }
    false
}

/// Waits until all connections of a pool are idle, and returns their number. The pool provides each in turn.
async fn wait_until_idle(database: &DatabaseConnection) -> usize {
    let connections = || match database.get_database_backend() {
        DbBackend::Postgres => {
            let pool = database.get_postgres_connection_pool();
            (pool.num_idle(), pool.size())
        }
        _ => {
            let pool = database.get_sqlite_connection_pool();
            (pool.num_idle(), pool.size())
        }
    };
    loop {
        let (idle, all) = connections();
        if idle == all as usize {
            return idle.max(1);
        }
        sleep(STEP).await;
    }
}

async fn insert(database: &DatabaseConnection) {
    database.execute_unprepared("INSERT INTO probe VALUES (1)").await.unwrap();
}

async fn count(database: &DatabaseConnection) -> i64 {
    let statement = Statement::from_string(database.get_database_backend(), "SELECT COUNT(*) AS number FROM probe");
    database.query_one_raw(statement).await.unwrap().unwrap().try_get("", "number").unwrap()
}
