//! What the program answers whoever calls it: exit codes, texts and signals.

mod jobs;
mod lint;
mod providers_file;
mod rates;
mod run;
mod status;
mod sync;
mod usage;

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use migration::testing::{Backend, TestDatabase};
use tempfile::TempDir;

use crate::entries;

const SLUG: &str = "northstage";

/// A folder with settings, and a database, for one test.
struct Office {
    folder: TempDir,
    database: TestDatabase,
}

/// What a command left behind.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Office {
    /// With a database whose schema is made and one provider.
    async fn new() -> Self {
        Self::with(TestDatabase::migrated(Backend::Sqlite).await, &entries::entry_text(SLUG, "http://127.0.0.1:1/feed", ""))
    }

    fn with(database: TestDatabase, providers: &str) -> Self {
        let office = Self { folder: TempDir::new().unwrap(), database };
        office.write("providers.toml", providers);
        office
    }

    /// Writes a file into the folder.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The program with these arguments, its settings being those of the office and no others.
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

    /// Runs it to its end.
    fn told(&self, arguments: &[&str]) -> Told {
        Told::of(self.command(arguments).output().unwrap())
    }
}

impl Told {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The command's own words on standard error, after the log.
    fn last_words(&self) -> &str {
        self.stderr.lines().find(|line| line.starts_with("marquee-worker: ")).unwrap_or_default()
    }
}
