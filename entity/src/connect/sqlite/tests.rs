use std::{path::Path, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, TransactionTrait,
    sqlx::{
        Connection, Executor, Row,
        sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqlitePoolOptions},
    },
};
use tempfile::TempDir;

use crate::{ConnectionRole, DatabaseSettings, Failure, begin_write, connect};

/// A value that does not fit into the pages that [`LIMIT_SIZE`] leaves.
const INSERT_TOO_MUCH: &str = "INSERT INTO entry (value) VALUES (zeroblob(1000000))";
/// Simulates a full disk on one connection.
const LIMIT_SIZE: &str = "PRAGMA max_page_count = 1";

/// A database with the table `entry`, and a pool of one connection.
struct Fixture {
    folder: TempDir,
    pool: DatabaseConnection,
}

impl Fixture {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("marquee.db");
        let migration = open(&path, ConnectionRole::Migrate).await;
        migration.execute_unprepared("CREATE TABLE entry (value)").await.unwrap();
        migration.close().await.unwrap();
        Self { folder, pool: open(&path, ConnectionRole::Migrate).await }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("marquee.db")
    }

    /// Creates a database with two entries beside the fixture's, to replace it with.
    async fn create_backup(&self) {
        let backup = open(&self.folder.path().join("backup.db"), ConnectionRole::Migrate).await;
        backup.execute_unprepared("CREATE TABLE entry (value); INSERT INTO entry (value) VALUES (1), (2)").await.unwrap();
        backup.close().await.unwrap();
    }

    /// Replaces the fixture's database with the backup. The log belongs to the file that is replaced; without shared memory it has no index.
    fn restore_backup(&self) {
        for suffix in ["-wal", "-shm"] {
            let _may_not_exist = std::fs::remove_file(format!("{}{suffix}", self.path().display()));
        }
        std::fs::rename(self.folder.path().join("backup.db"), self.path()).unwrap();
    }

    /// Marks the connection of the pool, so that [`Self::has_same_connection`] recognizes it.
    async fn mark_connection(&self) {
        self.pool.execute_unprepared("CREATE TEMP TABLE mark (value)").await.unwrap();
    }

    async fn has_same_connection(&self) -> bool {
        self.pool.execute_unprepared("SELECT 1 FROM temp.mark").await.is_ok()
    }

    /// Counts the entries that another process sees.
    async fn count_entries(&self) -> i64 {
        let mut other = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(self.path())).await.unwrap();
        other.fetch_one("SELECT COUNT(*) FROM entry").await.unwrap().get(0)
    }
}

async fn open(path: &Path, role: ConnectionRole) -> DatabaseConnection {
    let url = format!("sqlite://{}?mode=rwc", path.display()).parse().unwrap();
    connect(&DatabaseSettings { url }, role).await.unwrap()
}

/// The minimal reproduction of the bug of sqlx that `docs/adr/0029-sqlite-faults.md` describes. When this fails after an update of sqlx,
/// the bug may be fixed there.
#[tokio::test]
async fn sqlx_acknowledges_a_transaction_that_is_never_committed() {
    let folder = TempDir::new().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("sqlx.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    pool.execute("CREATE TABLE entry (value); PRAGMA max_page_count = 1").await.unwrap();

    let mut transaction = pool.begin().await.unwrap();
    // SQLite rolls back by itself: the ROLLBACK of the drop fails, and sqlx still counts a transaction.
    transaction.execute(INSERT_TOO_MUCH).await.unwrap_err();
    drop(transaction);
    pool.execute("PRAGMA max_page_count = 1000").await.unwrap();
    // Begins with a savepoint, outside of a transaction. Its rollback ends neither the savepoint nor the transaction that it opened.
    pool.begin().await.unwrap().rollback().await.unwrap();

    let mut transaction = pool.begin().await.unwrap();
    transaction.execute("INSERT INTO entry (value) VALUES (1)").await.unwrap();
    transaction.commit().await.expect("sqlx acknowledges it");
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    let count: i64 = other.fetch_one("SELECT COUNT(*) FROM entry").await.unwrap().get(0);
    assert_eq!(count, 0, "the write is lost when the process ends");
}

#[tokio::test]
async fn a_connection_without_failures_is_reused() {
    let fixture = Fixture::new().await;
    fixture.mark_connection().await;
    let transaction = begin_write(&fixture.pool).await.unwrap();
    transaction.execute_unprepared("INSERT INTO entry (value) VALUES (1)").await.unwrap();
    transaction.commit().await.unwrap();
    // The database rejects it without a rollback of anything.
    fixture.pool.execute_unprepared("SELECT no_such_column FROM entry").await.unwrap_err();
    assert!(fixture.has_same_connection().await);
}

#[tokio::test]
async fn a_write_after_an_automatic_rollback_is_committed() {
    let fixture = Fixture::new().await;
    fixture.mark_connection().await;
    fixture.pool.execute_unprepared(LIMIT_SIZE).await.unwrap();
    let transaction = begin_write(&fixture.pool).await.unwrap();
    let error = transaction.execute_unprepared(INSERT_TOO_MUCH).await.unwrap_err();
    assert_eq!(Failure::of(&error), Failure::StorageFull, "{error}");
    drop(transaction);

    let transaction = begin_write(&fixture.pool).await.unwrap();
    transaction.execute_unprepared("INSERT INTO entry (value) VALUES (1)").await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(fixture.count_entries().await, 1);
    assert!(!fixture.has_same_connection().await);
}

#[tokio::test]
async fn a_connection_is_closed_after_a_failed_statement_that_left_its_transaction_open() {
    let fixture = Fixture::new().await;
    fixture.mark_connection().await;
    fixture.pool.execute_unprepared("CREATE TABLE unique_entry (value UNIQUE)").await.unwrap();
    fixture.pool.execute_unprepared(LIMIT_SIZE).await.unwrap();
    let transaction = begin_write(&fixture.pool).await.unwrap();
    // A statement that may fail after some of its rows has its own journal, and only its rows are rolled back.
    let error = transaction.execute_unprepared("INSERT INTO unique_entry VALUES (1), (zeroblob(1000000))").await.unwrap_err();
    assert_eq!(Failure::of(&error), Failure::StorageFull, "{error}");
    transaction.rollback().await.unwrap();
    assert!(!fixture.has_same_connection().await);
}

#[tokio::test]
async fn a_connection_is_closed_after_a_failed_statement_without_a_transaction() {
    let fixture = Fixture::new().await;
    fixture.mark_connection().await;
    fixture.pool.execute_unprepared(LIMIT_SIZE).await.unwrap();
    fixture.pool.execute_unprepared(INSERT_TOO_MUCH).await.unwrap_err();
    assert!(!fixture.has_same_connection().await);
}

#[tokio::test]
async fn a_connection_is_closed_if_a_transaction_is_open_that_the_driver_has_not_counted() {
    let fixture = Fixture::new().await;
    fixture.mark_connection().await;
    fixture.pool.execute_unprepared("BEGIN").await.unwrap();
    assert!(!fixture.has_same_connection().await);
}

#[tokio::test]
async fn a_connection_is_closed_if_the_driver_counts_a_transaction_that_is_not_open() {
    let fixture = Fixture::new().await;
    fixture.mark_connection().await;
    let transaction = begin_write(&fixture.pool).await.unwrap();
    transaction.execute_unprepared("COMMIT").await.unwrap();
    // Its rollback fails.
    drop(transaction);
    assert!(!fixture.has_same_connection().await);
}

/// 1 is `NORMAL`, 2 is `FULL`.
#[tokio::test]
async fn only_writes_of_the_worker_may_be_lost_by_a_power_failure() {
    let fixture = Fixture::new().await;
    for (role, synchronous) in
        [(ConnectionRole::Worker, 1), (ConnectionRole::Deliver, 2), (ConnectionRole::Write, 2), (ConnectionRole::Migrate, 2)]
    {
        let pool = open(&fixture.path(), role).await;
        let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA synchronous");
        let row = pool.query_one_raw(statement).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i32>("", "synchronous"), Ok(synchronous), "{role:?}");
    }
}

#[tokio::test]
async fn a_connection_is_closed_after_it_read_a_corrupt_page() {
    let fixture = Fixture::new().await;
    fixture.pool.execute_unprepared("INSERT INTO entry (value) VALUES (1); PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    fixture.mark_connection().await;
    let mut bytes = std::fs::read(fixture.path()).unwrap();
    bytes[4096..].fill(0xff);
    std::fs::write(fixture.path(), bytes).unwrap();
    // Reads the page from the file and not from the connection's cache.
    fixture.pool.execute_unprepared("PRAGMA shrink_memory").await.unwrap();

    let error = fixture.pool.execute_unprepared("SELECT value FROM entry").await.unwrap_err();
    assert_eq!(Failure::of(&error), Failure::Corrupt, "{error}");
    assert!(!fixture.has_same_connection().await);
}

#[tokio::test]
async fn no_write_to_a_removed_file_is_acknowledged_and_no_new_file_is_created() {
    for suffix in ["", "-wal", "-shm"] {
        let fixture = Fixture::new().await;
        let transaction = begin_write(&fixture.pool).await.unwrap();
        transaction.execute_unprepared("INSERT INTO entry (value) VALUES (1)").await.unwrap();
        let removed = format!("{}{suffix}", fixture.path().display());
        std::fs::remove_file(removed).unwrap();
        let error = transaction.commit().await.expect_err(suffix);
        assert_eq!(Failure::of(&error), Failure::Unavailable, "{error}");
        if suffix.is_empty() {
            let error: DbErr = fixture.pool.execute_unprepared("SELECT 1").await.unwrap_err();
            assert_eq!(Failure::of(&error), Failure::Unavailable, "{error}");
            assert!(!fixture.path().exists());
        }
    }
}

#[tokio::test]
async fn a_file_that_replaced_the_database_is_used() {
    let fixture = Fixture::new().await;
    fixture.create_backup().await;
    fixture.restore_backup();

    let transaction = fixture.pool.begin().await.unwrap();
    transaction.execute_unprepared("INSERT INTO entry (value) VALUES (3)").await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(fixture.count_entries().await, 3);
}

/// How long a connection takes to open the file, until it waits for its lock.
const OPENING_TIME: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_file_that_is_replaced_while_a_connection_opens_it_is_not_used() {
    let fixture = Fixture::new().await;
    fixture.create_backup().await;
    fixture.pool.clone().close().await.unwrap();
    let options = SqliteConnectOptions::new().filename(fixture.path()).locking_mode(SqliteLockingMode::Exclusive);
    let mut lock = SqliteConnection::connect_with(&options).await.unwrap();
    lock.execute("DELETE FROM entry").await.unwrap();

    let path = fixture.path();
    let opening = tokio::spawn(async move { open(&path, ConnectionRole::Migrate).await });
    tokio::time::sleep(OPENING_TIME).await;
    assert!(!opening.is_finished());
    fixture.restore_backup();
    lock.close().await.unwrap();

    let pool = opening.await.unwrap();
    pool.execute_unprepared("INSERT INTO entry (value) VALUES (3)").await.unwrap();
    assert_eq!(fixture.count_entries().await, 3);
}

#[tokio::test]
async fn only_the_service_that_repeats_its_writes_does_not_wait_for_the_disk() {
    let fixture = Fixture::new().await;
    for (role, full) in [(ConnectionRole::Worker, 1), (ConnectionRole::Command, 2), (ConnectionRole::Write, 2)] {
        let pool = open(&fixture.path(), role).await;
        let row = pool.query_one_raw(Statement::from_string(DbBackend::Sqlite, "PRAGMA synchronous")).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i32>("", "synchronous").unwrap(), full, "{role:?}");
    }
}
