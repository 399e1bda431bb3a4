//! `GET /ops/jobs`: the jobs by kind and state, and the batches of prices; `POST /ops/jobs/{id}/retry`: retries a dead job.

use std::collections::BTreeMap;

use askama::Template;
use entity::{
    UtcInstant, database_now,
    job::{self, JobState, queue, survey},
    rate_batch,
};
use poem::{
    Request, Response,
    http::{StatusCode, header},
};
use sea_orm::{DbErr, EntityTrait, QueryOrder, QuerySelect};

use super::{
    OpsFrame,
    access::Operator,
    form,
    text::{Moment, bound},
};
use crate::{
    auth::{FORM_TOKEN, Scope},
    database::reader::ReadSize,
    error::ApiError,
    query::{Parameters, parse_path},
    state::State,
};

/// The path of the page.
pub(super) const PATH: &str = "/ops/jobs";
/// Jobs of a list: dead ones are retained up to 20 in each lane.
const MAX_JOBS: usize = 100;
const MAX_BATCHES: u64 = 20;
/// The largest form: a token.
const MAX_FORM_BYTES: usize = 4 * 1024;

#[derive(Debug, Template)]
#[template(path = "ops/jobs.html")]
struct JobsPage {
    frame: OpsFrame,
    /// The job that was just retried.
    retried: Option<i64>,
    /// Jobs of each kind in each of the [`STATES`](Self::STATES).
    counts: BTreeMap<String, [u64; 3]>,
    /// None if the caller may not retry jobs.
    token: Option<String>,
    lists: Vec<JobList>,
    batches: Vec<BatchLine>,
}

/// The jobs in a state, newest first.
#[derive(Debug)]
struct JobList {
    state: JobState,
    jobs: Vec<JobLine>,
    is_complete: bool,
}

#[derive(Debug)]
struct JobLine {
    id: i64,
    kind: String,
    lane: String,
    attempts: String,
    /// When it was enqueued.
    created: Moment,
    /// When its state last changed, or when it is due.
    at: Moment,
    worker: String,
    reason: String,
}

#[derive(Debug)]
struct BatchLine {
    id: i64,
    prices: i64,
    days: i32,
    routes: i64,
    imported: Moment,
    deleted: Option<Moment>,
}

impl JobsPage {
    /// The states that the columns of [`Self::counts`] have.
    const STATES: [JobState; 3] = [JobState::Dead, JobState::Running, JobState::Queued];
}

/// Responds with the jobs and batches.
pub(super) async fn respond(state: State, request: Request) -> poem::Result<Response> {
    let operator = Operator::authorize(&state, &request)?;
    let mut parameters = Parameters::of(&request);
    let retried = parameters.get("retried", |id| id.parse().map_err(|_| "must be the number of a job".to_owned()));
    parameters.finish(())?;
    let source = state.reader.primary();
    let database = &source.connection;
    let read = async {
        let (now, counts) = (database_now(database).await?, survey::count(database).await?);
        let mut lists = Vec::new();
        for state in JobsPage::STATES {
            lists.push(JobList::new(state, survey::newest(database, state, MAX_JOBS as u64 + 1).await?, now));
        }
        let batches = rate_batch::Entity::find().order_by_desc(rate_batch::Column::Id).limit(MAX_BATCHES).all(database).await?;
        Ok::<_, DbErr>((counts, lists, batches.iter().map(|batch| BatchLine::new(batch, now)).collect()))
    };
    let (counts, lists, batches) = state.reader.read(source, ReadSize::Small, read).await?;
    let mut table: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for count in counts {
        let column = JobsPage::STATES.iter().position(|state| *state == count.state).unwrap_or_default();
        table.entry(count.kind).or_default()[column] = count.count;
    }
    let frame = OpsFrame::of(request.uri().path(), PATH);
    let page = JobsPage { frame, retried, counts: table, token: operator.token_for(&Scope::Admin), lists, batches };
    Ok(super::respond(&request, &page).await?)
}

/// Makes a dead job due now, with all its attempts.
pub(super) async fn retry(state: State, request: Request) -> poem::Result<Response> {
    let (request, mut body) = request.split();
    let operator = Operator::authorize(&state, &request)?;
    operator.authorize_write(&request, &Scope::Admin)?;
    let id: i64 = parse_path("id", request.raw_path_param("id").unwrap_or_default(), "must be the number of a job")?;
    let fields = form::read_url_encoded(&request, &mut body, MAX_FORM_BYTES).await?;
    operator.check_token(fields.get(FORM_TOKEN))?;
    let database = &state.writer.database;
    if !state.writer.write(1, queue::revive_dead(database, id)).await? {
        return Err(ApiError::not_found("dead job", &id).into());
    }
    tracing::info!(job.id = id, "job retried");
    let location = format!("../../jobs?retried={id}");
    Ok(Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, location).finish())
}

impl JobList {
    fn new(state: JobState, jobs: Vec<job::Model>, now: UtcInstant) -> Self {
        let is_complete = jobs.len() <= MAX_JOBS;
        Self { state, is_complete, jobs: jobs.into_iter().take(MAX_JOBS).map(|job| JobLine::new(job, now)).collect() }
    }
}

impl JobLine {
    fn new(job: job::Model, now: UtcInstant) -> Self {
        let at = match job.state {
            JobState::Queued => job.run_at,
            JobState::Running | JobState::Dead => job.changed_at.unwrap_or(job.run_at),
        };
        Self {
            id: job.id,
            kind: job.kind,
            lane: job.lane,
            attempts: format!("{} of {}", job.attempt, job.max_attempts),
            created: Moment::new(job.created_at, now),
            at: Moment::new(at, now),
            worker: job.worker.unwrap_or_default(),
            reason: job.reason.as_deref().map(bound).unwrap_or_default(),
        }
    }
}

impl BatchLine {
    fn new(batch: &rate_batch::Model, now: UtcInstant) -> Self {
        Self {
            id: batch.id,
            prices: batch.price_count,
            days: batch.day_count,
            routes: batch.route_count,
            imported: Moment::new(batch.taken_at, now),
            deleted: batch.taken_back_at.map(|at| Moment::new(at, now)),
        }
    }
}
