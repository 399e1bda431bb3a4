//! The temporary folder of a run, and the user that owns it: PostgreSQL refuses to run as root.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::chown,
    path::PathBuf,
    process::Command,
};

use programs::Failure;
use tempfile::TempDir;

use crate::process::Program;

/// Ports of servers. The operating system uses higher ones for outgoing connections, which could occupy the port of a stopped server.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// The unprivileged user that the packages of PostgreSQL create.
const USER: &str = "postgres";

/// A user and its group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// A temporary folder for configurations, data and logs.
#[derive(Debug)]
pub(crate) struct Sandbox {
    folder: TempDir,
    /// Who runs the servers; `None` if the current user does.
    owner: Option<Owner>,
}

impl Sandbox {
    pub(crate) fn new() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("marquee-chaos.").tempdir()?;
        let owner = if query_id("-u", None)? == 0 { Some(find_unprivileged_user()?) } else { None };
        let sandbox = Self { folder, owner };
        sandbox.give_to_owner(&sandbox.path(""))?;
        Ok(sandbox)
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        fs::write(&path, text)?;
        self.give_to_owner(&path)?;
        Ok(path)
    }

    /// Creates a folder.
    pub(crate) fn create_folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        fs::create_dir(&path)?;
        self.give_to_owner(&path)?;
        Ok(path)
    }

    /// A program that runs in the folder as the unprivileged user, and logs to `NAME.log`.
    pub(crate) fn program(&self, name: &str, path: PathBuf) -> Program {
        Program::new(name, path, self.path("."), self.owner)
    }

    /// Keeps the folder.
    pub(crate) fn keep(&mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }

    /// Makes the user that runs the programs the owner of a file or folder.
    pub(crate) fn give_to_owner(&self, path: &std::path::Path) -> Result<(), Failure> {
        match self.owner {
            Some(Owner { user, group }) => Ok(chown(path, Some(user), Some(group))?),
            None => Ok(()),
        }
    }
}

/// A free port of the loopback interface, which stays free while its server is stopped.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    let is_free = |address: &SocketAddr| TcpListener::bind(address).is_ok();
    let mut candidates = std::iter::repeat_with(|| SocketAddr::from(([127, 0, 0, 1], fastrand::u16(PORTS)))).take(100);
    candidates.find(is_free).ok_or_else(|| "no port is free".into())
}

fn find_unprivileged_user() -> Result<Owner, Failure> {
    match (query_id("-u", Some(USER)), query_id("-g", Some(USER))) {
        (Ok(user), Ok(group)) => Ok(Owner { user, group }),
        _ => {
            Err(format!("PostgreSQL cannot run as root, and the user {USER} does not exist; start this program as another user")
                .into())
        }
    }
}

fn query_id(option: &str, name: Option<&str>) -> Result<u32, Failure> {
    let output = Command::new("id").arg(option).args(name).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
