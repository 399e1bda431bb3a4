//! The response of a request for providers. It does not contain their URLs, which may contain secrets.

use entity::{
    Schedule, UtcInstant,
    provider::{self, ProviderSummary},
    sync_run,
};
use poem_openapi::{Enum, Object, types::Example};
use serde::Serialize;

use crate::{query::to_rfc3339, response::Nullable};

/// All providers.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ProviderList {
    /// The providers, sorted by slug.
    pub providers: Vec<Provider>,
}

/// A provider, its state and the age of its copy.
#[derive(Clone, Debug, Object, Serialize)]
pub struct Provider {
    /// The slug.
    pub slug: String,
    /// The state.
    pub state: ProviderState,
    /// When the newest successful run started.
    pub last_success: Nullable<String>,
    /// The seconds since then.
    pub age_seconds: Nullable<u64>,
    /// When the provider is polled next; null if it is retired.
    pub next_tick: Nullable<String>,
    /// Until when polling is paused; null if it is not paused.
    pub paused_until: Nullable<String>,
    /// The reason of the pause: `retry_after` or `cache_control` if the provider requested it, `circuit_open` after repeated failures.
    pub pause_reason: Nullable<String>,
    /// The schedule of polling: cron with seconds, in UTC.
    pub schedule: String,
    /// The format of its feed.
    pub format: String,
    /// The time zone of local dates in the feed (IANA).
    pub time_zone: String,
    /// The currency of the prices (ISO 4217).
    pub currency: String,
    /// The newest run.
    pub last_run: Nullable<LastRun>,
}

/// The state of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ProviderState {
    /// Its catalogue was never copied.
    New,
    /// The newest run that has ended was successful.
    Ok,
    /// The newest run that has ended failed; the copy before it is served.
    Failing,
    /// It is no longer polled; its events are served.
    Retired,
}

/// The newest run of a provider.
#[derive(Clone, Debug, Object, Serialize)]
pub struct LastRun {
    /// The number of the run.
    pub id: i64,
    /// The state: `queued`, `running`, `succeeded`, `unchanged` or `failed`.
    pub state: String,
    /// When the run started.
    pub started_at: String,
    /// When the run ended.
    pub ended_at: Nullable<String>,
    /// A stable code of the reason, if the run failed.
    pub reason_code: Nullable<String>,
    /// The reason, if the run failed.
    pub reason: Nullable<String>,
}

impl ProviderList {
    /// The providers at an instant, on which ages depend.
    pub(super) fn new(providers: Vec<ProviderSummary>, now: UtcInstant) -> Self {
        Self { providers: providers.into_iter().map(|provider| Provider::new(provider, now)).collect() }
    }
}

impl Provider {
    fn new(ProviderSummary { provider, state, newest_run }: ProviderSummary, now: UtcInstant) -> Self {
        let state = ProviderState::from(state);
        let paused_until = provider.pause_until.filter(|&until| now < until);
        let schedule = provider.schedule.parse::<Schedule>().ok().filter(|_| state != ProviderState::Retired);
        let next_tick = schedule.and_then(|schedule| schedule.next_after(paused_until.unwrap_or(now)));
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
            last_run: newest_run.map(LastRun::from).into(),
        }
    }
}

impl From<provider::ProviderState> for ProviderState {
    fn from(state: provider::ProviderState) -> Self {
        match state {
            provider::ProviderState::New => Self::New,
            provider::ProviderState::Ok => Self::Ok,
            provider::ProviderState::Failing => Self::Failing,
            provider::ProviderState::Retired => Self::Retired,
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

impl Example for ProviderList {
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
                reason: some("the provider responded with status 503"),
            })),
        };
        Self { providers: vec![provider] }
    }
}
