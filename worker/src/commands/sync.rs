//! `marquee-worker sync SLUG [--from FILE]`.

use std::{
    error::Error,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use entity::{
    DatabaseSettings, UtcInstant,
    job::{self, Claim, SyncJob},
};
use sea_orm::{DatabaseConnection, DbErr};
use tokio_util::sync::CancellationToken;

use super::{INTERRUPTED, ProvidersSettings, connect, progress_bar::ProgressBar};
use crate::{
    jobs::lease::{LeaseSettings, renew_until_lost, worker_name},
    provider::{
        entry::{self, read_providers},
        fetch,
    },
    sync::{self, FeedSource, Report, SyncError},
};

/// How long to wait for another sync of the provider: whoever calls a command sits before it.
const LANE_PATIENCE: Duration = Duration::from_secs(60);
/// How often to look whether it has ended.
const LANE_PAUSE: Duration = Duration::from_millis(250);

#[derive(Args, Debug)]
pub(super) struct Sync {
    /// The provider's slug in the file of providers
    slug: String,
    /// Take the feed from this file instead of the provider's URL; `-` is standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Take the feed even if it holds far fewer events than the copy
    #[arg(long)]
    accept_shrink: bool,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    providers: ProvidersSettings,
    #[command(flatten)]
    lease: LeaseSettings,
}

/// Another sync of the provider does not end.
#[derive(Debug, thiserror::Error)]
#[error("another sync of {slug} has been running for {} s; try again when it has ended", LANE_PATIENCE.as_secs())]
struct LaneTaken {
    slug: String,
}

impl Sync {
    pub(super) async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
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
        let database = connect(&self.database).await?;
        let Some(claim) = self.take_lane(&database, &shutdown).await? else {
            return Ok(ExitCode::from(INTERRUPTED));
        };
        let bar = ProgressBar::on_terminal();
        let report = tokio::select! {
            report = sync::sync_with(&database, &entry, &source, &claim, bar.progress()) => Some(report),
            () = renew_until_lost(&database, &claim, self.lease.lease) => Some(Err(SyncError::LeaseLost)),
            () = shutdown.cancelled() => None,
        };
        drop(bar);
        if !matches!(report, Some(Ok(_))) {
            // The lane is free for the next one; whether it was lost meanwhile is all the same now.
            let _was_held = job::queue::finish(&database, &claim).await?;
        }
        database.close().await?;
        match report {
            Some(report) => print(&self.slug, &report?),
            None => return Ok(ExitCode::from(INTERRUPTED)),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Waits until no other sync of the provider runs; `None` if the process is told to stop meanwhile.
    async fn take_lane(
        &self,
        database: &DatabaseConnection,
        shutdown: &CancellationToken,
    ) -> Result<Option<Claim>, Box<dyn Error>> {
        let started = Instant::now();
        let mut is_told = false;
        loop {
            if let Some(claim) = self.start(database).await? {
                return Ok(Some(claim));
            }
            if started.elapsed() > LANE_PATIENCE {
                return Err(LaneTaken { slug: self.slug.clone() }.into());
            }
            if !is_told {
                tracing::info!(provider = self.slug, "another sync of the provider is running; waiting for its end");
                is_told = true;
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(LANE_PAUSE)).await.is_none() {
                return Ok(None);
            }
        }
    }

    async fn start(&self, database: &DatabaseConnection) -> Result<Option<Claim>, DbErr> {
        let worker = worker_name();
        let trigger = format!("command/{worker}/{}", UtcInstant::now().0);
        // Without retries by another worker: only this process knows the file and the options.
        job::queue::start(database, &SyncJob::new(&self.slug, trigger), &worker, self.lease.lease).await
    }
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn print(slug: &str, Report { run_id, state, counts, .. }: &Report) {
    println!(
        "{slug}: {} (run {run_id}): {} events fetched, {} inserted, {} updated, {} unchanged, {} left, {} items rejected",
        state.name(),
        counts.fetched,
        counts.inserted,
        counts.updated,
        counts.unchanged,
        counts.left,
        counts.rejected,
    );
}
