//! `GET /ops`: whether everything works, the providers, the jobs, and the metrics of this process.

use askama::Template;
use entity::{
    Schedule, UtcInstant, database_now,
    job::{Backlog, queue},
    provider::{self, ProviderState, ProviderSummary},
};
use poem::{Request, Response};
use sea_orm::{DbErr, prelude::Uuid};

use super::{
    OpsFrame, PATH,
    access::Operator,
    health::{self, Level, Problem},
    plot::{self, Plot},
    text::{Moment, bound, count, format_duration},
};
use crate::{
    database::reader::ReadSize,
    error::ApiError,
    query::no_parameters,
    resources::events::read_cached_events,
    state::{FollowedCount, State},
};

/// Events with followed links that are shown: what fits on a screen.
const MAX_FOLLOWED: usize = 10;

#[derive(Debug, Template)]
#[template(path = "ops/overview.html")]
struct OverviewPage {
    frame: OpsFrame,
    level: Level,
    summary: String,
    /// The most urgent first.
    problems: Vec<Problem>,
    servers: Vec<Server>,
    /// None if the database cannot be read.
    copy: Option<CopyState>,
    plots: Vec<Plot>,
    /// The events with the most followed ticket links.
    followed: Vec<FollowedLine>,
}

/// An event and how often its ticket link was followed.
#[derive(Debug)]
struct FollowedLine {
    id: Uuid,
    /// None if it was removed, or cannot be read.
    title: Option<String>,
    times: String,
}

/// A server that this process uses.
#[derive(Debug)]
struct Server {
    name: &'static str,
    level: Level,
    state: String,
}

/// What the database contains about the copy.
#[derive(Debug)]
struct CopyState {
    providers: Vec<ProviderLine>,
    queued: String,
    running: String,
    dead: String,
}

#[derive(Debug)]
struct ProviderLine {
    slug: String,
    name: Option<String>,
    level: Level,
    state: &'static str,
    /// The age of its copy.
    age: String,
    last_success: Option<Moment>,
    events: i32,
    next_tick: Option<Moment>,
    /// Why and until when it is not polled.
    pause: Option<String>,
    run: Option<RunSummary>,
}

#[derive(Debug)]
struct RunSummary {
    id: i64,
    state: &'static str,
    started: Moment,
}

/// What is read from the database.
struct Rows {
    now: UtcInstant,
    providers: Vec<ProviderSummary>,
    backlog: Backlog,
}

/// Responds also while the database is unavailable: that is when the page is needed most.
pub(super) async fn respond(state: State, request: Request) -> poem::Result<Response> {
    Operator::authorize(&state, &request)?;
    no_parameters(&request)?;
    let intervals = state.samples.intervals();
    let (rows, is_overloaded) = match read(&state).await {
        Ok(rows) => (Some(rows), false),
        Err(ApiError::Overloaded) => (None, true),
        Err(error) if error.is_database_unavailable() || matches!(error, ApiError::SchemaOutdated) => (None, false),
        Err(error) => return Err(error.into()),
    };
    let mut problems = health::check_process(&state, &intervals);
    if let Some(rows) = &rows {
        problems.extend(rows.providers.iter().filter_map(|provider| health::check_provider(provider, rows.now)));
        problems.extend(health::check_jobs(rows.backlog));
    } else if is_overloaded {
        problems.push(Problem {
            level: Level::Warning,
            text: "The state of the copy was not read, because too many requests wait for the database.".to_owned(),
            advice: "This page tries again.",
            section: "MarqueeRequestsShed",
        });
    } else if !problems.iter().any(|problem| problem.level == Level::Critical) {
        problems.push(Problem {
            level: Level::Critical,
            text: "The state of the copy cannot be read from the database.".to_owned(),
            advice: "This page tries again.",
            section: "MarqueeDatabaseDown",
        });
    }
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.level));
    let copies =
        rows.as_ref().map_or(0, |rows| rows.providers.iter().filter(|summary| summary.state != ProviderState::Retired).count());
    let (level, summary) = health::summarize(&problems, copies);
    let page = OverviewPage {
        frame: OpsFrame::of(request.uri().path(), PATH),
        level,
        summary,
        problems,
        servers: list_servers(&state),
        copy: rows.map(CopyState::from),
        plots: plot::draw(&intervals),
        followed: list_followed(&state).await,
    };
    Ok(super::respond(&request, &page).await?)
}

async fn read(state: &State) -> Result<Rows, ApiError> {
    let source = state.reader.primary();
    let database = &source.connection;
    let rows = async {
        let (now, providers) = (database_now(database).await?, provider::load_summaries(database).await?);
        Ok::<_, DbErr>(Rows { now, providers, backlog: queue::backlog(database).await? })
    };
    state.reader.read(source, ReadSize::Small, rows).await
}

/// The events with the most followed ticket links, with their titles as the pages have them.
async fn list_followed(state: &State) -> Vec<FollowedLine> {
    let counts = state.followed_links.most_followed(MAX_FOLLOWED);
    let ids: Vec<Uuid> = counts.iter().map(|(id, _)| *id).collect();
    let events = read_cached_events(state, &ids).await.unwrap_or_default();
    let title_of = |id: &Uuid| events.iter().find(|event| event.id.0 == id.to_string()).map(|event| bound(&event.title));
    let line = |(id, FollowedCount { at_least, at_most })| FollowedLine {
        id,
        title: title_of(&id),
        times: if at_least == at_most { at_most.to_string() } else { format!("{at_least} to {at_most}") },
    };
    counts.into_iter().map(line).collect()
}

fn list_servers(state: &State) -> Vec<Server> {
    let describe = |is_up: bool, level: Level| match is_up {
        true => (Level::Good, "responds".to_owned()),
        false => (level, "does not respond".to_owned()),
    };
    let server = |name, (level, state)| Server { name, level, state };
    let database = server("Database", describe(state.availability.is_available(), Level::Critical));
    let replica = state.reader.replica().map(|replica| replica.source.availability.is_available());
    let replica = replica.map(|is_up| server("Read replica", describe(is_up, Level::Warning)));
    let redis = match state.cache.is_redis_up() {
        Some(is_up) => describe(is_up, Level::Warning),
        None => (Level::Good, "not configured".to_owned()),
    };
    let version = state.version.current().map(|version| server("Catalogue", (Level::Good, format!("version {version}"))));
    [Some(database), replica, Some(server("Redis", redis)), version].into_iter().flatten().collect()
}

impl From<Rows> for CopyState {
    fn from(Rows { now, providers, backlog }: Rows) -> Self {
        Self {
            providers: providers.into_iter().map(|summary| ProviderLine::new(summary, now)).collect(),
            queued: count(backlog.queued, "job"),
            running: count(backlog.running, "job"),
            dead: count(backlog.dead, "job"),
        }
    }
}

impl ProviderLine {
    fn new(summary: ProviderSummary, now: UtcInstant) -> Self {
        let level = health::check_provider(&summary, now).map_or(Level::Good, |problem| problem.level);
        let ProviderSummary { provider, state, newest_run } = summary;
        let paused_until = provider.paused_until(now);
        let schedule = provider.schedule.parse::<Schedule>().ok().filter(|_| state != ProviderState::Retired);
        let next_tick = schedule.and_then(|schedule| schedule.next_after(paused_until.unwrap_or(now)));
        let pause = paused_until.map(|until| {
            let reason = match provider.pause_reason.as_deref() {
                Some("circuit_open") => {
                    format!("circuit breaker open after {}", count(provider.failures.unsigned_abs().into(), "failed run"))
                }
                Some("retry_after") => "the provider sent Retry-After".to_owned(),
                Some("cache_control") => "the provider's document is fresh".to_owned(),
                Some("backoff") => "the provider is overloaded".to_owned(),
                _ => "paused".to_owned(),
            };
            format!("{reason}; next attempt {}", Moment::new(until, now).distance)
        });
        let age = provider.freshness(now);
        let state = match (state, level) {
            (ProviderState::Retired, _) => "retired",
            _ if provider.purged_at.is_some() => "purged",
            (ProviderState::Ok, Level::Good) => "up to date",
            (ProviderState::Ok, _) if age.is_none() => "age unknown",
            (ProviderState::Ok, _) => "outdated",
            (ProviderState::New, _) => "never copied",
            (ProviderState::Failing, _) => "failing",
        };
        Self {
            age: age.map_or_else(|| "unknown".to_owned(), format_duration),
            last_success: provider.last_success_at.map(|at| Moment::new(at, now)),
            next_tick: next_tick.map(|at| Moment::new(at, now)),
            run: newest_run.map(|run| RunSummary {
                id: run.id,
                state: run.state.name(),
                started: Moment::new(run.started_at, now),
            }),
            slug: provider.slug,
            name: provider.name.map(|name| bound(&name)),
            level,
            state,
            events: provider.event_count,
            pause,
        }
    }
}
