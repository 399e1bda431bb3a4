//! `GET` and `POST /ops/dry-runs`: a form that tries a feed; `GET /ops/dry-runs/{id}`: its progress and its result.

use askama::Template;
use entity::{
    UtcInstant, database_now, provider,
    pushed_feed::{self, Mode},
};
use poem::{
    Request, Response,
    http::{StatusCode, header},
};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

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
    query::{no_parameters, parse_path, parse_provider_slug},
    resources::feeds::{DryRunReject, DryRunReport, DryRunState, MAX_FEED_BYTES, start_dry_run},
    state::State,
};

/// The path of the form.
pub(super) const PATH: &str = "/ops/dry-runs";
/// The largest form: a document, and the other fields with the lines between them.
const MAX_FORM_BYTES: usize = MAX_FEED_BYTES + 16 * 1024;
/// Earlier dry runs that are listed.
const MAX_LISTED: u64 = 10;

#[derive(Debug, Template)]
#[template(path = "ops/dry_run_form.html")]
struct FormPage {
    frame: OpsFrame,
    token: String,
    /// The providers of which the operator may try feeds.
    providers: Vec<String>,
    max_mib: usize,
    earlier: Vec<DryRunLine>,
}

#[derive(Debug, Template)]
#[template(path = "ops/dry_run.html")]
struct DryRunPage {
    frame: OpsFrame,
    line: DryRunLine,
    /// None until a worker has completed it.
    report: Option<DryRunReport>,
}

#[derive(Debug)]
struct DryRunLine {
    id: i64,
    slug: String,
    mode: &'static str,
    accepted: Moment,
    is_completed: bool,
}

/// The rejected items or the warnings of a result.
#[derive(Debug)]
struct ItemList<'a> {
    title: &'static str,
    class: &'static str,
    items: &'a [DryRunReject],
}

/// The columns of a dry run without its document.
type DryRunRow = (i64, i32, Mode, UtcInstant, Option<UtcInstant>, Option<String>);

impl DryRunPage {
    fn text(text: &str) -> String {
        bound(text)
    }

    fn lists(report: &DryRunReport) -> Vec<ItemList<'_>> {
        let rejects = ItemList { title: "Rejected items", class: "critical", items: &report.rejects };
        let warnings = ItemList { title: "Warnings", class: "warning", items: &report.warnings };
        [rejects, warnings].into_iter().filter(|list| !list.items.is_empty()).collect()
    }
}

/// Responds with the form.
pub(super) async fn show_form(state: State, request: Request) -> poem::Result<Response> {
    let operator = Operator::authorize(&state, &request)?;
    no_parameters(&request)?;
    let source = state.reader.primary();
    let database = &source.connection;
    let read = async {
        let polled = provider::Entity::find().filter(provider::Column::RetiredAt.is_null());
        let slugs =
            polled.select_only().column(provider::Column::Slug).order_by_asc(provider::Column::Slug).into_tuple::<String>();
        let rows = select().order_by_desc(pushed_feed::Column::Id).limit(MAX_LISTED).into_tuple::<DryRunRow>();
        Ok::<_, DbErr>((slugs.all(database).await?, list(database, rows.all(database).await?).await?))
    };
    let (slugs, earlier) = state.reader.read(source, ReadSize::Small, read).await?;
    let page = FormPage {
        frame: OpsFrame::of(request.uri().path(), PATH),
        token: operator.token(),
        providers: slugs.into_iter().filter(|slug| operator.may(&Scope::Feed(slug.clone()))).collect(),
        max_mib: MAX_FEED_BYTES >> 20,
        earlier,
    };
    Ok(super::respond(&request, &page).await?)
}

/// Queues a dry run.
pub(super) async fn start(state: State, request: Request) -> poem::Result<Response> {
    let (request, mut body) = request.split();
    let operator = Operator::authorize(&state, &request)?;
    operator.require_same_origin(&request)?;
    let _permit = state.writer.reserve_body(&operator.name, MAX_FORM_BYTES as u64).await?;
    let mut fields = form::read_multipart(&request, &mut body, MAX_FORM_BYTES).await?;
    operator.check_token(fields.get(FORM_TOKEN))?;
    let slug = fields.get("provider").unwrap_or_default();
    let slug = parse_provider_slug(slug).map_err(|requirement| ApiError::parameter("provider", requirement))?;
    operator.authorize_write(&request, &Scope::Feed(slug.clone()))?;
    let mode = match fields.get("mode") {
        None | Some("snapshot") => Mode::Snapshot,
        Some("delta") => Mode::Delta,
        Some(_) => return Err(ApiError::parameter("mode", "must be `snapshot` or `delta`").into()),
    };
    let document = fields.take("file").or_else(|| fields.take("document"));
    let document = document.ok_or_else(|| ApiError::parameter("document", "must be a file or a text, got neither"))?;
    let id = start_dry_run(&state, &slug, document, mode).await?;
    // Relative to the path of the form.
    let location = format!("dry-runs/{id}");
    Ok(Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, location).finish())
}

/// Responds with the progress or the result of a dry run.
pub(super) async fn show(state: State, request: Request) -> poem::Result<Response> {
    Operator::authorize(&state, &request)?;
    no_parameters(&request)?;
    let id: i64 = parse_path("id", request.raw_path_param("id").unwrap_or_default(), "must be the number of a dry run")?;
    let source = state.reader.only_primary();
    let database = &source.connection;
    let read = async {
        let Some(row) = select().filter(pushed_feed::Column::Id.eq(id)).into_tuple::<DryRunRow>().one(database).await? else {
            return Ok(None);
        };
        let outcome = row.5.clone();
        Ok::<_, DbErr>(list(database, vec![row]).await?.pop().map(|line| (line, outcome)))
    };
    let found = state.reader.read(source, ReadSize::Small, read).await?;
    let (line, outcome) = found.ok_or_else(|| ApiError::not_found("dry run", &id))?;
    let report = outcome.map(|outcome| serde_json::from_str(&outcome).map_err(ApiError::Encoding)).transpose()?;
    let page = DryRunPage { frame: OpsFrame::of(request.uri().path(), PATH), line, report };
    Ok(super::respond(&request, &page).await?)
}

/// Selects dry runs: pushed feeds without a run.
fn select() -> sea_orm::Select<pushed_feed::Entity> {
    use pushed_feed::Column::{AcceptedAt, Id, Mode, Outcome, ProviderId, SettledAt, SyncRunId};
    pushed_feed::Entity::find()
        .select_only()
        .columns([Id, ProviderId, Mode, AcceptedAt, SettledAt, Outcome])
        .filter(SyncRunId.is_null())
}

async fn list(database: &DatabaseConnection, rows: Vec<DryRunRow>) -> Result<Vec<DryRunLine>, DbErr> {
    let now = database_now(database).await?;
    let mut lines = Vec::with_capacity(rows.len());
    for (id, provider_id, mode, accepted_at, settled_at, _) in rows {
        let provider = provider::Entity::find_by_id(provider_id).one(database).await?;
        lines.push(DryRunLine {
            id,
            slug: provider.map(|provider| provider.slug).unwrap_or_default(),
            mode: if mode == Mode::Snapshot { "snapshot" } else { "delta" },
            accepted: Moment::new(accepted_at, now),
            is_completed: settled_at.is_some(),
        });
    }
    Ok(lines)
}
