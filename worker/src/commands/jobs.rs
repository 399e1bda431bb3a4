//! `marquee-worker jobs`: shows and retries jobs.

use std::{error::Error, fmt::Write, process::ExitCode};

use clap::{Args, Subcommand};
use entity::{DatabaseSettings, job};
use serde_json::{Value, json};

use super::{connect, output::format_instant, output::print};

#[derive(Args, Debug)]
pub(super) struct JobsCommand {
    #[command(subcommand)]
    action: JobsAction,
}

#[derive(Debug, Subcommand)]
enum JobsAction {
    /// List queued, running and dead jobs
    List {
        /// Print a JSON array instead of a table
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Retry a dead or queued job now
    Retry {
        /// Id of the job, as shown by `jobs list`
        id: i64,
        #[command(flatten)]
        database: DatabaseSettings,
    },
}

/// There is no job to retry.
#[derive(Debug, thiserror::Error)]
#[error("job {id} is not dead or queued; `marquee-worker jobs list` shows all jobs")]
struct JobNotFound {
    id: i64,
}

impl JobsCommand {
    pub(super) async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        match self.action {
            JobsAction::List { json, database } => {
                let database = connect(&database).await?;
                let jobs = job::queue::list(&database).await?;
                database.close().await?;
                print(&if json { format!("{:#}\n", Value::from_iter(jobs.iter().map(to_json))) } else { format_table(&jobs)? });
            }
            JobsAction::Retry { id, database } => {
                let database = connect(&database).await?;
                let is_revived = job::queue::revive(&database, id).await?;
                database.close().await?;
                if !is_revived {
                    return Err(JobNotFound { id }.into());
                }
                print(&format!("job {id} will be retried now\n"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn format_table(jobs: &[job::Model]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "{:>8} {:<8} {:<28} {:<8} {:>8} {:<20} {:<24} REASON",
        "ID", "KIND", "LANE", "STATE", "ATTEMPT", "DUE", "WORKER"
    )?;
    for job in jobs {
        let attempt = format!("{}/{}", job.attempt, job.max_attempts);
        writeln!(
            text,
            "{:>8} {:<8} {:<28} {:<8} {attempt:>8} {:<20} {:<24} {}",
            job.id,
            job.kind,
            job.lane,
            job.state.name(),
            format_instant(job.run_at),
            job.worker.as_deref().unwrap_or("-"),
            job.reason.as_deref().unwrap_or("-"),
        )?;
    }
    Ok(text)
}

fn to_json(job: &job::Model) -> Value {
    json!({
        "id": job.id,
        "kind": job.kind,
        "key": job.key,
        "lane": job.lane,
        "state": job.state.name(),
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "due": format_instant(job.run_at),
        "worker": job.worker,
        "lease_until": job.lease_until.map(format_instant),
        "reason": job.reason,
    })
}
