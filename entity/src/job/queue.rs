//! What can be done with the queue.
//!
//! A lease is a promise by time, and time cannot be trusted: a worker may sleep past its lease and not know. So each claim
//! raises the job's epoch, and [`finish`], called in the transaction that does the work, refuses an older one. "Now" is the
//! database's clock throughout, because those of the workers differ.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryOrder, QueryResult, SqlErr,
    Statement, Value,
};

use super::{Column, Entity, Model};
use crate::{UtcInstant, begin_write};

/// Dead jobs that are kept of each lane: one that dies at each tick must not fill the table, and the newest tell most.
const DEAD_KEPT: i64 = 20;

/// What is written to a job whose worker ended in the middle of its last attempt.
const POISON: &str = "its worker ended, or lost its lease, in the middle of the last attempt";

/// A job to be done.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// What is to be done.
    pub kind: String,
    /// What it stands for.
    pub key: String,
    /// With what it must not run at the same time.
    pub lane: String,
    /// What the handler wants to know, JSON.
    pub payload: String,
    /// When it is due; `None` is now, by the database's clock.
    pub run_at: Option<UtcInstant>,
    /// Attempts that may begin.
    pub max_attempts: i32,
    /// Whether it must wait for all earlier jobs of its lane that must be done in order, too.
    pub in_order: bool,
}

/// A job that this worker does now, as long as nobody else has claimed it since.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Claim {
    /// The job.
    pub id: i64,
    /// What is to be done.
    pub kind: String,
    /// With what it must not run at the same time.
    pub lane: String,
    /// What the handler wants to know, JSON.
    pub payload: String,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// The fencing token.
    pub epoch: i64,
}

/// What became of a job whose attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOutcome {
    /// It waits for its next attempt.
    Queued,
    /// That was its last.
    Dead,
    /// Another worker has it.
    Lost,
}

/// What became of a lease that was to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseRenewal {
    /// It is held.
    Held,
    /// Another worker has the job, or it waits for one.
    Taken,
    /// The job was done.
    Gone,
}

/// What is left to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Jobs that wait.
    pub queued: u64,
    /// Jobs under way.
    pub running: u64,
    /// Jobs that were given up.
    pub dead: u64,
    /// For how long the oldest job that is due has been waiting.
    pub oldest_due: Option<Duration>,
}

/// Adds a job, in the transaction of what causes it. `None` if its key is there already.
///
/// # Errors
///
/// When the database is away.
pub async fn enqueue(transaction: &impl ConnectionTrait, job: NewJob) -> Result<Option<i64>, DbErr> {
    let backend = transaction.get_database_backend();
    let now = now(backend);
    let sql = format!(
        r#"INSERT INTO job (kind, "key", lane, payload, state, run_at, attempt, max_attempts, epoch, created_at, in_order)
        VALUES ($1, $2, $3, $4, 'queued', COALESCE($5, {now}), 0, $6, 0, {now}, $7)
        ON CONFLICT ("key") DO NOTHING RETURNING id"#
    );
    let values: [Value; 7] = [
        job.kind.into(),
        job.key.into(),
        job.lane.into(),
        job.payload.into(),
        job.run_at.map(|at| at.0).into(),
        job.max_attempts.into(),
        job.in_order.into(),
    ];
    let added = transaction.query_one_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    added.map(|row| row.try_get("", "id")).transpose()
}

/// Takes the job of these kinds that is due for longest: one whose lane is free, or one whose worker let its lease expire.
///
/// # Errors
///
/// When the database is away.
pub async fn claim(database: &DatabaseConnection, kinds: &[&str], worker: &str, lease: Duration) -> Result<Option<Claim>, DbErr> {
    if kinds.is_empty() {
        return Ok(None);
    }
    let backend = database.get_database_backend();
    let (now, lock) = (now(backend), skip_locked(backend));
    let places: Vec<String> = (1..=kinds.len()).map(|place| format!("${place}")).collect();
    let expired = format!("state = 'running' AND lease_until <= {now}");
    let claimable = format!(
        "kind IN ({}) AND (
            state = 'queued' AND run_at <= {now}
                AND NOT EXISTS (SELECT 1 FROM job AS other WHERE other.lane = due.lane AND other.state = 'running')
                AND NOT (in_order AND EXISTS (
                    SELECT 1 FROM job AS earlier
                    WHERE earlier.lane = due.lane AND earlier.in_order AND earlier.state <> 'dead' AND earlier.id < due.id
                ))
            OR {expired})",
        places.join(", ")
    );
    let mut values: Vec<Value> = kinds.iter().map(|kind| (*kind).into()).collect();
    // A look first: to write takes SQLite's only lock, and there is mostly nothing to claim.
    let look = format!("SELECT 1 AS found FROM job AS due WHERE {claimable} LIMIT 1");
    if database.query_one_raw(Statement::from_sql_and_values(backend, look, values.clone())).await?.is_none() {
        return Ok(None);
    }
    bury_expired(database, None).await?;
    let (worker_place, lease_place) = (kinds.len() + 1, kinds.len() + 2);
    let take = format!(
        "UPDATE job SET state = 'running', epoch = epoch + 1, attempt = attempt + 1,
            worker = ${worker_place}, lease_until = {now} + ${lease_place}
        WHERE id = (
            SELECT id FROM job AS due WHERE attempt < max_attempts AND {claimable} ORDER BY run_at, id LIMIT 1 {lock}
        ) RETURNING id, kind, lane, payload, attempt, epoch"
    );
    values.extend([Value::from(worker), micros(lease).into()]);
    match database.query_one_raw(Statement::from_sql_and_values(backend, take, values)).await {
        Ok(row) => row.as_ref().map(claim_of).transpose(),
        // Another worker began a job of the same lane at the same moment.
        Err(error) if is_double(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Adds a job that is under way from the first moment on, for whoever does it himself. `None` while another of its lane runs
/// or if its key is there already.
///
/// # Errors
///
/// When the database is away.
pub async fn start(database: &DatabaseConnection, job: NewJob, worker: &str, lease: Duration) -> Result<Option<Claim>, DbErr> {
    let backend = database.get_database_backend();
    let now = now(backend);
    let transaction = begin_write(database).await?;
    bury_expired(&transaction, Some(&job.lane)).await?;
    let set_free = format!(
        "UPDATE job SET state = 'queued', run_at = {now}, worker = NULL, lease_until = NULL
        WHERE lane = $1 AND state = 'running' AND lease_until <= {now}"
    );
    transaction.execute_raw(Statement::from_sql_and_values(backend, set_free, [job.lane.clone().into()])).await?;
    let sql = format!(
        r#"INSERT INTO job
            (kind, "key", lane, payload, state, run_at, attempt, max_attempts, epoch, worker, lease_until, created_at)
        VALUES ($1, $2, $3, $4, 'running', {now}, 1, $5, 1, $6, {now} + $7, {now})
        ON CONFLICT DO NOTHING RETURNING id, kind, lane, payload, attempt, epoch"#
    );
    let values: [Value; 7] = [
        job.kind.into(),
        job.key.into(),
        job.lane.into(),
        job.payload.into(),
        job.max_attempts.into(),
        worker.into(),
        micros(lease).into(),
    ];
    let started = transaction.query_one_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let claim = started.as_ref().map(claim_of).transpose()?;
    transaction.commit().await?;
    Ok(claim)
}

/// Holds a job for another lease from now on. An expired lease that nobody took is held again.
///
/// # Errors
///
/// When the database is away.
pub async fn renew(database: &impl ConnectionTrait, claim: &Claim, lease: Duration) -> Result<LeaseRenewal, DbErr> {
    let now = now(database.get_database_backend());
    let renewed = change(database, claim, &format!("lease_until = {now} + $3"), [micros(lease).into()]).await?;
    if renewed.is_some() {
        return Ok(LeaseRenewal::Held);
    }
    let is_there = Entity::find_by_id(claim.id).one(database).await?.is_some();
    Ok(if is_there { LeaseRenewal::Taken } else { LeaseRenewal::Gone })
}

/// Whether the job is still this worker's; it stays so until the transaction ends.
///
/// # Errors
///
/// When the database is away.
pub async fn is_held(transaction: &impl ConnectionTrait, claim: &Claim) -> Result<bool, DbErr> {
    let backend = transaction.get_database_backend();
    let lock = if backend == DbBackend::Postgres { "FOR UPDATE" } else { "" };
    let sql = format!("SELECT id FROM job WHERE id = $1 AND epoch = $2 AND state = 'running' {lock}");
    let values: [Value; 2] = [claim.id.into(), claim.epoch.into()];
    Ok(transaction.query_one_raw(Statement::from_sql_and_values(backend, sql, values)).await?.is_some())
}

/// Removes a job that is done, in the transaction of what it did. `false` is the fence: another worker has the job, and the
/// caller must roll back.
///
/// # Errors
///
/// When the database is away.
pub async fn finish(transaction: &impl ConnectionTrait, claim: &Claim) -> Result<bool, DbErr> {
    let sql = "DELETE FROM job WHERE id = $1 AND epoch = $2 AND state = 'running'";
    let values: [Value; 2] = [claim.id.into(), claim.epoch.into()];
    let backend = transaction.get_database_backend();
    let removed = transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(removed.rows_affected() == 1)
}

/// Ends an attempt that failed: the job waits for `delay`, or is dead if that was its last attempt.
///
/// # Errors
///
/// When the database is away.
pub async fn retry(database: &impl ConnectionTrait, claim: &Claim, delay: Duration, reason: &str) -> Result<RetryOutcome, DbErr> {
    let now = now(database.get_database_backend());
    let assignments = format!(
        "state = CASE WHEN attempt >= max_attempts THEN 'dead' ELSE 'queued' END,
        run_at = {now} + $3, worker = NULL, lease_until = NULL, reason = $4"
    );
    match change(database, claim, &assignments, [micros(delay).into(), reason.into()]).await?.as_deref() {
        None => Ok(RetryOutcome::Lost),
        Some("dead") => {
            forget_old_dead(database, &claim.lane).await?;
            Ok(RetryOutcome::Dead)
        }
        Some(_) => Ok(RetryOutcome::Queued),
    }
}

/// Lets another worker have the job at once; the attempt is not counted. `false` if another has it already.
///
/// # Errors
///
/// When the database is away.
pub async fn give_back(database: &impl ConnectionTrait, claim: &Claim) -> Result<bool, DbErr> {
    let now = now(database.get_database_backend());
    let assignments = format!("state = 'queued', attempt = attempt - 1, run_at = {now}, worker = NULL, lease_until = NULL");
    Ok(change(database, claim, &assignments, []).await?.is_some())
}

/// Every job, oldest first.
///
/// # Errors
///
/// When the database is away.
pub async fn list(database: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::Id).all(database).await
}

/// Makes a job that is dead or waits due now, with all its attempts before it. `false` if there is none of this id.
///
/// # Errors
///
/// When the database is away.
pub async fn revive(database: &impl ConnectionTrait, id: i64) -> Result<bool, DbErr> {
    let backend = database.get_database_backend();
    let now = now(backend);
    let sql =
        format!("UPDATE job SET state = 'queued', run_at = {now}, attempt = 0 WHERE id = $1 AND state IN ('dead', 'queued')");
    Ok(database.execute_raw(Statement::from_sql_and_values(backend, sql, [id.into()])).await?.rows_affected() == 1)
}

/// Makes a job that waits stand for something else and due now, with all its attempts before it. `false` if it waits no more.
///
/// # Errors
///
/// When the database is away, or the key is another job's.
pub async fn supersede(transaction: &impl ConnectionTrait, id: i64, key: &str) -> Result<bool, DbErr> {
    let backend = transaction.get_database_backend();
    let now = now(backend);
    let sql = format!(r#"UPDATE job SET "key" = $2, run_at = {now}, attempt = 0 WHERE id = $1 AND state = 'queued'"#);
    let statement = Statement::from_sql_and_values(backend, sql, [id.into(), key.into()]);
    Ok(transaction.execute_raw(statement).await?.rows_affected() == 1)
}

/// How much is left to do.
///
/// # Errors
///
/// When the database is away.
pub async fn backlog(database: &impl ConnectionTrait) -> Result<Backlog, DbErr> {
    let backend = database.get_database_backend();
    let now = now(backend);
    let sql = format!("SELECT state, COUNT(*) AS jobs, MAX({now} - run_at) AS oldest FROM job GROUP BY state");
    let mut backlog = Backlog::default();
    for row in database.query_all_raw(Statement::from_string(backend, sql)).await? {
        let jobs = u64::try_from(row.try_get::<i64>("", "jobs")?).unwrap_or(0);
        match row.try_get::<String>("", "state")?.as_str() {
            "queued" => {
                backlog.queued = jobs;
                backlog.oldest_due = u64::try_from(row.try_get::<i64>("", "oldest")?).ok().map(Duration::from_micros);
            }
            "running" => backlog.running = jobs,
            _ => backlog.dead = jobs,
        }
    }
    Ok(backlog)
}

/// Changes a job that is still this worker's, and answers the state that it has then.
async fn change<const MORE: usize>(
    database: &impl ConnectionTrait,
    claim: &Claim,
    assignments: &str,
    more: [Value; MORE],
) -> Result<Option<String>, DbErr> {
    let sql = format!("UPDATE job SET {assignments} WHERE id = $1 AND epoch = $2 AND state = 'running' RETURNING state");
    let values = [Value::from(claim.id), claim.epoch.into()].into_iter().chain(more);
    let changed = database.query_one_raw(Statement::from_sql_and_values(database.get_database_backend(), sql, values)).await?;
    changed.map(|row| row.try_get("", "state")).transpose()
}

/// Gives up the jobs whose worker ended in the middle of their last attempt: one that kills whoever does it ends so, too.
async fn bury_expired(database: &impl ConnectionTrait, lane: Option<&str>) -> Result<(), DbErr> {
    let backend = database.get_database_backend();
    let now = now(backend);
    let sql = format!(
        "UPDATE job SET state = 'dead', worker = NULL, lease_until = NULL, reason = $1
        WHERE state = 'running' AND lease_until <= {now} AND attempt >= max_attempts AND lane = COALESCE($2, lane)
        RETURNING lane"
    );
    let values: [Value; 2] = [POISON.into(), lane.map(str::to_owned).into()];
    for buried in database.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await? {
        forget_old_dead(database, &buried.try_get::<String>("", "lane")?).await?;
    }
    Ok(())
}

async fn forget_old_dead(database: &impl ConnectionTrait, lane: &str) -> Result<(), DbErr> {
    let sql = "DELETE FROM job WHERE lane = $1 AND state = 'dead' AND id NOT IN (
        SELECT id FROM job WHERE lane = $1 AND state = 'dead' ORDER BY id DESC LIMIT $2)";
    let values: [Value; 2] = [lane.into(), DEAD_KEPT.into()];
    database.execute_raw(Statement::from_sql_and_values(database.get_database_backend(), sql, values)).await?;
    Ok(())
}

fn claim_of(row: &QueryResult) -> Result<Claim, DbErr> {
    Claim::from_query_result(row, "")
}

/// Microseconds since 1970 by the database's clock, which goes on within a transaction.
fn now(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
        _ => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
    }
}

fn skip_locked(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn is_double(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}
