//! The long-running part of `marquee-worker run`: schedules that enqueue jobs, and the runner that executes them.

use std::{sync::Arc, time::Duration};

use sea_orm::DatabaseConnection;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    jobs::{self, JobContext, runner::Runner},
    provider::{entry::ProviderEntry, fetch::FeedClient},
    schedule::{self, ScheduleError},
    sync::FeedSource,
};

/// Enqueues every provider's ticks and runs due jobs, including those enqueued by the API, until `shutdown` is cancelled; then waits
/// for the running jobs. Returns whether all of them ended within the drain time.
///
/// # Errors
///
/// When the database is unavailable at the start.
pub async fn run(
    database: &DatabaseConnection,
    providers: Vec<ProviderEntry>,
    client: &FeedClient,
    lease: Duration,
    shutdown: CancellationToken,
) -> Result<bool, ScheduleError> {
    let wake = Arc::new(Notify::new());
    let stop = shutdown.child_token();
    let context = JobContext::new(database.clone(), providers.clone(), FeedSource::Provider(client.clone()));
    let runner = Runner::new(database.clone(), jobs::registry(), context, lease, wake.clone());
    // Before the schedules: starting hundreds of them takes a while, and queued jobs need not wait for that.
    let running = {
        let stop = stop.clone();
        tokio::spawn(async move { runner.run(&stop).await })
    };
    let schedules = schedule::start(database, &providers, &wake, &shutdown).await;
    if schedules.is_err() {
        stop.cancel();
    }
    let drained = running.await.unwrap_or(false);
    drop(schedules?);
    Ok(drained)
}
