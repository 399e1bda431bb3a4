//! A database with settings for the worker, and the syncs of that worker.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use entity::{UtcInstant, sync_run};
use migration::testing::{Backend, TestDatabase};
use programs::ProcessUsage;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{Failure, build::Build, ledger, process};

/// The slug of the default provider.
pub(crate) const SLUG: &str = "bench";

/// A database and a `providers.toml`.
pub(crate) struct BenchStack {
    pub(crate) database: TestDatabase,
    build: Build,
    folder: TempDir,
}

/// A successful `marquee-worker sync`.
#[derive(Debug)]
pub(crate) struct LedgerRun {
    /// Its row in the ledger.
    pub(crate) row: sync_run::Model,
    /// From start to end in the ledger, without the start of the process and the commit.
    pub(crate) ledger: Duration,
    /// From the start of the process to its exit.
    pub(crate) process: Duration,
    pub(crate) usage: ProcessUsage,
}

/// An entry of `providers.toml`.
pub(crate) struct BenchProvider<'a> {
    pub(crate) slug: &'a str,
    pub(crate) url: &'a str,
    pub(crate) schedule: &'a str,
}

impl BenchStack {
    /// Creates an empty, migrated database.
    pub(crate) async fn new(backend: Backend, entries: &[BenchProvider<'_>]) -> Result<Self, Failure> {
        Self::on(TestDatabase::migrated(backend).await, Build::default(), entries)
    }

    /// Uses the worker of a build on a database with its schema.
    pub(crate) fn on(database: TestDatabase, build: Build, entries: &[BenchProvider<'_>]) -> Result<Self, Failure> {
        let stack = Self { database, build, folder: TempDir::new()? };
        stack.write_providers(entries)?;
        Ok(stack)
    }

    fn write_providers(&self, entries: &[BenchProvider<'_>]) -> Result<(), Failure> {
        let entries = entries.iter().map(|BenchProvider { slug, url, schedule }| {
            format!(
                "[[provider]]\nslug = \"{slug}\"\nurl = \"{url}\"\nformat = \"event-list-xml\"\nschedule = \"{schedule}\"\n\
                 currency = \"EUR\"\nmax_body_bytes = {MAX_BODY_BYTES}\nanswer_timeout_seconds = 600\nallow_private_addresses = true\n"
            )
        });
        Ok(fs::write(self.providers_file(), entries.collect::<String>())?)
    }

    /// Writes a file and returns its path.
    pub(crate) fn write_file(&self, name: &str, content: &str) -> Result<String, Failure> {
        let path = self.folder.path().join(name);
        fs::write(&path, content)?;
        Ok(path.display().to_string())
    }

    fn providers_file(&self) -> PathBuf {
        self.folder.path().join("providers.toml")
    }

    /// `marquee-worker` with these arguments, which logs to a file.
    pub(crate) fn worker_command(&self, arguments: &[&str]) -> Result<Command, Failure> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_file())?;
        let mut command = Command::new(self.build.find("marquee-worker")?);
        command
            .args(arguments)
            .env("DATABASE_URL", self.database.settings.url.expose())
            .env("PROVIDERS_FILE", self.providers_file())
            // Several workers cannot share the default port.
            .env("METRICS_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        Ok(command)
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("worker.log")
    }

    /// The last lines of the log of all workers.
    pub(crate) fn log_tail(&self) -> String {
        programs::read_tail(&self.log_file())
    }

    /// Runs `marquee-worker sync`.
    pub(crate) async fn sync(&self) -> Result<LedgerRun, Failure> {
        let started = Instant::now();
        let mut child = self.worker_command(&["sync", SLUG])?.spawn()?;
        let (status, usage) = process::wait_for_exit(&mut child).await?;
        let process = started.elapsed();
        if !status.success() {
            return Err(format!("the worker exited with {status}: {}", self.log_tail()).into());
        }
        let row = ledger::latest_run(&self.database).await?;
        let UtcInstant(ended_at) = row.ended_at.ok_or("the run has no end")?;
        let ledger = Duration::from_micros(u64::try_from(ended_at - row.started_at.0)?);
        Ok(LedgerRun { row, ledger, process, usage })
    }

    pub(crate) async fn remove(self) {
        self.database.remove().await;
    }
}

/// Larger than every measured feed.
const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024 * 1024;
