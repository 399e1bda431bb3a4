//! The operations of the job queue.
//!
//! A lease expires by time, and a worker that was suspended does not know that its lease has expired. Each claim therefore
//! increments the job's epoch, and [`finish`], called in the transaction of the work, rejects an older epoch (fencing). "Now" is
//! always the [database's clock](crate::clock), because the clocks of workers differ. If that clock is set back, queued jobs are
//! due immediately, and leases begin again.
//!
//! Unless stated otherwise, an operation fails only when the database is unavailable.

use std::time::Duration;

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, ExprTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, SqlErr, UpdateMany,
    sea_query::{Expr, InsertStatement, LockBehavior, LockType, OnConflict, Query, SubQueryStatement},
};

use super::{Backlog, Claim, Column, Entity, JobKind, JobState, LeaseRenewal, Model, RetryOutcome};
use crate::{
    begin_write,
    clock::{is_from_future, micros, now},
    sync_run::{self, RunState},
};

/// Dead jobs retained in each lane: a job that dies at every tick must not fill the table, and the newest are the most useful.
const MAX_DEAD_PER_LANE: u64 = 20;

/// The reason of a job that lost its worker during the last attempt.
const WORKER_DIED: &str = "the worker ended or lost its lease during the last attempt";

/// Adds a job in the transaction of its cause and returns its id; `None` if a job with its key exists.
pub async fn enqueue<K: JobKind>(transaction: &impl ConnectionTrait, job: &K) -> Result<Option<i64>, DbErr> {
    let now = now(transaction);
    let values =
        [Expr::from(JobState::Queued), 0.into(), K::MAX_ATTEMPTS.into(), 0.into(), None::<String>.into(), None::<i64>.into()];
    let row = transaction.query_one(&insert(job, &now, values)?).await?;
    row.map(|row| row.try_get("", "id")).transpose()
}

/// [`enqueue`], or makes the job with its key due now, with all its attempts, if it is dead or waits for a retry.
pub async fn enqueue_or_revive<K: JobKind>(transaction: &impl ConnectionTrait, job: &K) -> Result<(), DbErr> {
    if enqueue(transaction, job).await?.is_none() {
        revive_in(transaction, Column::Key.eq(job.key()), &[JobState::Dead, JobState::Queued]).await?;
    }
    Ok(())
}

/// Claims the job of these kinds that has been due for longest: one in a free lane, or one with an expired lease.
pub async fn claim(database: &DatabaseConnection, kinds: &[&str], worker: &str, lease: Duration) -> Result<Option<Claim>, DbErr> {
    if kinds.is_empty() {
        return Ok(None);
    }
    let now = now(database);
    let claimable = claimable(kinds, &now);
    // Check first without writing: a write takes SQLite's only lock, and mostly there is nothing to claim.
    let is_to_do = Condition::any().add(claimable.clone()).add(is_leased_in_future("due", &now));
    let check = Query::select().expr(Expr::val(1)).from_as(Entity, "due").cond_where(is_to_do).limit(1).to_owned();
    if database.query_one(&check).await?.is_none() {
        return Ok(None);
    }
    restart_future_leases(database).await?;
    mark_expired_dead(database, None).await?;
    let next = Query::select()
        .column(("due", Column::Id))
        .from_as(Entity, "due")
        .cond_where(claimable)
        .and_where(Expr::col(("due", Column::Attempt)).lt(Expr::col(("due", Column::MaxAttempts))))
        .order_by(("due", Column::RunAt), sea_orm::Order::Asc)
        .order_by(("due", Column::Id), sea_orm::Order::Asc)
        .limit(1)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .to_owned();
    let claimed = Entity::update_many()
        .col_expr(Column::State, JobState::Running.into())
        .col_expr(Column::Epoch, Expr::col(Column::Epoch).add(1))
        .col_expr(Column::Attempt, Expr::col(Column::Attempt).add(1))
        .col_expr(Column::Worker, worker.into())
        .col_expr(Column::LeaseUntil, now.clone().add(micros(lease)))
        .col_expr(Column::ChangedAt, now)
        // `=` and not `IN`: the subquery is then evaluated once.
        .filter(Expr::col(Column::Id).eq(SubQueryStatement::from(next)))
        .exec_with_returning(database)
        .await;
    match claimed {
        Ok(jobs) => Ok(jobs.into_iter().next().map(Claim::from)),
        // Another worker claimed a job of the same lane at the same moment.
        Err(error) if is_unique_violation(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Adds a job that the calling process runs itself, without retries; `None` while another job of its lane runs, or if a job with
/// its key exists.
pub async fn start<K: JobKind>(
    database: &DatabaseConnection,
    job: &K,
    worker: &str,
    lease: Duration,
) -> Result<Option<Claim>, DbErr> {
    let now = now(database);
    let transaction = begin_write(database).await?;
    restart_future_leases(&transaction).await?;
    mark_expired_dead(&transaction, Some(&job.lane())).await?;
    end_lease(&transaction, JobState::Queued, now.clone())
        .filter(Column::Lane.eq(job.lane()))
        .filter(is_expired(&now))
        .exec(&transaction)
        .await?;
    let lease_until = now.clone().add(micros(lease));
    let values = [Expr::from(JobState::Running), 1.into(), 1.into(), 1.into(), worker.into(), lease_until];
    let started = transaction.query_one(&insert(job, &now, values)?).await?;
    let claim = started.map(|row| Model::from_query_result(&row, "")).transpose()?.map(Claim::from);
    transaction.commit().await?;
    Ok(claim)
}

/// Extends a lease to `lease` from now. An expired lease that no other worker took over is held again.
pub async fn renew(database: &impl ConnectionTrait, claim: &Claim, lease: Duration) -> Result<LeaseRenewal, DbErr> {
    let renewed = Entity::update_many()
        .col_expr(Column::LeaseUntil, now(database).add(micros(lease)))
        .col_expr(Column::ChangedAt, now(database))
        .filter(is_held_by(claim))
        .exec(database)
        .await?;
    if renewed.rows_affected == 1 {
        return Ok(LeaseRenewal::Held);
    }
    let exists = Entity::find_by_id(claim.id).one(database).await?.is_some();
    Ok(if exists { LeaseRenewal::Taken } else { LeaseRenewal::Gone })
}

/// Whether this worker still holds the job. On `true` it holds it until the end of the transaction.
pub async fn is_held(transaction: &impl ConnectionTrait, claim: &Claim) -> Result<bool, DbErr> {
    Ok(Entity::find().filter(is_held_by(claim)).lock_exclusive().one(transaction).await?.is_some())
}

/// Removes a finished job in the transaction of its work. On `false` another worker holds the job, and the caller must roll back.
pub async fn finish(transaction: &impl ConnectionTrait, claim: &Claim) -> Result<bool, DbErr> {
    Ok(Entity::delete_many().filter(is_held_by(claim)).exec(transaction).await?.rows_affected == 1)
}

/// Ends a failed attempt: the job is queued for `delay`, or dead after its last attempt.
pub async fn retry(database: &impl ConnectionTrait, claim: &Claim, delay: Duration, reason: &str) -> Result<RetryOutcome, DbErr> {
    let is_last = Expr::col(Column::Attempt).gte(Expr::col(Column::MaxAttempts));
    let state = Expr::case(is_last, JobState::Dead).finally(JobState::Queued);
    let retried = end_lease(database, state, now(database).add(micros(delay)))
        .col_expr(Column::Reason, reason.into())
        .filter(is_held_by(claim))
        .exec_with_returning(database)
        .await?;
    match retried.first().map(|job| job.state) {
        None => Ok(RetryOutcome::Lost),
        Some(JobState::Dead) => {
            purge_dead(database, &claim.lane).await?;
            Ok(RetryOutcome::Dead)
        }
        Some(_) => Ok(RetryOutcome::Queued),
    }
}

/// Makes a job available to other workers immediately, without counting the attempt; `false` if another worker holds it.
pub async fn release(database: &impl ConnectionTrait, claim: &Claim) -> Result<bool, DbErr> {
    let released = end_lease(database, JobState::Queued, now(database))
        .col_expr(Column::Attempt, Expr::col(Column::Attempt).sub(1))
        .filter(is_held_by(claim))
        .exec(database)
        .await?;
    Ok(released.rows_affected == 1)
}

/// All jobs, oldest first.
pub async fn list(database: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::Id).all(database).await
}

/// The oldest queued job of this kind in a lane.
pub async fn find_queued<K: JobKind>(database: &impl ConnectionTrait, lane: &str) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::Lane.eq(lane))
        .filter(Column::Kind.eq(K::KIND))
        .filter(Column::State.eq(JobState::Queued))
        .order_by_asc(Column::Id)
        .one(database)
        .await
}

/// Makes a dead or queued job due now, with all its attempts; `false` if that job does not exist.
pub async fn revive(database: &impl ConnectionTrait, id: i64) -> Result<bool, DbErr> {
    revive_in(database, Column::Id.eq(id), &[JobState::Dead, JobState::Queued]).await
}

/// Makes a dead job due now, with all its attempts; `false` if that job does not exist.
pub async fn revive_dead(database: &impl ConnectionTrait, id: i64) -> Result<bool, DbErr> {
    revive_in(database, Column::Id.eq(id), &[JobState::Dead]).await
}

async fn revive_in(database: &impl ConnectionTrait, is_job: Expr, states: &[JobState]) -> Result<bool, DbErr> {
    let revived = Entity::update_many()
        .col_expr(Column::State, JobState::Queued.into())
        .col_expr(Column::RunAt, now(database))
        .col_expr(Column::ChangedAt, now(database))
        .col_expr(Column::Attempt, 0.into())
        .filter(is_job)
        .filter(Column::State.is_in(states.iter().copied()))
        .exec(database)
        .await?;
    Ok(revived.rows_affected == 1)
}

/// Replaces a queued job by another one of its lane, due now with all its attempts; `false` if it is no longer queued.
/// Fails if another job has the key.
pub async fn supersede<K: JobKind>(transaction: &impl ConnectionTrait, id: i64, job: &K) -> Result<bool, DbErr> {
    let superseded = Entity::update_many()
        .col_expr(Column::Key, job.key().into())
        .col_expr(Column::Payload, job.encode()?.into())
        .col_expr(Column::RunAt, now(transaction))
        .col_expr(Column::ChangedAt, now(transaction))
        .col_expr(Column::Attempt, 0.into())
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(JobState::Queued))
        .exec(transaction)
        .await?;
    Ok(superseded.rows_affected == 1)
}

/// Counts the jobs by state.
pub async fn backlog(database: &impl ConnectionTrait) -> Result<Backlog, DbErr> {
    let counts = Entity::find()
        .select_only()
        .column(Column::State)
        .column_as(Column::Id.count(), "jobs")
        .column_as(now(database).sub(Expr::col(Column::RunAt)).max(), "oldest")
        .group_by(Column::State)
        .into_tuple::<(JobState, i64, i64)>();
    let mut backlog = Backlog::default();
    for (state, jobs, oldest) in counts.all(database).await? {
        let jobs = u64::try_from(jobs).unwrap_or(0);
        match state {
            JobState::Queued => {
                backlog.queued = jobs;
                backlog.oldest_due = u64::try_from(oldest).ok().map(Duration::from_micros);
            }
            JobState::Running => backlog.running = jobs,
            JobState::Dead => backlog.dead = jobs,
        }
    }
    Ok(backlog)
}

/// Inserts a job that is due now, unless one has its key or, if it runs, its lane. `values` are its state, attempt, attempts,
/// epoch, worker and lease.
fn insert<K: JobKind>(job: &K, now: &Expr, values: [Expr; 6]) -> Result<InsertStatement, DbErr> {
    use Column::{
        Attempt, ChangedAt, CreatedAt, Epoch, InOrder, Key, Kind, Lane, LeaseUntil, MaxAttempts, Payload, RunAt, State, Worker,
    };
    let common: [Expr; 8] = [
        K::KIND.into(),
        job.key().into(),
        job.lane().into(),
        job.encode()?.into(),
        now.clone(),
        now.clone(),
        now.clone(),
        K::IN_ORDER.into(),
    ];
    Ok(Query::insert()
        .into_table(Entity)
        .columns([
            Kind,
            Key,
            Lane,
            Payload,
            RunAt,
            CreatedAt,
            ChangedAt,
            InOrder,
            State,
            Attempt,
            MaxAttempts,
            Epoch,
            Worker,
            LeaseUntil,
        ])
        .values_panic(common.into_iter().chain(values))
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .returning_all()
        .to_owned())
}

/// Which jobs, as `due`, may be claimed.
fn claimable(kinds: &[&str], now: &Expr) -> Condition {
    let due = |column| Expr::col(("due", column));
    let in_lane = |alias: &'static str| {
        let is_in_lane = Expr::col((alias, Column::Lane)).eq(due(Column::Lane));
        Query::select().expr(Expr::val(1)).from_as(Entity, alias).and_where(is_in_lane).to_owned()
    };
    let running = in_lane("other").and_where(Expr::col(("other", Column::State)).eq(JobState::Running)).to_owned();
    let earlier = in_lane("earlier")
        .and_where(Expr::col(("earlier", Column::InOrder)).eq(true))
        .and_where(Expr::col(("earlier", Column::State)).ne(JobState::Dead))
        .and_where(Expr::col(("earlier", Column::Id)).lt(due(Column::Id)))
        .to_owned();
    let is_free = Condition::all()
        .add(due(Column::State).eq(JobState::Queued))
        // If the clock was set back, a job would wait until it has caught up.
        .add(due(Column::RunAt).lte(now.clone()).or(is_from_future(due(Column::ChangedAt), now)))
        .add(Expr::not_exists(running))
        .add(Condition::any().add(due(Column::InOrder).eq(false)).add(Expr::not_exists(earlier)));
    let is_abandoned = due(Column::State).eq(JobState::Running).and(due(Column::LeaseUntil).lte(now.clone()));
    Condition::all().add(due(Column::Kind).is_in(kinds.iter().copied())).add(Condition::any().add(is_free).add(is_abandoned))
}

/// Updates jobs to this state, due at this time and without a worker.
fn end_lease(database: &impl ConnectionTrait, state: impl Into<Expr>, run_at: Expr) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::State, state.into())
        .col_expr(Column::RunAt, run_at)
        .col_expr(Column::ChangedAt, now(database))
        .col_expr(Column::Worker, None::<String>.into())
        .col_expr(Column::LeaseUntil, None::<i64>.into())
}

fn is_held_by(claim: &Claim) -> Condition {
    Condition::all().add(Column::Id.eq(claim.id)).add(Column::Epoch.eq(claim.epoch)).add(Column::State.eq(JobState::Running))
}

/// Whether a lease began before the clock was set back, and so would expire too late.
fn is_leased_in_future(alias: &'static str, now: &Expr) -> Expr {
    let is_running = Expr::col((alias, Column::State)).eq(JobState::Running);
    is_running.and(is_from_future(Expr::col((alias, Column::ChangedAt)), now))
}

/// Lets leases that began before the clock was set back begin again now: a worker that is alive renews its lease, and that of a dead
/// worker expires.
async fn restart_future_leases(database: &impl ConnectionTrait) -> Result<(), DbErr> {
    let now = now(database);
    let length = Expr::col(Column::LeaseUntil).sub(Expr::col(Column::ChangedAt));
    let restarted = Entity::update_many()
        .col_expr(Column::LeaseUntil, now.clone().add(length))
        .col_expr(Column::ChangedAt, now.clone())
        .filter(Column::State.eq(JobState::Running))
        .filter(is_from_future(Expr::col(Column::ChangedAt), &now))
        .exec(database)
        .await?;
    if restarted.rows_affected > 0 {
        tracing::warn!(jobs.count = restarted.rows_affected, "leases begin again, because the database's clock was set back");
    }
    Ok(())
}

fn is_expired(now: &Expr) -> Expr {
    Column::State.eq(JobState::Running).and(Expr::col(Column::LeaseUntil).lte(now.clone()))
}

/// Marks as dead the jobs that lost their worker during the last attempt: a job may be what kills its workers. No later attempt closes
/// their runs.
async fn mark_expired_dead(database: &impl ConnectionTrait, lane: Option<&str>) -> Result<(), DbErr> {
    let now = now(database);
    let dead = end_lease(database, JobState::Dead, now.clone())
        .col_expr(Column::Reason, WORKER_DIED.into())
        .filter(is_expired(&now))
        .filter(Expr::col(Column::Attempt).gte(Expr::col(Column::MaxAttempts)))
        .apply_if(lane, |jobs, lane| jobs.filter(Column::Lane.eq(lane)))
        .exec_with_returning(database)
        .await?;
    for job in dead {
        let has_not_ended = sync_run::Column::State.is_in([RunState::Queued, RunState::Running]);
        sync_run::close_abandoned(database, sync_run::Column::JobId.eq(job.id).and(has_not_ended)).await?;
        purge_dead(database, &job.lane).await?;
    }
    Ok(())
}

async fn purge_dead(database: &impl ConnectionTrait, lane: &str) -> Result<(), DbErr> {
    let in_lane = || Condition::all().add(Column::Lane.eq(lane)).add(Column::State.eq(JobState::Dead));
    let newest = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(in_lane())
        .order_by_desc(Column::Id)
        .limit(MAX_DEAD_PER_LANE)
        .into_query();
    Entity::delete_many().filter(in_lane()).filter(Column::Id.not_in_subquery(newest)).exec(database).await?;
    Ok(())
}

fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}
