//! When a provider is to be left alone: it asked for it, or it fails again and again.
//!
//! A pause lets ticks pass and holds up retries. It never lasts: the first tick after it tries again, and `marquee-worker sync`
//! does not care.

use std::time::Duration;

use entity::{UtcInstant, provider};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};

/// The longest pause, whatever a provider asks for: a header with a mistake in it must not end the copy's freshness for days.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Failed runs in a row after which the circuit opens: fewer are a restart, or bad luck.
const FAILURES_ALLOWED: i32 = 5;
/// The pause after so many is up to this, and twice as long with each failure more.
const CIRCUIT_BASE: Duration = Duration::from_secs(30);
/// No circuit stays open for longer: whoever mends a provider wants to see it copied.
const CIRCUIT_CEILING: Duration = Duration::from_secs(15 * 60);

/// Why a provider is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It said when to come back.
    RetryAfter,
    /// It said for how long its document is fresh.
    CacheControl,
    /// Its runs failed again and again.
    CircuitOpen,
}

impl Reason {
    /// The reason's name in tables and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RetryAfter => "retry_after",
            Self::CacheControl => "cache_control",
            Self::CircuitOpen => "circuit_open",
        }
    }
}

/// Leaves a provider alone until then, an hour at most. A longer pause that is on stays.
///
/// # Errors
///
/// When the database is away.
pub async fn pause(database: &impl ConnectionTrait, provider_id: i32, until: UtcInstant, reason: Reason) -> Result<(), DbErr> {
    let until = Ord::min(until, after(UtcInstant::now(), LONGEST));
    let is_longer = Condition::any().add(provider::Column::PauseUntil.is_null()).add(provider::Column::PauseUntil.lt(until));
    provider::Entity::update_many()
        .col_expr(provider::Column::PauseUntil, until.into())
        .col_expr(provider::Column::PauseReason, reason.name().into())
        .filter(provider::COLUMN.id.eq(provider_id))
        .filter(is_longer)
        .exec(database)
        .await?;
    Ok(())
}

/// The same for so long from now on.
///
/// # Errors
///
/// When the database is away.
pub async fn pause_for(database: &impl ConnectionTrait, provider_id: i32, time: Duration, reason: Reason) -> Result<(), DbErr> {
    pause(database, provider_id, after(UtcInstant::now(), time), reason).await
}

/// Counts a run that failed through the provider or its document, and opens the circuit if it is one of too many.
///
/// # Errors
///
/// When the database is away.
pub async fn count_failure(database: &impl ConnectionTrait, provider_id: i32) -> Result<(), DbErr> {
    let counted = provider::Entity::update_many()
        .col_expr(provider::Column::Failures, Expr::col(provider::Column::Failures).add(1))
        .filter(provider::COLUMN.id.eq(provider_id))
        .exec_with_returning(database)
        .await?;
    let Some(provider) = counted.into_iter().next() else { return Ok(()) };
    let Some(open_for) = circuit(provider.failures, fastrand::f64()) else { return Ok(()) };
    pause(database, provider_id, after(UtcInstant::now(), open_for), Reason::CircuitOpen).await?;
    tracing::warn!(
        provider = provider.slug,
        provider.failures = provider.failures,
        pause_ms = u64::try_from(open_for.as_millis()).unwrap_or(u64::MAX),
        "the provider failed again and again; it is left alone for a while"
    );
    Ok(())
}

/// How long the circuit is open after so many failures in a row; `share` is a random number from 0 to 1. At least half of the longest
/// time, so that it is a pause at all.
fn circuit(failures: i32, share: f64) -> Option<Duration> {
    let more = u32::try_from(failures - FAILURES_ALLOWED).ok()?;
    let longest = 2_u32.checked_pow(more).and_then(|factor| CIRCUIT_BASE.checked_mul(factor));
    Some(longest.unwrap_or(CIRCUIT_CEILING).min(CIRCUIT_CEILING).mul_f64(0.5 + share.clamp(0.0, 1.0) / 2.0))
}

/// Whether a tick is to be let pass.
#[must_use]
pub fn is_on(provider: &provider::Model, now: UtcInstant) -> bool {
    provider.pause_until.is_some_and(|until| now < until)
}

/// For how long the provider is still to be left alone.
#[must_use]
pub fn left(provider: &provider::Model, now: UtcInstant) -> Duration {
    let left = provider.pause_until.map_or(0, |until| until.0.saturating_sub(now.0));
    Duration::from_micros(u64::try_from(left).unwrap_or(0))
}

fn after(now: UtcInstant, time: Duration) -> UtcInstant {
    UtcInstant(now.0.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_circuit_opens_after_five_failures_and_never_for_long() {
        let seconds = |failures, share| circuit(failures, share).map(|open_for| open_for.as_secs());
        assert_eq!([0, 1, 4].map(|failures| seconds(failures, 1.0)), [None; 3]);
        assert_eq!([5, 6, 9, 10, 99, i32::MAX].map(|failures| seconds(failures, 1.0)), [30, 60, 480, 900, 900, 900].map(Some));
        assert_eq!([5, 6, 9, 10, 99].map(|failures| seconds(failures, 0.0)), [15, 30, 240, 450, 450].map(Some));
    }
}
