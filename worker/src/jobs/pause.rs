//! When a provider is not polled: because it requested a pause, or because it keeps failing.
//!
//! A pause skips ticks and delays retries. It always ends: the first tick after it polls the provider again, and
//! `marquee-worker sync` ignores it.

use std::time::Duration;

use entity::{database_now, provider};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};

/// Consecutive failures after which the circuit opens: fewer may be a restart.
const FAILURES_ALLOWED: i32 = 5;
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

/// Counts a failure of the provider or its document, and opens the circuit after too many.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn count_failure(database: &impl ConnectionTrait, provider_id: i32) -> Result<(), DbErr> {
    let counted = provider::Entity::update_many()
        .col_expr(provider::Column::Failures, Expr::col(provider::Column::Failures).add(1))
        .filter(provider::COLUMN.id.eq(provider_id))
        .exec_with_returning(database)
        .await?;
    let Some(provider) = counted.into_iter().next() else { return Ok(()) };
    let Some(delay) = circuit_delay(provider.failures, fastrand::f64()) else { return Ok(()) };
    pause(database, provider_id, delay, PauseReason::CircuitOpen).await?;
    tracing::warn!(
        provider.slug = provider.slug,
        provider.failures = provider.failures,
        pause_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        "provider paused after repeated failures"
    );
    Ok(())
}

/// How long the circuit stays open after consecutive failures; `random` is between 0 and 1. The pause is at least half of the longest,
/// so that there is one.
fn circuit_delay(failures: i32, random: f64) -> Option<Duration> {
    let more = u32::try_from(failures - FAILURES_ALLOWED).ok()?;
    let longest = 2_u32.checked_pow(more).and_then(|factor| CIRCUIT_BASE.checked_mul(factor));
    Some(longest.unwrap_or(CIRCUIT_CEILING).min(CIRCUIT_CEILING).mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0))
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
}
