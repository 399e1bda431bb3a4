//! A dry run: a worker rehearses the document, and its client waits for that.

use std::time::Duration;

use entity::pushed_feed;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use tokio::time::{Instant, sleep};

use super::answer::Rehearsal;
use crate::{
    error::ApiError,
    response::{Encoded, Envelope},
};

/// How long a client waits: a large document on a busy worker takes so long.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often to look whether the worker is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the worker found. The document is removed, whatever came of it.
pub(super) async fn outcome(database: &DatabaseConnection, id: i64) -> Result<Encoded<Envelope<Rehearsal>>, ApiError> {
    let found = wait(database, id).await;
    // A worker that takes the job later finds nothing to do.
    pushed_feed::Entity::delete_by_id(id).exec(database).await?;
    let found = found?.ok_or(ApiError::WorkerUnavailable)?;
    let data: Rehearsal = serde_json::from_str(&found).map_err(ApiError::Encoding)?;
    Encoded::new(&Envelope::from(data))
}

async fn wait(database: &DatabaseConnection, id: i64) -> Result<Option<String>, ApiError> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let settled = pushed_feed::Entity::find_by_id(id).filter(pushed_feed::Column::SettledAt.is_not_null());
        if let Some(settled) = settled.one(database).await? {
            return Ok(settled.outcome);
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(None)
}
