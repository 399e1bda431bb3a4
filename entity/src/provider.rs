//! `provider`: an external company and its catalogue, as last configured in `providers.toml`.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use sea_orm::{QuerySelect, QueryTrait, Select, entity::prelude::*};

use crate::{Schedule, UtcInstant, sync_run};

/// The longest pause that a provider can request: a wrong header must not make the copy stale for days.
pub const MAX_PAUSE: Duration = Duration::from_secs(60 * 60);

/// One provider.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "provider")]
pub struct Model {
    /// Internal key.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// The provider's name in settings, paths and ids. It must not be reused for another company.
    #[sea_orm(unique)]
    pub slug: String,
    /// The URL of its feed.
    pub url: String,
    /// The name of the feed format.
    pub format: String,
    /// When it is polled: cron with seconds, UTC.
    pub schedule: String,
    /// IANA name of the time zone of its local dates and times.
    pub time_zone: String,
    /// ISO 4217 code of its prices.
    pub currency: String,
    /// Decimal digits of the minor unit of `currency`: 2 for cents.
    pub currency_digits: i16,
    /// When the newest successful run started to fetch: the copy is as fresh as this.
    pub last_success_at: Option<UtcInstant>,
    /// Events in the feed of that run.
    pub event_count: i32,
    /// Rejected items of that feed.
    pub reject_count: i32,
    /// The `ETag` header of that feed.
    pub etag: Option<String>,
    /// The `Last-Modified` header of that feed.
    pub last_modified: Option<String>,
    /// Hash of that feed.
    pub body_hash: Option<i64>,
    /// Hash of how that feed was parsed (format and settings). The feed is parsed again unless both hashes are equal.
    pub reading_hash: Option<i64>,
    /// Since when the provider is no longer in the settings: it is not polled, and its events are still served.
    pub retired_at: Option<UtcInstant>,
    /// The newest tick of its schedule that a worker has handled.
    pub last_tick_at: Option<UtcInstant>,
    /// Consecutive runs that failed because of the provider or its feed.
    pub failures: i32,
    /// Until when ticks are skipped.
    pub pause_until: Option<UtcInstant>,
    /// Why they are skipped: `retry_after`, `cache_control`, `backoff` or `circuit_open`.
    pub pause_reason: Option<String>,
    /// When the pause began, by the database's clock.
    pub paused_at: Option<UtcInstant>,
    /// Since when its first load is written in parts. Until it is complete, readers see none of the provider's rows.
    pub loading_since: Option<UtcInstant>,
    /// The version of the newest release that changed its copy.
    pub last_release: Option<i64>,
    /// When that release was made.
    pub last_release_at: Option<UtcInstant>,
    /// Hash of a document that is refused, because its changes were reverted; `None` after another document was applied.
    pub reverted_body_hash: Option<i64>,
    /// When its copy was removed for legal reasons. It is no longer synced. While its rows are being deleted, `loading_since` is the
    /// same instant, unless its first load was incomplete.
    pub purged_at: Option<UtcInstant>,
    /// The name for people.
    pub name: Option<String>,
    /// Its web page.
    pub home_page: Option<String>,
    /// The licence of its data.
    pub licence: Option<String>,
    /// The text with which its data must be shown.
    pub attribution: Option<String>,
    /// The slug with which ids of its items are computed, if it was renamed since.
    pub identity_slug: Option<String>,
    /// The property from which the ids of its copy were read, if it was not the format's own.
    pub id_from: Option<String>,
    /// Items without a readable id in the feed of the newest successful run that read one whole.
    pub unidentified_count: i32,
    /// The parameters that its ticket links get, as a JSON object of texts.
    pub affiliate: Option<String>,
    /// The `last_release` for which its [`daily_total`](crate::daily_total) rows are current, 0 for none; `None` if they are outdated.
    pub totals_release: Option<i64>,
    /// The last day with rows of [`daily_total`](crate::daily_total), while those of later days are not computed: `2021-06-30`.
    pub totals_through: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The slug with which ids of its items are computed: the first one.
    #[must_use]
    pub fn identity_slug(&self) -> &str {
        self.identity_slug.as_deref().unwrap_or(&self.slug)
    }

    /// The parameters that its ticket links get.
    #[must_use]
    pub fn affiliate_parameters(&self) -> BTreeMap<String, String> {
        // Only a worker writes the column.
        self.affiliate.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// Whether readers can see its copy, or could until it was purged.
    #[must_use]
    pub fn was_visible(&self) -> bool {
        self.loading_since.is_none_or(|since| self.purged_at == Some(since))
    }

    /// Until when the provider is paused; `None` if it is not. A pause that began in the future, or that is too long, was stored before
    /// the clock was set back, and is over.
    #[must_use]
    pub fn paused_until(&self, now: UtcInstant) -> Option<UtcInstant> {
        let is_valid = self.paused_at.is_none_or(|at| !at.is_from_future(now));
        self.pause_until.filter(|&until| is_valid && now < until && !until.is_from_future(now + MAX_PAUSE))
    }

    /// The age of its copy; `None` if it is unknown, or the provider was never copied.
    #[must_use]
    pub fn freshness(&self, now: UtcInstant) -> Option<Duration> {
        self.last_success_at?.age_at(now)
    }

    /// How long ago its copy should have been updated: since the first tick after the newest successful run. Unlike the age, it can be
    /// compared with one limit for all providers, however rarely they are polled. `None` as for [`freshness`](Self::freshness).
    #[must_use]
    pub fn overdue(&self, now: UtcInstant) -> Option<Duration> {
        self.freshness(now)?;
        let schedule: Option<Schedule> = self.schedule.parse().ok();
        let missed = schedule?.next_after(self.last_success_at?);
        Some(missed.map_or(Duration::ZERO, |tick| tick.until(now)))
    }
}

/// The state of a provider, the same in every program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderState {
    /// Its catalogue was never copied, and no run has failed.
    New,
    /// The newest run that has ended was successful.
    Ok,
    /// The newest run that has ended failed; the copy before it is served.
    Failing,
    /// It is no longer in the settings and no longer polled; its events are served.
    Retired,
}

impl ProviderState {
    /// The state's name in JSON, tables and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Ok => "ok",
            Self::Failing => "failing",
            Self::Retired => "retired",
        }
    }

    /// Computes the state from the provider's row and the state of its newest *ended* run. A run that is queued or running does not
    /// change the state: whether it will succeed is not known yet.
    #[must_use]
    pub fn compute(provider: &Model, newest_ended_run: Option<sync_run::RunState>) -> Self {
        if provider.retired_at.is_some() {
            Self::Retired
        } else if newest_ended_run == Some(sync_run::RunState::Failed) {
            Self::Failing
        } else if provider.last_success_at.is_none() {
            Self::New
        } else {
            Self::Ok
        }
    }
}

/// A provider, its state and its newest run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSummary {
    /// The provider.
    pub provider: Model,
    /// Its state.
    pub state: ProviderState,
    /// Its newest run, whether or not it has ended.
    pub newest_run: Option<sync_run::Model>,
}

/// Loads every provider with its state and newest run, sorted by slug.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn load_summaries(database: &impl ConnectionTrait) -> Result<Vec<ProviderSummary>, DbErr> {
    let mut providers = Entity::find().all(database).await?;
    // Not sorted by the database, whose collation may differ from byte order.
    providers.sort_by(|left, right| left.slug.cmp(&right.slug));
    let mut newest_runs = load_newest_runs(sync_run::Entity::find(), database).await?;
    let ended = sync_run::Entity::find().filter(sync_run::Column::EndedAt.is_not_null());
    let newest_ended_runs = load_newest_runs(ended, database).await?;
    let summaries = providers.into_iter().map(|provider| ProviderSummary {
        state: ProviderState::compute(&provider, newest_ended_runs.get(&provider.id).map(|run| run.state)),
        newest_run: newest_runs.remove(&provider.id),
        provider,
    });
    Ok(summaries.collect())
}

/// The newest of `runs` for each provider id.
async fn load_newest_runs(
    runs: Select<sync_run::Entity>,
    database: &impl ConnectionTrait,
) -> Result<HashMap<i32, sync_run::Model>, DbErr> {
    let newest = runs.select_only().expr(sync_run::Column::Id.max()).group_by(sync_run::Column::ProviderId).into_query();
    let runs = sync_run::Entity::find().filter(sync_run::Column::Id.in_subquery(newest)).all(database).await?;
    Ok(runs.into_iter().map(|run| (run.provider_id, run)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync_run::RunState;

    fn provider(last_success_at: Option<UtcInstant>, retired_at: Option<UtcInstant>) -> Model {
        Model {
            id: 1,
            slug: "fever".to_owned(),
            url: "https://provider.example/feed".to_owned(),
            format: "event-list-xml".to_owned(),
            schedule: "0 */10 * * * *".to_owned(),
            time_zone: "Europe/Madrid".to_owned(),
            currency: "EUR".to_owned(),
            currency_digits: 2,
            last_success_at,
            event_count: 0,
            reject_count: 0,
            etag: None,
            last_modified: None,
            body_hash: None,
            reading_hash: None,
            retired_at,
            last_tick_at: None,
            failures: 0,
            pause_until: None,
            pause_reason: None,
            paused_at: None,
            loading_since: None,
            last_release: None,
            last_release_at: None,
            reverted_body_hash: None,
            name: None,
            home_page: None,
            licence: None,
            attribution: None,
            identity_slug: None,
            id_from: None,
            unidentified_count: 0,
            affiliate: None,
            totals_release: None,
            totals_through: None,
            purged_at: None,
        }
    }

    #[test]
    fn a_pause_that_was_stored_before_the_clock_was_set_back_is_over() {
        let minute = |minutes: i64| UtcInstant(minutes * 60_000_000);
        let paused = |paused_at: Option<i64>, until: i64| {
            let row = Model { paused_at: paused_at.map(minute), pause_until: Some(minute(until)), ..provider(None, None) };
            row.paused_until(minute(100)).is_some()
        };
        assert!(paused(Some(100), 101) && paused(Some(90), 160) && paused(None, 160));
        assert!(!paused(Some(90), 100), "it has ended");
        assert!(!paused(Some(110), 120), "it began in the future");
        assert!(!paused(None, 161), "it is too long");
    }

    #[test]
    fn a_copy_is_overdue_from_the_first_tick_after_its_last_success_on() {
        let minute = |minutes: i64| UtcInstant(minutes * 60_000_000);
        // It is polled every ten minutes.
        let overdue =
            |last_success_at, now| provider(last_success_at, None).overdue(minute(now)).map(|overdue| overdue.as_secs());
        assert_eq!(overdue(Some(minute(5)), 9), Some(0));
        assert_eq!(overdue(Some(minute(5)), 12), Some(120));
        assert_eq!(overdue(None, 12), None, "it was never copied");
        assert_eq!(overdue(Some(minute(20)), 12), None, "the clock was set back");
    }

    #[test]
    fn retired_precedes_failing_precedes_new() {
        let at = Some(UtcInstant(1));
        for (last_success_at, retired_at, newest_ended_run, state) in [
            (None, None, None, ProviderState::New),
            (None, None, Some(RunState::Failed), ProviderState::Failing),
            (at, None, Some(RunState::Succeeded), ProviderState::Ok),
            (at, None, Some(RunState::Unchanged), ProviderState::Ok),
            // The ledger is purged; the copy stays.
            (at, None, None, ProviderState::Ok),
            (at, None, Some(RunState::Failed), ProviderState::Failing),
            (at, at, Some(RunState::Failed), ProviderState::Retired),
            (None, at, None, ProviderState::Retired),
        ] {
            assert_eq!(ProviderState::compute(&provider(last_success_at, retired_at), newest_ended_run), state);
        }
    }
}
