//! When a provider is not polled: because it requested a pause, or because it keeps failing.
//!
//! A pause skips ticks and delays retries. It always ends: the first tick after it polls the provider again, and
//! `marquee-worker sync` ignores it.

use std::time::Duration;

use entity::{database_now, provider};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};

/// Consecutive failures after which the circuit opens: fewer may be a restart.
const FAILURES_ALLOWED: i32 = 5;
/// The longest pause after the first response of an overloaded provider that does not send `Retry-After`; it doubles with each further
/// failure, up to [`provider::MAX_PAUSE`].
const BACKOFF_BASE: Duration = Duration::from_secs(10);
/// The longest pause when the circuit opens; it doubles with each further failure.
const CIRCUIT_BASE: Duration = Duration::from_secs(30);
/// The longest pause of the circuit: a provider that has recovered must soon be polled again.
const CIRCUIT_CEILING: Duration = Duration::from_secs(15 * 60);

/// Why a provider is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl PauseReason {
    /// The name in tables and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RetryAfter => "retry_after",
            Self::CacheControl => "cache_control",
            Self::Backoff => "backoff",
            Self::CircuitOpen => "circuit_open",
        }
    }
}

/// Pauses a provider for a time from now, for an hour at most. It never shortens a pause.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn pause(database: &impl ConnectionTrait, provider_id: i32, time: Duration, reason: PauseReason) -> Result<(), DbErr> {
    let Some(provider) = provider::Entity::find_by_id(provider_id).one(database).await? else { return Ok(()) };
    let now = database_now(database).await?;
    let until = now + time.min(provider::MAX_PAUSE);
    if provider.paused_until(now).is_some_and(|paused_until| until <= paused_until) {
        return Ok(());
    }
    provider::Entity::update_many()
        .col_expr(provider::Column::PauseUntil, until.into())
        .col_expr(provider::Column::PauseReason, reason.name().into())
        .col_expr(provider::Column::PausedAt, now.into())
        .filter(provider::COLUMN.id.eq(provider_id))
        .exec(database)
        .await?;
    Ok(())
}

/// Counts a failure of the provider or its document. Pauses the provider if it is overloaded, and after too many failures.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn count_failure(database: &impl ConnectionTrait, provider_id: i32, is_overloaded: bool) -> Result<(), DbErr> {
    let counted = provider::Entity::update_many()
        .col_expr(provider::Column::Failures, Expr::col(provider::Column::Failures).add(1))
        .filter(provider::COLUMN.id.eq(provider_id))
        .exec_with_returning(database)
        .await?;
    let Some(provider) = counted.into_iter().next() else { return Ok(()) };
    let (reason, delay) = if is_overloaded {
        (PauseReason::Backoff, backoff_delay(provider.failures, fastrand::f64()))
    } else {
        (PauseReason::CircuitOpen, circuit_delay(provider.failures, fastrand::f64()))
    };
    let Some(delay) = delay else { return Ok(()) };
    pause(database, provider_id, delay, reason).await?;
    tracing::warn!(
        provider.slug = provider.slug,
        provider.failures = provider.failures,
        pause_reason = reason.name(),
        pause_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        "provider paused after failures"
    );
    Ok(())
}

/// How long to wait for an overloaded provider after consecutive failures.
fn backoff_delay(failures: i32, random: f64) -> Option<Duration> {
    double_delay(BACKOFF_BASE, provider::MAX_PAUSE, failures - 1, random)
}

/// How long the circuit stays open after consecutive failures.
fn circuit_delay(failures: i32, random: f64) -> Option<Duration> {
    double_delay(CIRCUIT_BASE, CIRCUIT_CEILING, failures - FAILURES_ALLOWED, random)
}

/// A pause that doubles with each of `times`, if it is not negative; `random` is between 0 and 1. It is at least half of the longest, so
/// that there is one, and that it grows each time.
fn double_delay(base: Duration, ceiling: Duration, times: i32, random: f64) -> Option<Duration> {
    let longest = 2_u32.checked_pow(u32::try_from(times).ok()?).and_then(|factor| base.checked_mul(factor));
    Some(longest.unwrap_or(ceiling).min(ceiling).mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_circuit_opens_after_five_failures_for_a_bounded_time() {
        let seconds = |failures, random| circuit_delay(failures, random).map(|delay| delay.as_secs());
        assert_eq!([0, 1, 4].map(|failures| seconds(failures, 1.0)), [None; 3]);
        assert_eq!([5, 6, 9, 10, 99, i32::MAX].map(|failures| seconds(failures, 1.0)), [30, 60, 480, 900, 900, 900].map(Some));
        assert_eq!([5, 6, 9, 10, 99].map(|failures| seconds(failures, 0.0)), [15, 30, 240, 450, 450].map(Some));
    }

    #[test]
    fn the_wait_for_an_overloaded_provider_grows_from_the_first_failure_up_to_an_hour() {
        let seconds = |failures, random| backoff_delay(failures, random).map(|delay| delay.as_secs());
        assert_eq!(
            [1, 2, 3, 9, 10, 99, i32::MAX].map(|failures| seconds(failures, 1.0)),
            [10, 20, 40, 2560, 3600, 3600, 3600].map(Some)
        );
        assert_eq!([1, 2, 3, 99].map(|failures| seconds(failures, 0.0)), [5, 10, 20, 1800].map(Some));
    }
}
