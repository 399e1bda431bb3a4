//! A PostgreSQL server.

use std::{net::SocketAddr, path::PathBuf};

use programs::Failure;

use crate::{
    process::Program,
    sandbox::{Sandbox, free_address},
};

/// Its superuser, who needs no password.
const USER: &str = "marquee";

/// A PostgreSQL server with its own data.
#[derive(Debug)]
pub(crate) struct PostgresServer {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
    binaries: PathBuf,
}

impl PostgresServer {
    /// Creates a cluster, and starts its server.
    pub(crate) async fn start(sandbox: &Sandbox) -> Result<Self, Failure> {
        let binaries = find_postgres()?;
        let data = sandbox.path("postgres").display().to_string();
        let initdb = ["--pgdata", &data, "--username", USER, "--auth", "trust", "--no-sync"];
        sandbox.unprivileged_program("initdb", binaries.join("initdb"))?.args(initdb).run().await?;
        let address = free_address()?;
        let port = address.port().to_string();
        let options = ["-D", &data, "-h", "127.0.0.1", "-p", &port, "-k", &data, "-c", "fsync=off"];
        let mut program = sandbox.unprivileged_program("postgres-server", binaries.join("postgres"))?.args(options);
        program.start(address).await?;
        Ok(Self { program, address, binaries })
    }

    /// The URL of the database at the address of the server or of a proxy.
    pub(crate) fn url(address: SocketAddr) -> String {
        format!("postgres://{USER}@{address}/postgres?sslmode=disable")
    }

    /// Runs a statement.
    pub(crate) async fn execute(&self, sandbox: &Sandbox, statements: &[&str]) -> Result<(), Failure> {
        let commands = statements.iter().flat_map(|statement| ["-c", statement]);
        let psql = sandbox.program("psql", self.binaries.join("psql")).args(["-X", "-d", &Self::url(self.address)]);
        psql.args(commands).run().await.map(drop)
    }
}

/// The folder of the newest installed PostgreSQL.
pub(crate) fn find_postgres() -> Result<PathBuf, Failure> {
    let folders = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let mut folders: Vec<_> = folders.filter(|folder| folder.join("postgres").exists()).collect();
    folders.sort();
    folders.pop().ok_or_else(|| "PostgreSQL is not installed; install it, for example with `apt-get install postgresql`".into())
}
