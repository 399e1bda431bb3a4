//! What is done in the background: which kinds of jobs there are, who does them, and when they are enqueued.
//!
//! [`tick`] enqueues, [`runner`] claims and keeps the leases, [`syncing`], `pushing`, `acquiring` and [`tidying`] do the work, [`pause`] says when a provider is to be
//! left alone. The queue itself is `entity::job`. This room copies nothing (`sync` does).

mod acquiring;
pub mod lease;
pub mod pause;
mod pushing;
pub mod runner;
pub mod syncing;
pub mod tick;
pub mod tidying;
mod work;

use std::{sync::Arc, time::Duration};

use sea_orm::DatabaseConnection;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::{runner::Runner, syncing::Syncing, work::AllWork};
use crate::{
    provider::{entry::ProviderEntry, fetch::FeedClient},
    schedule::{self, ScheduleError},
    sync::Source,
};

/// Enqueues every provider's ticks and does the jobs that are due, whoever enqueued them, until `shutdown` is cancelled; then
/// ends what has begun. Answers whether all of it ended within the drain time.
///
/// # Errors
///
/// When the scheduler does not start or the database is away at the start.
pub async fn run(
    database: &DatabaseConnection,
    providers: Vec<ProviderEntry>,
    client: &FeedClient,
    lease: Duration,
    shutdown: CancellationToken,
) -> Result<bool, ScheduleError> {
    let wake = Arc::new(Notify::new());
    let stop = shutdown.child_token();
    let syncing = Syncing::new(database.clone(), providers.clone(), Source::Provider(client.clone()));
    let work = AllWork { database: database.clone(), syncing };
    let runner = Runner::new(database.clone(), work, lease, wake.clone());
    // Before the ticks: hundreds of providers take a while to be scheduled, and what waits is done meanwhile.
    let running = {
        let stop = stop.clone();
        tokio::spawn(async move { runner.run(&stop).await })
    };
    let ticking = schedule::start(database, &providers, &wake, &shutdown).await;
    if ticking.is_err() {
        stop.cancel();
    }
    let drained = running.await.unwrap_or(false);
    let ticking = ticking?;
    ticking.end().await;
    Ok(drained)
}
