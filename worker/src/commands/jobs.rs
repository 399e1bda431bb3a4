//! `marquee-worker jobs`: shows and retries jobs.

use std::{error::Error, process::ExitCode};

use clap::{Args, Subcommand};
use command_line::{
    Alignment::{Left, Right},
    Table,
};
use entity::{DatabaseSettings, deadline, job};
use serde_json::{Value, json};

use super::{
    connect,
    output::{format_instant, print_json, print_lines, print_table},
};

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
    },
    /// Retry a dead or queued job now
    Retry {
        /// Id of the job, as shown by `jobs list`
        id: i64,
    },
}

/// There is no job to retry.
#[derive(Debug, thiserror::Error)]
#[error("job {id} is not dead or queued; `marquee-worker jobs list` shows all jobs")]
struct JobNotFound {
    id: i64,
}

impl JobsCommand {
    pub(super) async fn execute(self, database: &DatabaseSettings) -> Result<ExitCode, Box<dyn Error>> {
        let database = connect(database).await?;
        match self.action {
            JobsAction::List { json } => {
                let jobs = deadline::within(deadline::SHORT, &database, job::queue::list(&database)).await?;
                database.close().await?;
                if json {
                    print_json(&jobs.iter().map(to_json).collect());
                } else {
                    print_table(&format_table(&jobs));
                }
            }
            JobsAction::Retry { id } => {
                let is_revived = deadline::within(deadline::SHORT, &database, job::queue::revive(&database, id)).await?;
                database.close().await?;
                if !is_revived {
                    return Err(JobNotFound { id }.into());
                }
                print_lines([format!("job {id} will be retried now")]);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn format_table(jobs: &[job::Model]) -> Table<8> {
    let mut table = Table::with_header([
        ("ID", Right),
        ("KIND", Left),
        ("LANE", Left),
        ("STATE", Left),
        ("ATTEMPT", Right),
        ("DUE", Left),
        ("WORKER", Left),
        ("REASON", Left),
    ]);
    for job in jobs {
        table.add([
            &job.id.to_string(),
            &job.kind,
            &job.lane,
            job.state.name(),
            &format!("{}/{}", job.attempt, job.max_attempts),
            &format_instant(job.run_at),
            job.worker.as_deref().unwrap_or("-"),
            job.reason.as_deref().unwrap_or("-"),
        ]);
    }
    table
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
