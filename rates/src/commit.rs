//! Takes a batch into the database, or finds it there.

use std::io;

use entity::{UtcInstant, begin_write, catalogue_version, rate, rate_batch};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set, Unchanged},
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter, Statement, Value,
};
use tokio::sync::mpsc;

use crate::{
    BatchLimits, IdempotencyKey, KeyClaim, ReadBatch, RowErrors, StagedPrices,
    staged::{Row, Rows},
};

/// What became of a batch that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It was taken in.
    Committed(rate_batch::Model),
    /// The same key had brought the same body before.
    Repeated(rate_batch::Model),
}

/// Why a batch was not taken in. Nothing of it is there.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Items are wrong.
    #[error("{} items of the batch cannot be taken", .0.count)]
    Rows(RowErrors),
    /// Another process writes a batch with this key now.
    #[error("another batch with this key is under way")]
    KeyInUse,
    /// Its key brought another body before.
    #[error("the key of the batch was used for another one")]
    KeyReused,
    /// The temporary file in which it waits cannot be read.
    #[error("the batch cannot be read back from its temporary file")]
    Disk(#[source] io::Error),
    /// The database is away, or refuses it.
    #[error("the batch cannot be written")]
    Database(#[from] DbErr),
}

/// Settles a batch that was read, in one transaction. `on_written` hears of each few thousand prices that are written.
///
/// Sums are written in the order of their key, as [`take_back`](crate::take_back()) does, so that two batches on the same routes wait for each
/// other and never in a circle. The version of the catalogue comes last: all writers share its row.
///
/// # Errors
///
/// When it is not taken in. If the commit itself was cut off, only a repetition with the same key can tell.
pub async fn commit_batch(
    database: &DatabaseConnection,
    claim: Option<KeyClaim>,
    reading: ReadBatch,
    limits: &BatchLimits,
    on_written: impl Fn(u64) + Sync,
) -> Result<CommitOutcome, CommitError> {
    let transaction = begin_write(database).await?;
    let key = claim.as_ref().map(KeyClaim::key);
    match commit_within(&transaction, key, reading, limits, on_written).await {
        Ok(settled) => {
            transaction.commit().await?;
            Ok(settled)
        }
        Err(error) => {
            // Whatever went wrong is told already, and a transaction that is left is rolled back by the server.
            let _too_late = transaction.rollback().await;
            Err(error)
        }
    }
}

async fn commit_within(
    transaction: &DatabaseTransaction,
    key: Option<&IdempotencyKey>,
    reading: ReadBatch,
    limits: &BatchLimits,
    on_written: impl Fn(u64) + Sync,
) -> Result<CommitOutcome, CommitError> {
    prepare(transaction, limits).await?;
    if let Some(key) = key {
        if !is_free(transaction, key).await? {
            return Err(CommitError::KeyInUse);
        }
        let earlier = rate_batch::Entity::find().filter(rate_batch::COLUMN.idempotency_key.eq(key.as_str()));
        if let Some(earlier) = earlier.one(transaction).await? {
            let is_same = earlier.body_hash == reading.body_hash;
            return if is_same { Ok(CommitOutcome::Repeated(earlier)) } else { Err(CommitError::KeyReused) };
        }
    }
    let draft = reading.outcome.map_err(CommitError::Rows)?;
    let batch = rate_batch::ActiveModel {
        id: NotSet,
        idempotency_key: Set(key.map(|key| key.as_str().to_owned())),
        body_hash: Set(reading.body_hash),
        price_count: Set(i64::try_from(draft.count()).unwrap_or(i64::MAX)),
        day_count: Set(0),
        route_count: Set(0),
        taken_at: Set(UtcInstant::now()),
        taken_back_at: Set(None),
    };
    let batch = batch.insert(transaction).await?;
    write(transaction, batch.id, draft, on_written).await?;
    add_to_sums(transaction, batch.id, Sign::Plus).await?;
    let (day_count, route_count) = extent(transaction, batch.id).await?;
    let extent = rate_batch::ActiveModel {
        id: Unchanged(batch.id),
        day_count: Set(day_count),
        route_count: Set(route_count),
        ..Default::default()
    };
    let batch = extent.update(transaction).await?;
    catalogue_version::increment(transaction).await?;
    Ok(CommitOutcome::Committed(batch))
}

/// How PostgreSQL treats the transaction: so long for a statement, waiting for another batch's sums included, and on one core. A parallel
/// plan of sums over millions of routes has been seen to take minutes where one core takes seconds.
pub(crate) async fn prepare(transaction: &DatabaseTransaction, limits: &BatchLimits) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let milliseconds = limits.statement_time.as_millis();
        let settings = format!(
            "SET LOCAL statement_timeout = {milliseconds}; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off"
        );
        transaction.execute_unprepared(&settings).await?;
    }
    Ok(())
}

/// Takes the lock of a key until the transaction ends. On SQLite only one transaction writes.
async fn is_free(transaction: &DatabaseTransaction, key: &IdempotencyKey) -> Result<bool, DbErr> {
    if transaction.get_database_backend() != DbBackend::Postgres {
        return Ok(true);
    }
    // Two keys with one hash would be told to wait for each other, and nothing worse.
    let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended('rate_batch ' || $1, 0)) AS is_free";
    let lock = Statement::from_sql_and_values(DbBackend::Postgres, sql, [key.as_str().into()]);
    transaction.query_one_raw(lock).await?.map_or(Ok(false), |row| row.try_get("", "is_free"))
}

/// Writes the prices, some thousand at a time: the next are read while the last are written.
async fn write(
    transaction: &DatabaseTransaction,
    batch_id: i64,
    draft: StagedPrices,
    on_written: impl Fn(u64) + Sync,
) -> Result<(), CommitError> {
    let rows = draft.rows().map_err(CommitError::Disk)?;
    let mut chunks = read_ahead(rows);
    let mut position = 0;
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk.map_err(CommitError::Disk)?;
        let count = chunk.len();
        match transaction.get_database_backend() {
            DbBackend::Postgres => insert_arrays(transaction, batch_id, position, &chunk).await?,
            _ => insert_rows(transaction, batch_id, position, chunk).await?,
        }
        // Within 32 bits, as the limits are.
        position += i32::try_from(count).unwrap_or(i32::MAX);
        on_written(count as u64);
    }
    Ok(())
}

fn read_ahead(mut rows: Rows) -> mpsc::Receiver<io::Result<Vec<Row>>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        loop {
            let chunk = rows.next();
            // If nobody waits for it any more, the batch has failed.
            if matches!(&chunk, Ok(rows) if rows.is_empty()) || sender.blocking_send(chunk).is_err() {
                return;
            }
        }
    });
    receiver
}

/// As arrays, which PostgreSQL takes faster than as many values, with one text for any number of rows.
async fn insert_arrays(transaction: &DatabaseTransaction, batch_id: i64, position: i32, rows: &[Row]) -> Result<(), DbErr> {
    let column = |of: fn(&Row) -> i32| Value::from(rows.iter().map(of).collect::<Vec<i32>>());
    let prices: Vec<i64> = rows.iter().map(|row| row.price).collect();
    let sql = "INSERT INTO rate (batch_id, position, orig_place_id, dest_place_id, day, price)
        SELECT $1, $2 + row.place, row.orig_place_id, row.dest_place_id, row.day, row.price
        FROM UNNEST($3::int[], $4::int[], $5::int[], $6::bigint[])
            WITH ORDINALITY AS row (orig_place_id, dest_place_id, day, price, place)";
    let values = [
        batch_id.into(),
        position.into(),
        column(|row| row.orig_place_id),
        column(|row| row.dest_place_id),
        column(|row| row.day),
        prices.into(),
    ];
    transaction.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await?;
    Ok(())
}

/// Rows of one statement on SQLite, which takes 32,766 values.
const ROWS_PER_STATEMENT: usize = 32_766 / 6;

async fn insert_rows(transaction: &DatabaseTransaction, batch_id: i64, position: i32, rows: Vec<Row>) -> Result<(), DbErr> {
    let models: Vec<rate::ActiveModel> = (position + 1..)
        .zip(rows)
        .map(|(position, Row { orig_place_id, dest_place_id, day, price })| {
            rate::Model { batch_id, position, orig_place_id, dest_place_id, day, price }.into()
        })
        .collect();
    for chunk in models.chunks(ROWS_PER_STATEMENT) {
        rate::Entity::insert_many(chunk.to_vec()).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Whether prices come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

/// Adds the prices of a batch to the sums of their routes and days, or takes them off, in the order of the key.
pub(crate) async fn add_to_sums(transaction: &DatabaseTransaction, batch_id: i64, sign: Sign) -> Result<(), DbErr> {
    let sign = if sign == Sign::Plus { "" } else { "-" };
    let sql = format!(
        "INSERT INTO rate_day (orig_place_id, dest_place_id, day, price_count, price_sum)
        SELECT orig_place_id, dest_place_id, day, {sign}COUNT(*), CAST({sign}SUM(price) AS BIGINT)
        FROM rate WHERE batch_id = $1
        GROUP BY orig_place_id, dest_place_id, day ORDER BY orig_place_id, dest_place_id, day
        ON CONFLICT (orig_place_id, dest_place_id, day) DO UPDATE SET
            price_count = rate_day.price_count + excluded.price_count, price_sum = rate_day.price_sum + excluded.price_sum"
    );
    transaction.execute_raw(of_batch(transaction, sql, batch_id)).await?;
    Ok(())
}

/// How many days and routes a batch has prices of.
async fn extent(transaction: &DatabaseTransaction, batch_id: i64) -> Result<(i32, i64), DbErr> {
    let days = "SELECT COUNT(*) AS found FROM (SELECT DISTINCT day FROM rate WHERE batch_id = $1) AS of_batch";
    let routes =
        "SELECT COUNT(*) AS found FROM (SELECT DISTINCT orig_place_id, dest_place_id FROM rate WHERE batch_id = $1) AS of_batch";
    let mut found = [0_i64; 2];
    for (found, sql) in found.iter_mut().zip([days, routes]) {
        let row = transaction.query_one_raw(of_batch(transaction, sql.to_owned(), batch_id)).await?;
        *found = row.map(|row| row.try_get("", "found")).transpose()?.unwrap_or_default();
    }
    let [days, routes] = found;
    // There are not that many days.
    Ok((i32::try_from(days).unwrap_or(i32::MAX), routes))
}

/// A statement whose only value is a batch.
pub(crate) fn of_batch(transaction: &DatabaseTransaction, sql: String, batch_id: i64) -> Statement {
    Statement::from_sql_and_values(transaction.get_database_backend(), sql, [batch_id.into()])
}
