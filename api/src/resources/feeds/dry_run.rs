//! A dry run: a worker computes the report, and the client waits for it.

use std::time::Duration;

use entity::pushed_feed::{self, Mode};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokio::time::{Instant, sleep};

use super::{accept, body::FeedUpload, request::FeedRequest, response::DryRunReport};
use crate::{
    database::writer::Writer,
    error::ApiError,
    response::{Encoded, Envelope},
    state::State,
};

/// How long a client waits: enough for a large document on a busy worker.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How often the database is polled for the report.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Queues a dry run of a document, and returns its id. Its result is stored until the worker cleans up.
pub(crate) async fn start(state: &State, slug: &str, document: Vec<u8>, mode: Mode) -> Result<i64, ApiError> {
    let feed = FeedUpload::new("", document, mode).await?;
    let options = FeedRequest { mode, is_dry_run: true, key: None };
    let accepted = state.writer.write(1, accept::accept_feed(&state.writer.database, slug, feed, &options)).await?;
    tracing::info!(provider.slug = slug, "feed accepted for a dry run");
    Ok(accepted.id)
}

/// Waits for the report of a worker. The document is deleted in any case.
pub(super) async fn wait_for_report(writer: &Writer, id: i64) -> Result<Encoded<Envelope<DryRunReport>>, ApiError> {
    let report = poll(writer, id).await;
    // A worker that claims the job later does nothing.
    writer.write(1, pushed_feed::Entity::delete_by_id(id).exec(&writer.database)).await?;
    let report = report?.ok_or(ApiError::WorkerUnavailable)?;
    let report: DryRunReport = serde_json::from_str(&report).map_err(ApiError::Encoding)?;
    Encoded::new(&Envelope::from(report))
}

async fn poll(writer: &Writer, id: i64) -> Result<Option<String>, ApiError> {
    let deadline = Instant::now() + TIMEOUT;
    while Instant::now() < deadline {
        let completed = pushed_feed::Entity::find_by_id(id).filter(pushed_feed::Column::SettledAt.is_not_null());
        if let Some(completed) = writer.write(1, completed.one(&writer.database)).await? {
            return Ok(completed.outcome);
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(None)
}
