//! `marquee-worker sync SLUG [--from FILE]`.

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Args;
use entity::{DatabaseSettings, deadline, job};
use tracing::Instrument;

use super::{
    INTERRUPTED, ProvidersSettings, connect, lane,
    output::{count, describe_warnings, print_lines},
    progress_bar::ProgressBar,
};
use crate::{
    jobs::{
        lease::{LeaseSettings, renew_until_lost},
        span::job_span,
    },
    provider::{
        entry::{self, read_providers},
        fetch,
    },
    sync::{self, FeedSource, SyncError, SyncReport, revert},
};

#[derive(Args, Debug)]
pub(super) struct SyncCommand {
    /// Slug of the provider in the providers file
    slug: String,
    /// Read the feed from this file instead of the provider's URL; `-` is standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Request the whole document and compare all of it, even if it is unchanged
    #[arg(long)]
    full: bool,
    /// Accept the feed even if it has far fewer events than the previous one
    #[arg(long)]
    accept_shrink: bool,
    /// Accept the feed even if most of its events have new ids
    #[arg(long)]
    accept_churn: bool,
    /// Accept the document even if its changes were reverted
    #[arg(long)]
    accept_reverted: bool,
    /// Accept the feed even if many prices have changed by a large factor
    #[arg(long)]
    accept_prices: bool,
    #[command(flatten)]
    providers: ProvidersSettings,
    #[command(flatten)]
    lease: LeaseSettings,
}

impl SyncCommand {
    pub(super) async fn execute(self, database: &DatabaseSettings) -> Result<ExitCode, Box<dyn Error>> {
        let shutdown = telemetry::shutdown_signal()?;
        let providers = read_providers(&self.providers.providers_file)?;
        let mut entry = entry::find(&providers, &self.slug)?.clone();
        if self.accept_shrink {
            entry.max_shrink_share = 1.0;
        }
        if self.accept_churn {
            entry.max_churn_share = 1.0;
        }
        if self.accept_prices {
            entry.max_price_jump_share = 1.0;
        }
        let source = match &self.from {
            Some(path) => FeedSource::File(path.clone()),
            None => FeedSource::Provider(fetch::build_client()?),
        };
        let database = connect(database).await?;
        if self.accept_reverted {
            deadline::within(deadline::SHORT, &database, revert::accept_document(&database, &self.slug)).await?;
        }
        let Some(claim) = lane::wait_for_lane(&database, &self.slug, self.lease.lease, &shutdown).await? else {
            return Ok(ExitCode::from(INTERRUPTED));
        };
        let bar = ProgressBar::on_terminal();
        let span = job_span(&claim);
        span.record("provider.slug", entry.slug.as_str());
        let syncing = sync::sync_with_progress(&database, &entry, &source, &claim, (bar.progress(), self.full)).instrument(span);
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
}

fn describe(slug: &str, SyncReport { run_id, state, counts, .. }: &SyncReport) -> String {
    format!(
        "{slug}: {} (run {run_id}): {} fetched, {} inserted, {} updated, {} unchanged, {} left, {} rejected{}",
        state.name(),
        count(counts.fetched, "event"),
        counts.inserted,
        counts.updated,
        counts.unchanged,
        counts.left,
        count(counts.rejected, "item"),
        describe_warnings(counts.warned),
    )
}
