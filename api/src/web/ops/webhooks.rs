//! `GET /ops/webhooks`: the endpoints to which changes are delivered, and their last attempts; `POST /ops/webhooks/{id}/enable`: continues
//! the deliveries of one.

use askama::Template;
use entity::{
    UtcInstant, database_now,
    webhook::{self, AttemptOutcome, DeliveryAttempt, MessageKind, WebhookState, parse_attempts},
};
use poem::{
    Request, Response,
    http::{StatusCode, Uri, header},
};
use sea_orm::DbErr;
use uuid::Uuid;

use super::{
    OpsFrame,
    access::Operator,
    form,
    health::Level,
    text::{Moment, bound, count, format_duration},
};
use crate::{
    auth::{FORM_TOKEN, Scope},
    database::reader::ReadSize,
    query::{Parameters, parse_path},
    resources::webhooks::{Access, describe_reason, enable_webhook},
    state::State,
};

/// The path of the page.
pub(super) const PATH: &str = "/ops/webhooks";
/// Attempts of an endpoint that the page shows.
const MAX_ATTEMPTS: usize = 5;
/// The largest form: a token.
const MAX_FORM_BYTES: usize = 4 * 1024;

#[derive(Debug, Template)]
#[template(path = "ops/webhooks.html")]
struct WebhooksPage {
    frame: OpsFrame,
    /// The endpoint that was just enabled.
    enabled: Option<Uuid>,
    /// None if the caller may not enable endpoints.
    token: Option<String>,
    webhooks: Vec<WebhookLine>,
}

#[derive(Debug)]
struct WebhookLine {
    id: Uuid,
    owner: String,
    /// Without its path and query string, which may contain a token.
    url: String,
    query: String,
    level: Level,
    state: &'static str,
    /// Why it is disabled, or for how long it is failing.
    problem: Option<String>,
    /// What is being delivered.
    pending: Option<String>,
    delivered: Option<Moment>,
    next_attempt: Option<Moment>,
    is_waiting: bool,
    attempts: Vec<AttemptLine>,
}

#[derive(Debug)]
struct AttemptLine {
    at: Moment,
    message: String,
    outcome: &'static str,
    level: Level,
    status: Option<u16>,
    duration_ms: u32,
}

/// Responds with the endpoints.
pub(super) async fn respond(state: State, request: Request) -> poem::Result<Response> {
    let operator = Operator::authorize(&state, &request)?;
    let mut parameters = Parameters::of(&request);
    let enabled = parameters.get("enabled", |id| id.parse().map_err(|_| "must be the id of a webhook".to_owned()));
    parameters.finish(())?;
    let source = state.reader.primary();
    let database = &source.connection;
    let read = async { Ok::<_, DbErr>((webhook::select_without_batch().all(database).await?, database_now(database).await?)) };
    let (rows, now) = state.reader.read(source, ReadSize::Small, read).await?;
    let mut webhooks: Vec<WebhookLine> = rows.iter().map(|row| WebhookLine::new(row, now)).collect();
    // The most urgent first.
    webhooks.sort_by_key(|line| std::cmp::Reverse(line.level));
    let frame = OpsFrame::of(request.uri().path(), PATH);
    let page = WebhooksPage { frame, enabled, token: operator.token_for(&Scope::Admin), webhooks };
    Ok(super::respond(&request, &page).await?)
}

/// Continues the deliveries of an endpoint.
pub(super) async fn enable(state: State, request: Request) -> poem::Result<Response> {
    let (request, mut body) = request.split();
    let operator = Operator::authorize(&state, &request)?;
    operator.authorize_write(&request, &Scope::Admin)?;
    let id: Uuid = parse_path("id", request.raw_path_param("id").unwrap_or_default(), "must be the id of a webhook")?;
    let fields = form::read_url_encoded(&request, &mut body, MAX_FORM_BYTES).await?;
    operator.check_token(fields.get(FORM_TOKEN))?;
    state.writer.write(1, enable_webhook(&state.writer.database, id, &Access::All)).await?;
    tracing::info!(webhook.id = %id, "webhook enabled");
    let location = format!("../../webhooks?enabled={id}");
    Ok(Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, location).finish())
}

impl WebhookLine {
    fn new(row: &webhook::Model, now: UtcInstant) -> Self {
        let (level, state) = match (row.state, row.failures) {
            (WebhookState::Disabled, _) => (Level::Critical, "disabled"),
            (WebhookState::Active, 0) => (Level::Good, "healthy"),
            (WebhookState::Active, _) => (Level::Warning, "failing"),
        };
        let failures = count(row.failures.unsigned_abs().into(), "attempt");
        let problem = match row.disabled_reason {
            Some(reason) => Some(format!("{}: {}", reason.name(), describe_reason(reason))),
            None if row.failures > 0 => Some(format!("{failures} failed")),
            None => None,
        };
        let pending = row.batch_id.as_ref().map(|_| {
            let changes = count(row.batch_changes.unwrap_or_default().unsigned_abs().into(), "change");
            let since = row.frozen_at.map(|at| format!(" since {}", format_duration(at.until(now)))).unwrap_or_default();
            format!("{changes}{since}")
        });
        let attempts = parse_attempts(&row.attempts).into_iter().take(MAX_ATTEMPTS);
        Self {
            id: row.id,
            owner: bound(&row.owner),
            url: bound(&origin_of(&row.url)),
            query: bound(&row.query),
            level,
            state,
            problem,
            pending,
            delivered: row.delivered_at.map(|at| Moment::new(at, now)),
            next_attempt: row.next_attempt_at.map(|at| Moment::new(at, now)),
            is_waiting: level != Level::Good,
            attempts: attempts.map(|attempt| AttemptLine::new(&attempt, now)).collect(),
        }
    }
}

fn origin_of(url: &str) -> String {
    let uri: Option<Uri> = url.parse().ok();
    let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?)));
    parts.map(|(scheme, authority)| format!("{scheme}://{authority}")).unwrap_or_default()
}

impl AttemptLine {
    fn new(attempt: &DeliveryAttempt, now: UtcInstant) -> Self {
        Self {
            at: Moment::new(attempt.at, now),
            message: match attempt.kind {
                MessageKind::Changes => count(attempt.changes.into(), "change"),
                MessageKind::Test => "test".to_owned(),
            },
            outcome: attempt.outcome.name(),
            level: if attempt.outcome == AttemptOutcome::Delivered { Level::Good } else { Level::Warning },
            status: attempt.status,
            duration_ms: attempt.duration_ms,
        }
    }
}
