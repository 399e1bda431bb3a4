//! `GET /ops/runs`: the newest sync runs, of a provider or in a state.

use askama::Template;
use entity::{database_now, provider, sync_run::RunState};
use poem::{Request, Response};
use sea_orm::{DbErr, EntityTrait, Iterable, QueryOrder, QuerySelect};

use super::{super::search_form::Choice, OpsFrame, access::Operator, run_line::RunLine, timeline::Timeline};
use crate::{
    database::reader::ReadSize,
    query::Parameters,
    resources::sync_runs::{SyncRunsQuery, read_runs},
    state::State,
};

/// The path of the list.
pub(super) const PATH: &str = "/ops/runs";
/// Runs of a page: their bars are wide enough to point at.
const MAX_RUNS: u64 = 50;

#[derive(Debug, Template)]
#[template(path = "ops/runs.html")]
struct RunsPage {
    frame: OpsFrame,
    providers: Vec<Choice>,
    states: Vec<Choice>,
    is_first_page: bool,
    runs: Vec<RunLine>,
    timeline: Option<Timeline>,
    /// The query string of the older runs.
    next: Option<String>,
}

/// Responds with a page of runs.
pub(super) async fn respond(state: State, request: Request) -> poem::Result<Response> {
    Operator::authorize(&state, &request)?;
    let mut query = SyncRunsQuery::parse(Parameters::of(&request))?;
    query.page.limit = Some(query.page.limit.map_or(MAX_RUNS, |limit| limit.min(MAX_RUNS)));
    let source = state.reader.primary();
    let database = &source.connection;
    let read = async {
        let slugs = provider::Entity::find().select_only().column(provider::Column::Slug).order_by_asc(provider::Column::Slug);
        let slugs = slugs.into_tuple::<String>().all(database).await?;
        Ok::<_, DbErr>((read_runs(database, &query).await?, database_now(database).await?, slugs))
    };
    let (rows, now, slugs) = state.reader.read(source, ReadSize::Small, read).await?;
    let (rows, next) = query.split(rows, |(run, _)| run.id);
    let runs: Vec<RunLine> = rows.into_iter().map(|row| RunLine::new(row, now)).collect();
    let page = RunsPage {
        frame: OpsFrame::of(request.uri().path(), PATH),
        providers: choices(slugs, query.filters.provider.as_deref()),
        states: choices(RunState::iter().map(|state| state.name().to_owned()), query.filters.state.map(RunState::name)),
        is_first_page: query.page.after.is_none(),
        timeline: Timeline::draw(&runs),
        runs,
        next,
    };
    Ok(super::respond(&request, &page).await?)
}

/// The options of a control.
fn choices(values: impl IntoIterator<Item = String>, selected: Option<&str>) -> Vec<Choice> {
    let choice = |value: String| Choice { label: value.clone(), is_selected: selected == Some(value.as_str()), value };
    values.into_iter().map(choice).collect()
}
