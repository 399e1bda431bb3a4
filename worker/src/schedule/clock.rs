//! Whether the database's clock is set.

use std::time::Duration;

use entity::{
    UtcInstant,
    clock::{is_from_future, now},
    database_now, deadline, provider,
};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use tokio::time::{Instant, timeout};

/// How long one read of the clock may take.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the database's clock and compares it with monotonic time.
pub(super) struct ClockWatch {
    database: DatabaseConnection,
    /// The last time, and when it was read.
    last: Option<(UtcInstant, Instant)>,
}

impl ClockWatch {
    pub(super) fn new(database: DatabaseConnection) -> Self {
        Self { database, last: None }
    }

    pub(super) fn database(&self) -> &DatabaseConnection {
        &self.database
    }

    /// Reads the clock; `None` while the database is unavailable, which is logged where jobs are claimed. If the clock was set, it is logged.
    pub(super) async fn read(&mut self) -> Option<UtcInstant> {
        let now = timeout(READ_TIMEOUT, database_now(&self.database)).await.ok()?.ok()?;
        let read_at = Instant::now();
        if let Some((last, last_read_at)) = self.last.replace((now, read_at)) {
            let expected = last + read_at.duration_since(last_read_at);
            if now.is_from_future(expected) || expected.is_from_future(now) {
                self.report_step(now.0.saturating_sub(expected.0)).await;
            }
        }
        Some(now)
    }

    async fn report_step(&self, step_micros: i64) {
        tracing::warn!(clock.step_ms = step_micros / 1_000, "the database's clock was set");
        if step_micros < 0 {
            let moving = move_future_successes(&self.database, step_micros);
            if let Err(error) = deadline::within(deadline::BULK, &self.database, moving).await {
                tracing::warn!(error = telemetry::with_causes(&error), "the ages of providers are unknown until their next sync");
            }
        }
    }
}

/// Moves successes in the future with the clock, so that their ages remain correct. If several workers do so, the first one moves them.
async fn move_future_successes(database: &DatabaseConnection, step_micros: i64) -> Result<(), DbErr> {
    let last_success_at = || Expr::col(provider::Column::LastSuccessAt);
    provider::Entity::update_many()
        .col_expr(provider::Column::LastSuccessAt, last_success_at().add(step_micros))
        .filter(is_from_future(last_success_at(), &now(database)))
        .exec(database)
        .await?;
    Ok(())
}
