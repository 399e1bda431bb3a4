//! Commands that write the copy of a provider wait until no sync of it runs.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use entity::{
    deadline,
    job::{self, Claim, SyncJob},
};
use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::jobs::lease::worker_name;

/// How long to wait for another sync of the provider: the caller waits at a terminal.
const LANE_TIMEOUT: Duration = Duration::from_secs(60);
/// How often to check whether it has ended.
const LANE_PAUSE: Duration = Duration::from_millis(250);

/// Another sync of the provider does not end.
#[derive(Debug, thiserror::Error)]
#[error("another sync of {slug} has been running for {} s; try again when it has ended", LANE_TIMEOUT.as_secs())]
struct LaneBusy {
    slug: String,
}

/// Waits until no other sync of the provider runs, and prevents others for the time of the lease; `None` if the process receives a shutdown
/// signal first.
pub(super) async fn wait_for_lane(
    database: &DatabaseConnection,
    slug: &str,
    lease: Duration,
    shutdown: &CancellationToken,
) -> Result<Option<Claim>, Box<dyn Error>> {
    let started = Instant::now();
    let mut is_logged = false;
    loop {
        if let Some(claim) = start(database, slug, lease).await? {
            return Ok(Some(claim));
        }
        if started.elapsed() > LANE_TIMEOUT {
            return Err(LaneBusy { slug: slug.to_owned() }.into());
        }
        if !is_logged {
            tracing::info!(provider.slug = slug, "waiting for another sync of the provider to end");
            is_logged = true;
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(LANE_PAUSE)).await.is_none() {
            return Ok(None);
        }
    }
}

async fn start(database: &DatabaseConnection, slug: &str, lease: Duration) -> Result<Option<Claim>, DbErr> {
    let worker = worker_name();
    let trigger = format!("command/{worker}/{}", Uuid::new_v4());
    // Without retries by another worker: only this process knows the options of the command.
    let job = SyncJob::new(slug, trigger);
    deadline::within(deadline::SHORT, database, job::queue::start(database, &job, &worker, lease)).await
}
