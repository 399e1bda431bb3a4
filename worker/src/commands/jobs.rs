//! `marquee-worker jobs`: what is left to do, for the operator.

use std::{error::Error, fmt::Write, process::ExitCode};

use clap::{Args, Subcommand};
use entity::{DatabaseSettings, UtcInstant, job};
use serde_json::{Value, json};

use super::connect;

#[derive(Args, Debug)]
pub(super) struct Jobs {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Show the jobs that wait, are under way, or were given up
    List {
        /// As JSON, for machines
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Let a job that was given up, or waits, be done now
    Retry {
        /// The job's number
        id: i64,
        #[command(flatten)]
        database: DatabaseSettings,
    },
}

/// There is nothing to retry.
#[derive(Debug, thiserror::Error)]
#[error("no job {id} is dead or waits; `marquee-worker jobs list` shows those that there are")]
struct NothingToRetry {
    id: i64,
}

impl Jobs {
    pub(super) async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        match self.task {
            Task::List { json, database } => {
                let database = connect(&database).await?;
                let jobs = job::queue::list(&database).await?;
                print(&if json { format!("{:#}\n", Value::from_iter(jobs.iter().map(as_json))) } else { table(&jobs)? });
                database.close().await?;
            }
            Task::Retry { id, database } => {
                let database = connect(&database).await?;
                let is_due = job::queue::revive(&database, id).await?;
                database.close().await?;
                if !is_due {
                    return Err(NothingToRetry { id }.into());
                }
                print(&format!("job {id} is due now\n"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn table(jobs: &[job::Model]) -> Result<String, std::fmt::Error> {
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
            due(job),
            job.worker.as_deref().unwrap_or("-"),
            job.reason.as_deref().unwrap_or("-"),
        )?;
    }
    Ok(text)
}

fn as_json(job: &job::Model) -> Value {
    json!({
        "id": job.id,
        "kind": job.kind,
        "key": job.key,
        "lane": job.lane,
        "state": job.state.name(),
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "due": due(job),
        "worker": job.worker,
        "lease_until": job.lease_until.map(rfc3339),
        "reason": job.reason,
    })
}

fn due(job: &job::Model) -> String {
    rfc3339(job.run_at)
}

fn rfc3339(instant: UtcInstant) -> String {
    instant.to_utc().map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[expect(clippy::print_stdout, reason = "the answer is what the command is for")]
fn print(text: &str) {
    print!("{text}");
}
