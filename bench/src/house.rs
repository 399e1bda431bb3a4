//! A database of its own with settings for the real worker, and the runs of that worker.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use entity::{UtcInstant, sync_run};
use migration::testing::{Backend, TestDatabase};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    Failure, ledger,
    process::{self, Taken},
};

/// The slug of the provider of the timings.
pub(crate) const SLUG: &str = "bench";

/// A database, and the providers whose catalogues go into it.
pub(crate) struct House {
    pub(crate) database: TestDatabase,
    folder: TempDir,
}

/// One `marquee-worker sync` that ended well.
#[derive(Debug)]
pub(crate) struct Run {
    /// What the ledger says of it.
    pub(crate) entered: sync_run::Model,
    /// From its beginning to its end in the ledger: without the start of the process, and without the commit.
    pub(crate) ledger: Duration,
    /// From the start of the process to its end.
    pub(crate) process: Duration,
    /// What the process took of the machine.
    pub(crate) taken: Taken,
}

/// One provider of the settings.
pub(crate) struct Entry<'a> {
    pub(crate) slug: &'a str,
    pub(crate) url: &'a str,
    pub(crate) schedule: &'a str,
}

impl House {
    /// An empty copy of these providers.
    pub(crate) async fn new(backend: Backend, entries: &[Entry<'_>]) -> Result<Self, Failure> {
        let database = TestDatabase::migrated(backend).await;
        let house = Self { database, folder: TempDir::new()? };
        let allows = house.allows_private_addresses().await?;
        house.write_providers(entries, allows)?;
        Ok(house)
    }

    fn write_providers(&self, entries: &[Entry<'_>], allow_private_addresses: bool) -> Result<(), Failure> {
        let allow = if allow_private_addresses { "allow_private_addresses = true\n" } else { "" };
        let entries = entries.iter().map(|Entry { slug, url, schedule }| {
            format!(
                "[[provider]]\nslug = \"{slug}\"\nurl = \"{url}\"\nformat = \"event-list-xml\"\nschedule = \"{schedule}\"\n\
                 currency = \"EUR\"\nmax_body_bytes = {MAX_BODY_BYTES}\nanswer_timeout_seconds = 600\n{allow}"
            )
        });
        Ok(fs::write(self.providers_file(), entries.collect::<String>())?)
    }

    /// A file of its folder.
    pub(crate) fn file(&self, name: &str, content: &str) -> Result<String, Failure> {
        let path = self.folder.path().join(name);
        fs::write(&path, content)?;
        Ok(path.display().to_string())
    }

    fn providers_file(&self) -> PathBuf {
        self.folder.path().join("providers.toml")
    }

    /// Whether the worker has the setting without which it refuses this machine's addresses: a worker older than the
    /// setting takes it for a mistake.
    async fn allows_private_addresses(&self) -> Result<bool, Failure> {
        self.write_providers(&[Entry { slug: SLUG, url: "http://127.0.0.1/", schedule: "* * * * * *" }], true)?;
        let output = self.worker(&["sync", "nobody"])?.stderr(Stdio::piped()).output().await?;
        Ok(!String::from_utf8_lossy(&output.stderr).contains("allow_private_addresses"))
    }

    /// `marquee-worker` with these arguments, silent but for warnings in a file.
    pub(crate) fn worker(&self, arguments: &[&str]) -> Result<Command, Failure> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_file())?;
        let mut command = Command::new(process::built("marquee-worker")?);
        command
            .args(arguments)
            .env("DATABASE_URL", self.database.settings.url.expose())
            .env("PROVIDERS_FILE", self.providers_file())
            // Several workers at once could not all have the default.
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

    /// The last lines of what workers logged.
    pub(crate) fn log_end(&self) -> String {
        process::end_of(&self.log_file())
    }

    /// Syncs once, with a new process.
    pub(crate) async fn sync(&self) -> Result<Run, Failure> {
        let begun = Instant::now();
        let mut child = self.worker(&["sync", SLUG])?.spawn()?;
        let (status, taken) = process::ended(&mut child).await?;
        let taken_time = begun.elapsed();
        if !status.success() {
            return Err(format!("the worker ended with {status}: {}", self.log_end()).into());
        }
        let entered = ledger::newest(&self.database).await?;
        let UtcInstant(ended_at) = entered.ended_at.ok_or("the run has no end")?;
        let ledger = Duration::from_micros(u64::try_from(ended_at - entered.started_at.0)?);
        Ok(Run { entered, ledger, process: taken_time, taken })
    }

    pub(crate) async fn remove(self) {
        self.database.remove().await;
    }
}

/// Far over every feed that is measured.
const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024 * 1024;
