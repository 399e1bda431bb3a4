//! The kind `tidy`: what is kept for a time is dropped when the time is over.

use std::time::Duration;

use entity::{
    UtcInstant, datum,
    job::{self, NewJob},
    pushed_feed,
};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter};

use super::runner::Ended;

/// For how long data of the probe are kept, and the keys of documents that were pushed: nobody repeats a push after so long.
pub const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3_600);
/// The name of the kind, of its key and of its lane: one is enough for the whole deployment.
pub(crate) const KIND: &str = "tidy";
/// When: once an hour, at an odd minute.
pub(crate) const SCHEDULE: &str = "0 17 * * * *";

/// Enqueues it, unless it waits already.
pub(crate) async fn enqueue(database: &DatabaseConnection) -> Result<(), DbErr> {
    let name = || KIND.to_owned();
    let job = NewJob {
        kind: name(),
        key: name(),
        lane: name(),
        payload: String::new(),
        run_at: None,
        max_attempts: 1,
        in_order: false,
    };
    job::queue::enqueue(database, job).await?;
    Ok(())
}

pub(super) async fn tidy(database: &DatabaseConnection) -> Ended {
    match drop_old(database).await {
        Ok(dropped) => {
            tracing::debug!(dropped, "what was kept for its time was dropped");
            Ended::Done
        }
        Err(error) => Ended::Failed { reason: error.to_string() },
    }
}

/// Drops what is older than [`KEPT_FOR`], and says how many rows that was.
///
/// # Errors
///
/// When the database is away.
pub async fn drop_old(database: &DatabaseConnection) -> Result<u64, DbErr> {
    let kept_micros = i64::try_from(KEPT_FOR.as_micros()).unwrap_or(i64::MAX);
    let oldest = UtcInstant(UtcInstant::now().0 - kept_micros);
    let data = datum::Entity::delete_many().filter(datum::Column::AcceptedAt.lt(oldest)).exec(database).await?;
    let pushed = pushed_feed::Entity::delete_many().filter(pushed_feed::Column::SettledAt.lt(oldest)).exec(database).await?;
    Ok(data.rows_affected + pushed.rows_affected)
}
