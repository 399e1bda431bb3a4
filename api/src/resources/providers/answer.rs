//! What is told of the providers. Their URLs are not: they may hold a secret.

use entity::{Schedule, UtcInstant, sync_run};
use poem_openapi::{Enum, Object, types::Example};
use serde::Serialize;

use super::rows::ProviderRow;
use crate::{query::to_rfc3339, response::Nullable};

/// The answer.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct ProvidersAnswer {
    /// All of them.
    pub data: Providers,
    /// Always null: errors have their own shape.
    pub error: Nullable<bool>,
}

/// All providers.
#[derive(Debug, Object, Serialize)]
pub struct Providers {
    /// In the order of their slugs.
    pub providers: Vec<Provider>,
}

/// One provider and the freshness of its copy.
#[derive(Debug, Object, Serialize)]
pub struct Provider {
    /// Its name.
    pub slug: String,
    /// How it stands.
    pub state: ProviderState,
    /// When the newest copy began to be taken.
    pub last_success: Nullable<String>,
    /// How old that copy is.
    pub age_seconds: Nullable<u64>,
    /// When it is polled next; null once it is retired.
    pub next_tick: Nullable<String>,
    /// Until when it is left alone; null while it is not.
    pub paused_until: Nullable<String>,
    /// Why: `retry_after` and `cache_control` if it asked for it, `circuit_open` if its runs failed again and again.
    pub pause_reason: Nullable<String>,
    /// When it is polled: cron with seconds, UTC.
    pub schedule: String,
    /// The format of its feed.
    pub format: String,
    /// The zone in which its wall-clock dates are meant.
    pub time_zone: String,
    /// ISO 4217 code of its prices.
    pub currency: String,
    /// The newest attempt to copy its catalogue.
    pub last_run: Nullable<LastRun>,
}

/// How a provider stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ProviderState {
    /// Never copied yet.
    New,
    /// The newest attempt that ended was good.
    Ok,
    /// The newest attempt that ended failed; the copy before it is served.
    Failing,
    /// No longer polled; what it had is served.
    Retired,
}

/// The newest attempt to copy a catalogue.
#[derive(Debug, Object, Serialize)]
pub struct LastRun {
    /// Its number.
    pub id: i64,
    /// `queued`, `running`, `succeeded`, `unchanged` or `failed`.
    pub state: String,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Nullable<String>,
    /// A stable word for why it failed.
    pub reason_code: Nullable<String>,
    /// Why it failed.
    pub reason: Nullable<String>,
}

impl ProvidersAnswer {
    /// The answer at a moment, for ages depend on it.
    pub(super) fn at(now: UtcInstant, rows: Vec<ProviderRow>) -> Self {
        let providers = rows.into_iter().map(|row| Provider::at(now, row)).collect();
        Self { data: Providers { providers }, error: Nullable(None) }
    }
}

impl Provider {
    fn at(now: UtcInstant, ProviderRow { provider, last_run, is_failing }: ProviderRow) -> Self {
        let state = match provider.last_success_at {
            _ if provider.retired_at.is_some() => ProviderState::Retired,
            _ if is_failing => ProviderState::Failing,
            None => ProviderState::New,
            Some(_) => ProviderState::Ok,
        };
        let paused_until = provider.pause_until.filter(|&until| now < until);
        let next_tick = match (state, provider.schedule.parse::<Schedule>()) {
            (ProviderState::New | ProviderState::Ok | ProviderState::Failing, Ok(schedule)) => {
                schedule.next_after(paused_until.unwrap_or(now))
            }
            _ => None,
        };
        Self {
            state,
            last_success: provider.last_success_at.map(to_rfc3339).into(),
            age_seconds: provider.last_success_at.map(|at| at.seconds_until(now)).into(),
            next_tick: next_tick.map(to_rfc3339).into(),
            paused_until: paused_until.map(to_rfc3339).into(),
            pause_reason: paused_until.and(provider.pause_reason).into(),
            slug: provider.slug,
            schedule: provider.schedule,
            format: provider.format,
            time_zone: provider.time_zone,
            currency: provider.currency,
            last_run: last_run.map(LastRun::from).into(),
        }
    }
}

impl From<sync_run::Model> for LastRun {
    fn from(run: sync_run::Model) -> Self {
        Self {
            id: run.id,
            state: run.state.name().to_owned(),
            started_at: to_rfc3339(run.started_at),
            ended_at: run.ended_at.map(to_rfc3339).into(),
            reason_code: run.reason_code.into(),
            reason: run.reason.into(),
        }
    }
}

impl Example for ProvidersAnswer {
    fn example() -> Self {
        let text = |text: &str| text.to_owned();
        let some = |text: &str| Nullable(Some(text.to_owned()));
        let provider = Provider {
            slug: text("fever"),
            state: ProviderState::Failing,
            last_success: some("2021-02-09T08:00:00Z"),
            age_seconds: Nullable(Some(3_660)),
            next_tick: some("2021-02-09T09:10:00Z"),
            paused_until: some("2021-02-09T09:02:17.5Z"),
            pause_reason: some("circuit_open"),
            schedule: text("0 */10 * * * *"),
            format: text("event-list-xml"),
            time_zone: text("Europe/Madrid"),
            currency: text("EUR"),
            last_run: Nullable(Some(LastRun {
                id: 42,
                state: text("failed"),
                started_at: text("2021-02-09T09:00:00Z"),
                ended_at: some("2021-02-09T09:00:01.25Z"),
                reason_code: some("http_status"),
                reason: some("the provider answered with status 503"),
            })),
        };
        Self { data: Providers { providers: vec![provider] }, error: Nullable(None) }
    }
}
