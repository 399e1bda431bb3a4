//! Holding a job for as long as its work takes.

use std::time::Duration;

use clap::Args;
use entity::job::{self, Claim, LeaseRenewal};
use sea_orm::DatabaseConnection;

/// How long a worker that says nothing is believed to live: a pause of the machine is shorter, and whoever waits for the work of a
/// dead one waits no longer than this.
const DEFAULT_SECONDS: &str = "30";
/// A lease is renewed this often in its time: two renewals may be lost before it is.
const RENEWALS: u32 = 3;
/// The longest pause between two tries to renew while the database does not answer.
const RENEWAL_PAUSE: Duration = Duration::from_secs(1);

/// How long this process holds a job without a sign of life.
#[derive(Args, Clone, Debug)]
pub struct LeaseSettings {
    /// Seconds after which another worker takes over the job of one that does not answer, 1 to 3600
    #[arg(
        id = "job_lease_seconds",
        long = "job-lease-seconds",
        env = "JOB_LEASE_SECONDS",
        default_value = DEFAULT_SECONDS,
        value_parser = seconds,
        value_name = "SECONDS"
    )]
    pub lease: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=3600) => Ok(Duration::from_secs(seconds)),
        _ => Err("want 1 to 3600".to_owned()),
    }
}

/// Renews a lease again and again; ends when another worker has the job.
///
/// A database that does not answer is no loss: nobody can take the job there either, and whoever did is fenced off. Nor is a job that is
/// gone: the work itself has just ended it, though its commit may take a while to return, or it will hear from the fence.
pub async fn until_lost(database: &DatabaseConnection, claim: &Claim, lease: Duration) {
    let pause = lease / RENEWALS;
    loop {
        tokio::time::sleep(pause).await;
        loop {
            match job::queue::renew(database, claim, lease).await {
                Ok(LeaseRenewal::Held) => break,
                Ok(LeaseRenewal::Taken) => return,
                Ok(LeaseRenewal::Gone) => std::future::pending().await,
                Err(error) => {
                    tracing::debug!(job.id = claim.id, error = telemetry::with_causes(&error), "the lease could not be renewed");
                    tokio::time::sleep(pause.min(RENEWAL_PAUSE)).await;
                }
            }
        }
    }
}

/// Who this process is, for whoever looks at the queue. It need not be unique: the epoch tells claims apart.
#[must_use]
pub fn worker_name() -> String {
    let machine = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"));
    let machine = machine.unwrap_or_default();
    format!("{}/{}", machine.trim(), std::process::id())
}
