//! The command line: exit codes, output and signals.

mod jobs;
mod lint;
mod providers_file;
mod purge;
mod rates;
mod rekey;
mod revert;
mod run;
mod snapshots;
mod status;
mod sync;
mod untrusted_text;
mod usage;

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use migration::testing::{Backend, TestDatabase};
use tempfile::TempDir;

use crate::entries;

const SLUG: &str = "northstage";

/// A directory with settings, and a database, for one test.
struct Sandbox {
    folder: TempDir,
    database: TestDatabase,
}

/// The result of a command.
#[derive(Debug)]
struct CommandOutput {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Sandbox {
    /// With a migrated database and one provider.
    async fn new() -> Self {
        Self::with(TestDatabase::migrated(Backend::Sqlite).await, &entries::entry_text(SLUG, "http://127.0.0.1:1/feed", ""))
    }

    fn with(database: TestDatabase, providers: &str) -> Self {
        let sandbox = Self { folder: TempDir::new().unwrap(), database };
        sandbox.write("providers.toml", providers);
        sandbox
    }

    /// Writes a file into the directory.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The program with these arguments and only the settings of the sandbox.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_marquee-worker"));
        command
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", self.database.settings.url.expose())
            .env("METRICS_LISTEN", "127.0.0.1:0")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    fn run(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::new(self.command(arguments).output().unwrap())
    }
}

impl CommandOutput {
    fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The message of the command on standard error, after the log.
    fn error_message(&self) -> &str {
        self.stderr.lines().find(|line| line.starts_with("marquee-worker: ")).unwrap_or_default()
    }
}
