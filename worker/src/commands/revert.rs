//! `marquee-worker revert RUN [--dry-run]`.

use std::{error::Error, process::ExitCode};

use clap::Args;
use entity::{DatabaseSettings, deadline, job::queue};

use super::{
    INTERRUPTED, connect, lane,
    output::{count, print_lines},
};
use crate::{
    jobs::lease::{LeaseSettings, renew_until_lost},
    sync::revert::{self, RevertError, RevertReport},
};

#[derive(Args, Debug)]
pub(super) struct RevertCommand {
    /// Number of the sync run, as in `/sync-runs`
    run: i64,
    /// Only print what would be restored
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    lease: LeaseSettings,
}

impl RevertCommand {
    pub(super) async fn execute(self, database: &DatabaseSettings) -> Result<ExitCode, Box<dyn Error>> {
        let shutdown = telemetry::shutdown_signal()?;
        let database = connect(database).await?;
        let (run, provider) = revert::find_run(&database, self.run).await?;
        if self.dry_run {
            let report = revert::revert(&database, &run, None).await?;
            database.close().await?;
            print_lines([describe(&provider.slug, self.run, &report, "would be")]);
            return Ok(ExitCode::SUCCESS);
        }
        let Some(claim) = lane::wait_for_lane(&database, &provider.slug, self.lease.lease, &shutdown).await? else {
            return Ok(ExitCode::from(INTERRUPTED));
        };
        let report = tokio::select! {
            report = revert::revert(&database, &run, Some(&claim)) => Some(report),
            () = renew_until_lost(&database, &claim, self.lease.lease) => Some(Err(RevertError::LeaseLost)),
            () = shutdown.cancelled() => None,
        };
        if !matches!(report, Some(Ok(_))) {
            // Frees the lane. If the job was lost, nothing is left to do.
            let _was_held = deadline::within(deadline::SHORT, &database, queue::finish(&database, &claim)).await?;
        }
        database.close().await?;
        match report {
            Some(report) => print_lines([describe(&provider.slug, self.run, &report?, "is")]),
            None => return Ok(ExitCode::from(INTERRUPTED)),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn describe(slug: &str, run: i64, report: &RevertReport, verb: &str) -> String {
    let RevertReport { restored, removed, release, changes } = report;
    format!(
        "{slug}: run {run} {verb} reverted: {} restored, {removed} removed, release {release}, changes {changes}",
        count(*restored, "event")
    )
}
