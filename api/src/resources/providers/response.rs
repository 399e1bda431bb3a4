//! The response of a request for providers. It does not contain their URLs, which may contain secrets.

use entity::{
    Schedule, UtcInstant,
    provider::{self, ProviderSummary},
    sync_run,
};
use poem_openapi::{Enum, Object, types::Example};
use serde::Serialize;

use crate::{
    resources::sync_runs::RunState,
    response::{CurrencyCode, Instant, Nullable, ProviderSlug},
};

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
    pub slug: ProviderSlug,
    /// The name for people.
    pub name: Nullable<String>,
    /// Its web page.
    pub home_page: Nullable<String>,
    /// The licence of its data.
    pub licence: Nullable<String>,
    /// The text with which its data must be shown.
    pub attribution: Nullable<String>,
    /// The state.
    pub state: ProviderState,
    /// When the newest successful run started.
    pub last_success: Nullable<Instant>,
    /// The seconds since then; null if they are unknown, because the clock of the database was set back.
    pub age_seconds: Nullable<u64>,
    /// When the provider is polled next; null if it is retired.
    pub next_tick: Nullable<Instant>,
    /// Until when polling is paused; null if it is not paused.
    pub paused_until: Nullable<Instant>,
    /// The reason of the pause.
    pub pause_reason: Nullable<PauseReason>,
    /// The schedule of polling: cron with seconds, in UTC.
    pub schedule: String,
    /// The format of its feed.
    pub format: String,
    /// The time zone of local dates in the feed (IANA).
    pub time_zone: String,
    /// The currency of the prices (ISO 4217).
    pub currency: CurrencyCode,
    /// The newest run.
    pub last_run: Nullable<LastRun>,
    /// The newest release of the catalogue that changed its events.
    pub last_release: Nullable<LastRelease>,
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

/// Why a provider is not polled for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// The provider sent `Retry-After`.
    RetryAfter,
    /// The provider's document is fresh according to `Cache-Control`.
    CacheControl,
    /// The provider is overloaded (429 or 503), and did not send `Retry-After`.
    Backoff,
    /// The provider's runs keep failing.
    CircuitOpen,
}

/// The newest run of a provider.
#[derive(Clone, Debug, Object, Serialize)]
pub struct LastRun {
    /// The number of the run.
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// The state.
    pub state: RunState,
    /// When the run started.
    pub started_at: Instant,
    /// When the run ended.
    pub ended_at: Nullable<Instant>,
    /// A stable code of the reason, if the run failed.
    pub reason_code: Nullable<String>,
    /// The reason, if the run failed.
    pub reason: Nullable<String>,
}

/// The newest release of a provider.
#[derive(Clone, Debug, Object, Serialize)]
pub struct LastRelease {
    /// The version of the catalogue that it made.
    #[oai(validator(minimum(value = "1")))]
    pub version: i64,
    /// When it was made.
    pub at: Instant,
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
        let paused_until = provider.paused_until(now);
        let schedule = provider.schedule.parse::<Schedule>().ok().filter(|_| state != ProviderState::Retired);
        let next_tick = schedule.and_then(|schedule| schedule.next_after(paused_until.unwrap_or(now)));
        let last_release = provider.last_release.zip(provider.last_release_at);
        let last_release = last_release.map(|(version, at)| LastRelease { version, at: at.into() });
        Self {
            state,
            last_success: provider.last_success_at.map(Instant::from).into(),
            age_seconds: provider.last_success_at.and_then(|at| at.age_at(now)).map(|age| age.as_secs()).into(),
            next_tick: next_tick.map(Instant::from).into(),
            paused_until: paused_until.map(Instant::from).into(),
            pause_reason: paused_until.and(provider.pause_reason).and_then(|reason| PauseReason::parse(&reason)).into(),
            slug: provider.slug.into(),
            name: provider.name.into(),
            home_page: provider.home_page.into(),
            licence: provider.licence.into(),
            attribution: provider.attribution.into(),
            schedule: provider.schedule,
            format: provider.format,
            time_zone: provider.time_zone,
            currency: provider.currency.into(),
            last_run: newest_run.map(LastRun::from).into(),
            last_release: last_release.into(),
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

impl PauseReason {
    /// The reason of this name. A newer worker may know others, which are not shown.
    fn parse(name: &str) -> Option<Self> {
        match name {
            "retry_after" => Some(Self::RetryAfter),
            "cache_control" => Some(Self::CacheControl),
            "backoff" => Some(Self::Backoff),
            "circuit_open" => Some(Self::CircuitOpen),
            _ => None,
        }
    }
}

impl From<sync_run::Model> for LastRun {
    fn from(run: sync_run::Model) -> Self {
        Self {
            id: run.id,
            state: run.state.into(),
            started_at: run.started_at.into(),
            ended_at: run.ended_at.map(Instant::from).into(),
            reason_code: run.reason_code.into(),
            reason: run.reason.into(),
        }
    }
}

impl Example for ProviderList {
    fn example() -> Self {
        let text = |text: &str| text.to_owned();
        let some = |text: &str| Nullable(Some(text.to_owned()));
        let instant = |text: &str| Nullable(Some(Instant::from(text)));
        let provider = Provider {
            slug: "fever".into(),
            name: some("Fever"),
            home_page: some("https://fever.example/"),
            licence: some("CC BY 4.0"),
            attribution: some("Events by Fever"),
            state: ProviderState::Failing,
            last_success: instant("2021-02-09T08:00:00Z"),
            age_seconds: Nullable(Some(3_660)),
            next_tick: instant("2021-02-09T09:10:00Z"),
            paused_until: instant("2021-02-09T09:02:17.5Z"),
            pause_reason: Nullable(Some(PauseReason::CircuitOpen)),
            schedule: text("0 */10 * * * *"),
            format: text("event-list-xml"),
            time_zone: text("Europe/Madrid"),
            currency: "EUR".into(),
            last_run: Nullable(Some(LastRun {
                id: 42,
                state: RunState::Failed,
                started_at: "2021-02-09T09:00:00Z".into(),
                ended_at: instant("2021-02-09T09:00:01.25Z"),
                reason_code: some("http_status"),
                reason: some("the provider responded with status 503"),
            })),
            last_release: Nullable(Some(LastRelease { version: 1_207, at: "2021-02-09T08:00:00.75Z".into() })),
        };
        Self { providers: vec![provider] }
    }
}
