//! `marquee-worker sync SLUG [--from FILE]`.

use std::{
    error::Error,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use entity::{
    DatabaseSettings, deadline,
    job::{self, Claim, SyncJob},
};
use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    INTERRUPTED, ProvidersSettings, connect,
    output::{count, print_lines},
    progress_bar::ProgressBar,
};
use crate::{
    jobs::{
        lease::{LeaseSettings, renew_until_lost, worker_name},
        span::job_span,
    },
    provider::{
        entry::{self, read_providers},
        fetch,
    },
    sync::{self, FeedSource, SyncError, SyncReport},
};

/// How long to wait for another sync of the provider: the caller waits at a terminal.
const LANE_TIMEOUT: Duration = Duration::from_secs(60);
/// How often to check whether it has ended.
const LANE_PAUSE: Duration = Duration::from_millis(250);

#[derive(Args, Debug)]
pub(super) struct SyncCommand {
    /// Slug of the provider in the providers file
    slug: String,
    /// Read the feed from this file instead of the provider's URL; `-` is standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Accept the feed even if it has far fewer events than the previous one
    #[arg(long)]
    accept_shrink: bool,
    #[command(flatten)]
    providers: ProvidersSettings,
    #[command(flatten)]
    lease: LeaseSettings,
}

/// Another sync of the provider does not end.
#[derive(Debug, thiserror::Error)]
#[error("another sync of {slug} has been running for {} s; try again when it has ended", LANE_TIMEOUT.as_secs())]
struct LaneBusy {
    slug: String,
}

impl SyncCommand {
    pub(super) async fn execute(self, database: &DatabaseSettings) -> Result<ExitCode, Box<dyn Error>> {
        let shutdown = telemetry::shutdown_signal()?;
        let providers = read_providers(&self.providers.providers_file)?;
        let mut entry = entry::find(&providers, &self.slug)?.clone();
        if self.accept_shrink {
            entry.max_shrink_share = 1.0;
        }
        let source = match &self.from {
            Some(path) => FeedSource::File(path.clone()),
            None => FeedSource::Provider(fetch::build_client()?),
        };
        let database = connect(database).await?;
        let Some(claim) = self.wait_for_lane(&database, &shutdown).await? else {
            return Ok(ExitCode::from(INTERRUPTED));
        };
        let bar = ProgressBar::on_terminal();
        let span = job_span(&claim);
        span.record("provider.slug", entry.slug.as_str());
        let syncing = sync::sync_with_progress(&database, &entry, &source, &claim, bar.progress()).instrument(span);
        let report = tokio::select! {
            report = syncing => Some(report),
            () = renew_until_lost(&database, &claim, self.lease.lease) => Some(Err(SyncError::LeaseLost)),
            () = shutdown.cancelled() => None,
        };
        drop(bar);
        if !matches!(report, Some(Ok(_))) {
            // Frees the lane. If the job was lost, nothing is left to do.
            let _was_held = deadline::within(deadline::SHORT, &database, job::queue::finish(&database, &claim)).await?;
        }
        database.close().await?;
        match report {
            Some(report) => print_lines([describe(&self.slug, &report?)]),
            None => return Ok(ExitCode::from(INTERRUPTED)),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Waits until no other sync of the provider runs; `None` if the process receives a shutdown signal first.
    async fn wait_for_lane(
        &self,
        database: &DatabaseConnection,
        shutdown: &CancellationToken,
    ) -> Result<Option<Claim>, Box<dyn Error>> {
        let started = Instant::now();
        let mut is_logged = false;
        loop {
            if let Some(claim) = self.start(database).await? {
                return Ok(Some(claim));
            }
            if started.elapsed() > LANE_TIMEOUT {
                return Err(LaneBusy { slug: self.slug.clone() }.into());
            }
            if !is_logged {
                tracing::info!(provider.slug = self.slug, "waiting for another sync of the provider to end");
                is_logged = true;
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(LANE_PAUSE)).await.is_none() {
                return Ok(None);
            }
        }
    }

    async fn start(&self, database: &DatabaseConnection) -> Result<Option<Claim>, DbErr> {
        let worker = worker_name();
        let trigger = format!("command/{worker}/{}", Uuid::new_v4());
        // Without retries by another worker: only this process knows the file and the options.
        let job = SyncJob::new(&self.slug, trigger);
        deadline::within(deadline::SHORT, database, job::queue::start(database, &job, &worker, self.lease.lease)).await
    }
}

fn describe(slug: &str, SyncReport { run_id, state, counts, .. }: &SyncReport) -> String {
    format!(
        "{slug}: {} (run {run_id}): {} fetched, {} inserted, {} updated, {} unchanged, {} left, {} rejected",
        state.name(),
        count(counts.fetched, "event"),
        counts.inserted,
        counts.updated,
        counts.unchanged,
        counts.left,
        count(counts.rejected, "item"),
    )
}
