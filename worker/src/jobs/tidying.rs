//! The kind `tidy`: what is kept for a time is dropped when the time is over.

use entity::job::{self, NewJob};
use sea_orm::{DatabaseConnection, DbErr};

use super::{acquiring, runner::Ended};

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
    match acquiring::drop_old(database).await {
        Ok(dropped) => {
            tracing::debug!(dropped, "old data were dropped");
            Ended::Done
        }
        Err(error) => Ended::Failed { reason: error.to_string() },
    }
}
