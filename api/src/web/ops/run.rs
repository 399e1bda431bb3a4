//! `GET /ops/runs/{id}`: one sync run, with its rejected items and warnings.

use std::collections::BTreeMap;

use askama::Template;
use entity::{database_now, reject, reject::Severity};
use poem::{Request, Response};
use sea_orm::DbErr;

use super::{OpsFrame, access::Operator, run_line::RunLine, runs, text::bound};
use crate::{
    database::reader::ReadSize,
    error::ApiError,
    query::Parameters,
    resources::sync_runs::{RejectsQuery, parse_run_id, read_rejects, read_run},
    state::State,
};

/// Rejected items and warnings of a page.
const MAX_REJECTS: u64 = 50;

#[derive(Debug, Template)]
#[template(path = "ops/run.html")]
struct RunPage {
    frame: OpsFrame,
    line: RunLine,
    /// How many changes of each kind it logged.
    changes: BTreeMap<String, u32>,
    severity: Option<Severity>,
    is_first_page: bool,
    rejects: Vec<RejectLine>,
    /// The query string of the later ones.
    next: Option<String>,
}

#[derive(Debug)]
struct RejectLine {
    is_error: bool,
    line: i64,
    column: i64,
    /// The provider's ids, as far as they could be read.
    item: String,
    reason: String,
    /// The text of the item in the document.
    raw: String,
}

/// Responds with a run.
pub(super) async fn respond(state: State, request: Request) -> poem::Result<Response> {
    Operator::authorize(&state, &request)?;
    let id = request.raw_path_param("id").unwrap_or_default();
    let run_id = parse_run_id(id)?;
    let mut query = RejectsQuery::parse(id, Parameters::of(&request))?;
    query.page.limit = Some(query.page.limit.map_or(MAX_REJECTS, |limit| limit.min(MAX_REJECTS)));
    let source = state.reader.primary();
    let database = &source.connection;
    let read = async {
        let Some(row) = read_run(database, run_id).await? else { return Ok(None) };
        let rejects = read_rejects(database, &query).await?.unwrap_or_default();
        Ok::<_, DbErr>(Some((row, rejects, database_now(database).await?)))
    };
    let found = state.reader.read(source, ReadSize::Small, read).await?;
    let (row, rejects, now) = found.ok_or_else(|| ApiError::not_found("sync run", &run_id))?;
    let (rejects, next) = query.split(rejects, |reject| reject.position.into());
    let changes = row.0.changes.as_deref().and_then(|changes| serde_json::from_str(changes).ok());
    let page = RunPage {
        frame: OpsFrame::of(request.uri().path(), runs::PATH),
        line: RunLine::new(row, now),
        changes: changes.unwrap_or_default(),
        severity: query.filters.severity,
        is_first_page: query.page.after.is_none(),
        rejects: rejects.into_iter().map(RejectLine::from).collect(),
        next,
    };
    Ok(super::respond(&request, &page).await?)
}

impl From<reject::Model> for RejectLine {
    fn from(reject: reject::Model) -> Self {
        let ids = [reject.base_event_source_id, reject.event_source_id];
        Self {
            is_error: reject.severity == Severity::Error,
            line: reject.line,
            column: reject.column,
            item: ids.into_iter().flatten().map(|id| bound(&id)).collect::<Vec<_>>().join(" / "),
            reason: bound(&reject.reason),
            raw: bound(&reject.raw),
        }
    }
}
