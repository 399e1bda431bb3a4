//! Builds of the programs: the one that is measured, and other ones to compare it with.

use std::path::PathBuf;

use migration::testing::{Backend, TestDatabase};
use tokio::process::Command;

use crate::Failure;

/// A folder with programs; by default the programs that were built with this one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Build {
    folder: Option<PathBuf>,
}

impl Build {
    /// The programs in a folder.
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { folder: Some(folder) }
    }

    /// The path of a program.
    pub(crate) fn find(&self, name: &str) -> Result<PathBuf, Failure> {
        let Some(folder) = &self.folder else { return programs::find_built_program(name) };
        let path = folder.join(name);
        if path.is_file() { Ok(path) } else { Err(format!("{} does not exist", path.display()).into()) }
    }

    /// Creates a database on PostgreSQL with the schema of this build.
    pub(crate) async fn create_database(&self) -> Result<TestDatabase, Failure> {
        if self.folder.is_none() {
            return Ok(TestDatabase::migrated(Backend::Postgres).await);
        }
        let program = self.find("marquee-migrate")?;
        let database = TestDatabase::empty(Backend::Postgres).await;
        let output = Command::new(program).arg("up").env("DATABASE_URL", database.settings.url.expose()).output().await?;
        if output.status.success() {
            return Ok(database);
        }
        database.remove().await;
        Err(format!("the migration failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
    }
}
