//! Holding the lease of a job while it runs.

use std::time::Duration;

use clap::Args;
use entity::{
    deadline,
    job::{self, Claim, LeaseRenewal},
};
use sea_orm::DatabaseConnection;

/// Longer than a short pause of the machine, and short enough that the jobs of a dead worker are soon taken over.
const DEFAULT_LEASE_SECONDS: &str = "30";
/// Renewals per lease: two may fail before the lease expires.
const RENEWALS_PER_LEASE: u32 = 3;
/// The longest pause between renewals while the database does not respond.
const MAX_RENEWAL_PAUSE: Duration = Duration::from_secs(1);

/// How long a worker holds a job without renewing its lease.
#[derive(Args, Clone, Debug)]
pub struct LeaseSettings {
    /// Seconds after which another worker takes over the job of a worker that does not respond, 1 to 3600
    #[arg(
        id = "job_lease_seconds",
        long = "job-lease-seconds",
        env = "JOB_LEASE_SECONDS",
        default_value = DEFAULT_LEASE_SECONDS,
        value_parser = parse_seconds,
        value_name = "SECONDS"
    )]
    pub lease: Duration,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=3600) => Ok(Duration::from_secs(seconds)),
        _ => Err("must be an integer between 1 and 3600".to_owned()),
    }
}

/// Renews a lease; returns when another worker holds the job.
///
/// The lease is not lost when the database does not respond: no other worker can claim the job there either, and the epoch check rejects the work
/// of one that has lost it. Nor is a job that is gone: the work has just finished it, though its commit may take a while to return.
pub async fn renew_until_lost(database: &DatabaseConnection, claim: &Claim, lease: Duration) {
    let pause = lease / RENEWALS_PER_LEASE;
    loop {
        tokio::time::sleep(pause).await;
        loop {
            let renewing = job::queue::renew(database, claim, lease);
            match deadline::within(deadline::SHORT, database, renewing).await {
                Ok(LeaseRenewal::Held) => break,
                Ok(LeaseRenewal::Taken) => return,
                Ok(LeaseRenewal::Gone) => std::future::pending().await,
                Err(error) => {
                    tracing::debug!(error = telemetry::with_causes(&error), "the lease could not be renewed");
                    tokio::time::sleep(pause.min(MAX_RENEWAL_PAUSE)).await;
                }
            }
        }
    }
}

/// The host and process id, for people who read the queue. It need not be unique: the epoch distinguishes claims.
#[must_use]
pub fn worker_name() -> String {
    let host = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"));
    let host = host.unwrap_or_default();
    format!("{}/{}", host.trim(), std::process::id())
}
