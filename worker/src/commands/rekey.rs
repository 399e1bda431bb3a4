//! `marquee-worker rekey SLUG [--from FILE] [--dry-run]`.

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Args;
use entity::{DatabaseSettings, deadline, job::queue};

use super::{
    INTERRUPTED, ProvidersSettings, connect, lane,
    output::{count, print_lines},
    progress_bar::ProgressBar,
};
use crate::{
    jobs::lease::{LeaseSettings, renew_until_lost},
    provider::{
        entry::{self, read_providers},
        fetch,
    },
    sync::{
        FeedSource, SyncError,
        rekey::{self, RekeyReport},
    },
};

/// Ambiguous events that are listed: enough to see why.
const MAX_LISTED: usize = 20;

#[derive(Args, Debug)]
pub(super) struct RekeyCommand {
    /// Slug of the provider in the providers file
    slug: String,
    /// Read the feed from this file instead of the provider's URL; `-` is standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Only print what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    providers: ProvidersSettings,
    #[command(flatten)]
    lease: LeaseSettings,
}

impl RekeyCommand {
    pub(super) async fn execute(self, database: &DatabaseSettings) -> Result<ExitCode, Box<dyn Error>> {
        let shutdown = telemetry::shutdown_signal()?;
        let providers = read_providers(&self.providers.providers_file)?;
        let entry = entry::find(&providers, &self.slug)?;
        let source = match &self.from {
            Some(path) => FeedSource::File(path.clone()),
            None => FeedSource::Provider(fetch::build_client()?),
        };
        let database = connect(database).await?;
        let Some(claim) = lane::wait_for_lane(&database, &self.slug, self.lease.lease, &shutdown).await? else {
            return Ok(ExitCode::from(INTERRUPTED));
        };
        let bar = ProgressBar::on_terminal();
        let lease = (!self.dry_run).then_some(&claim);
        let report = tokio::select! {
            report = rekey::rekey(&database, entry, &source, lease, bar.progress()) => Some(report),
            () = renew_until_lost(&database, &claim, self.lease.lease) => Some(Err(SyncError::LeaseLost.into())),
            () = shutdown.cancelled() => None,
        };
        drop(bar);
        if self.dry_run || !matches!(report, Some(Ok(Some(_)))) {
            // Frees the lane. If the job was lost, nothing is left to do.
            let _was_held = deadline::within(deadline::SHORT, &database, queue::finish(&database, &claim)).await?;
        }
        database.close().await?;
        match report {
            Some(report) => match report? {
                Some(report) => print_lines(describe(&self.slug, &report, if self.dry_run { "would be" } else { "are" })),
                None => print_lines([format!("{}: the ids are read from `id_from` already; nothing to do", self.slug)]),
            },
            None => return Ok(ExitCode::from(INTERRUPTED)),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn describe(slug: &str, report: &RekeyReport, verb: &str) -> Vec<String> {
    let RekeyReport { copied_from, configured, events, base_events, performers, venues, ambiguous, unmatched } = report;
    let mut lines = vec![format!(
        "{slug}: ids {verb} read from {configured} instead of {copied_from}: {} matched, {} ambiguous, {unmatched} unmatched; {}, {} and {} matched",
        count(*events, "event"),
        ambiguous.len(),
        count(*base_events, "base event"),
        count(*performers, "performer"),
        count(*venues, "venue"),
    )];
    lines.extend(ambiguous.iter().take(MAX_LISTED).map(|event| format!("ambiguous: {event}")));
    if ambiguous.len() > MAX_LISTED {
        lines.push(format!("and {} more", ambiguous.len() - MAX_LISTED));
    }
    lines
}
