//! Commits a batch to the database, or finds that it was committed before.

use std::{io, iter};

use entity::{
    Ahead, begin_write, database_now, rate, rate_batch,
    release::{self, Cause},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set, Unchanged},
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter, Statement, Value,
};

use crate::{BatchLimits, IdempotencyKey, KeyClaim, ReadBatch, RowErrors, StagedPrices, staged::Row};

/// What happened to a valid batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It was committed.
    Committed(rate_batch::Model),
    /// A batch with the same key and body was committed before.
    Repeated(rate_batch::Model),
}

/// Why a batch was not committed. None of its prices are in the database.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// It has invalid rows.
    #[error("the batch has {}", count_rows(.0.count))]
    Rows(RowErrors),
    /// Another process is committing a batch with this key.
    #[error("another batch with this idempotency key is in progress")]
    KeyInUse,
    /// Its key was used for another body.
    #[error("the idempotency key was used for another batch")]
    KeyReused,
    /// The database has other places than those that were known when the batch was read.
    #[error("the database was replaced while the batch was read; send it again")]
    DatabaseReplaced,
    /// The temporary file with its prices cannot be read.
    #[error("the temporary file of the batch cannot be read")]
    Disk(#[source] io::Error),
    /// The database is unavailable or rejects the batch.
    #[error("the batch cannot be written to the database")]
    Database(#[from] DbErr),
}

/// Commits a batch in one transaction. `on_written` receives the number of prices after each few thousand that are written.
///
/// Sums are written in key order, as in [`delete_batch`](crate::delete_batch()), so that two batches on the same routes wait for each other
/// without a deadlock. The catalogue version is incremented last, because all writers share its row.
///
/// # Errors
///
/// When the batch is not committed. If the connection broke during the commit, only a retry with the same key can find out.
pub async fn commit_batch(
    database: &DatabaseConnection,
    claim: Option<KeyClaim>,
    batch: ReadBatch,
    limits: &BatchLimits,
    on_written: impl Fn(u64) + Sync,
) -> Result<CommitOutcome, CommitError> {
    let transaction = begin_write(database).await?;
    let key = claim.as_ref().map(KeyClaim::key);
    match write_batch(&transaction, key, batch, limits, on_written).await {
        Ok(outcome) => {
            transaction.commit().await?;
            Ok(outcome)
        }
        Err(error) => {
            // The first error is the one to report. The server rolls back in any case.
            let _ignored = transaction.rollback().await;
            Err(error)
        }
    }
}

async fn write_batch(
    transaction: &DatabaseTransaction,
    key: Option<&IdempotencyKey>,
    batch: ReadBatch,
    limits: &BatchLimits,
    on_written: impl Fn(u64) + Sync,
) -> Result<CommitOutcome, CommitError> {
    configure(transaction, limits).await?;
    if let Some(key) = key {
        if !try_lock_key(transaction, key).await? {
            return Err(CommitError::KeyInUse);
        }
        let earlier = rate_batch::Entity::find().filter(rate_batch::COLUMN.idempotency_key.eq(key.as_str()));
        if let Some(earlier) = earlier.one(transaction).await? {
            let is_same = earlier.body_hash == batch.body_hash;
            return if is_same { Ok(CommitOutcome::Repeated(earlier)) } else { Err(CommitError::KeyReused) };
        }
    }
    let staged = batch.outcome.map_err(CommitError::Rows)?;
    if let Some(place) = batch.newest_place
        && !place.is_in(transaction).await?
    {
        return Err(CommitError::DatabaseReplaced);
    }
    let row = rate_batch::ActiveModel {
        id: NotSet,
        idempotency_key: Set(key.map(|key| key.as_str().to_owned())),
        body_hash: Set(batch.body_hash),
        price_count: Set(i64::try_from(staged.count()).unwrap_or(i64::MAX)),
        day_count: Set(0),
        route_count: Set(0),
        taken_at: Set(database_now(transaction).await?),
        taken_back_at: Set(None),
    };
    let batch_id = row.insert(transaction).await?.id;
    write_prices(transaction, batch_id, staged, on_written).await?;
    update_sums(transaction, batch_id, Sign::Plus).await?;
    let (day_count, route_count) = count_days_and_routes(transaction, batch_id).await?;
    let counts = rate_batch::ActiveModel {
        id: Unchanged(batch_id),
        day_count: Set(day_count),
        route_count: Set(route_count),
        ..Default::default()
    };
    let committed = counts.update(transaction).await?;
    release::publish_rates(transaction, Cause::RateBatch, batch_id).await?;
    Ok(CommitOutcome::Committed(committed))
}

/// Configures the transaction on PostgreSQL: a statement timeout that includes the wait for the sums of another batch, and plans for one
/// core. A parallel plan of the sums over millions of routes took minutes where one core takes seconds.
pub(crate) async fn configure(transaction: &DatabaseTransaction, limits: &BatchLimits) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let milliseconds = limits.statement_time.as_millis();
        let settings = format!(
            "SET LOCAL statement_timeout = {milliseconds}; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off"
        );
        transaction.execute_unprepared(&settings).await?;
    }
    Ok(())
}

/// Locks a key until the transaction ends; `false` if another transaction holds the lock. On SQLite only one transaction writes.
async fn try_lock_key(transaction: &DatabaseTransaction, key: &IdempotencyKey) -> Result<bool, DbErr> {
    if transaction.get_database_backend() != DbBackend::Postgres {
        return Ok(true);
    }
    // Two keys with the same hash exclude each other, which is harmless.
    let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended('rate_batch ' || $1, 0)) AS is_locked";
    let lock = Statement::from_sql_and_values(DbBackend::Postgres, sql, [key.as_str().into()]);
    transaction.query_one_raw(lock).await?.map_or(Ok(false), |row| row.try_get("", "is_locked"))
}

/// Writes the prices in chunks. The next chunk is read while one is written.
async fn write_prices(
    transaction: &DatabaseTransaction,
    batch_id: i64,
    staged: StagedPrices,
    on_written: impl Fn(u64) + Sync,
) -> Result<(), CommitError> {
    let mut rows = staged.into_rows().map_err(CommitError::Disk)?;
    let mut chunks = Ahead::new(iter::from_fn(move || match rows.read_chunk() {
        Ok(rows) if rows.is_empty() => None,
        chunk => Some(chunk),
    }));
    let mut position = 0;
    while let Some(chunk) = chunks.next().await.map_err(|panic| CommitError::Disk(io::Error::other(panic)))? {
        let chunk = chunk.map_err(CommitError::Disk)?;
        let count = chunk.len();
        match transaction.get_database_backend() {
            DbBackend::Postgres => insert_arrays(transaction, batch_id, position, &chunk).await?,
            _ => insert_rows(transaction, batch_id, position, chunk).await?,
        }
        // The limits of a batch are below 32 bits.
        position += i32::try_from(count).unwrap_or(i32::MAX);
        on_written(count as u64);
    }
    Ok(())
}

/// Inserts rows as arrays: faster than a list of values on PostgreSQL, and one statement text for any number of rows.
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

/// Rows of one statement on SQLite, which allows 32,766 values.
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

/// Whether prices are added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

/// Adds the prices of a batch to the sums of their routes and days, or subtracts them, in key order.
pub(crate) async fn update_sums(transaction: &DatabaseTransaction, batch_id: i64, sign: Sign) -> Result<(), DbErr> {
    let sign = if sign == Sign::Plus { "" } else { "-" };
    let sql = format!(
        "INSERT INTO rate_day (orig_place_id, dest_place_id, day, price_count, price_sum)
        SELECT orig_place_id, dest_place_id, day, {sign}COUNT(*), CAST({sign}SUM(price) AS BIGINT)
        FROM rate WHERE batch_id = $1
        GROUP BY orig_place_id, dest_place_id, day ORDER BY orig_place_id, dest_place_id, day
        ON CONFLICT (orig_place_id, dest_place_id, day) DO UPDATE SET
            price_count = rate_day.price_count + excluded.price_count, price_sum = rate_day.price_sum + excluded.price_sum"
    );
    transaction.execute_raw(batch_statement(transaction, sql, batch_id)).await?;
    Ok(())
}

/// Counts the days and the routes with prices of a batch.
async fn count_days_and_routes(transaction: &DatabaseTransaction, batch_id: i64) -> Result<(i32, i64), DbErr> {
    let days = "SELECT COUNT(*) AS count FROM (SELECT DISTINCT day FROM rate WHERE batch_id = $1) AS of_batch";
    let routes =
        "SELECT COUNT(*) AS count FROM (SELECT DISTINCT orig_place_id, dest_place_id FROM rate WHERE batch_id = $1) AS of_batch";
    let mut counts = [0_i64; 2];
    for (count, sql) in counts.iter_mut().zip([days, routes]) {
        let row = transaction.query_one_raw(batch_statement(transaction, sql.to_owned(), batch_id)).await?;
        *count = row.map(|row| row.try_get("", "count")).transpose()?.unwrap_or_default();
    }
    let [days, routes] = counts;
    // The accepted years have fewer days.
    Ok((i32::try_from(days).unwrap_or(i32::MAX), routes))
}

/// A statement with a batch id as its only value.
pub(crate) fn batch_statement(transaction: &DatabaseTransaction, sql: String, batch_id: i64) -> Statement {
    Statement::from_sql_and_values(transaction.get_database_backend(), sql, [batch_id.into()])
}

fn count_rows(count: u64) -> String {
    if count == 1 { "1 invalid row".to_owned() } else { format!("{count} invalid rows") }
}
