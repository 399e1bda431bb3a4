//! The temporary folder of a run, and the programs that run in it.

use std::{
    fs::{self, Permissions},
    net::{SocketAddr, TcpListener},
    os::unix::fs::{PermissionsExt, chown},
    path::PathBuf,
    process::Command,
};

use programs::Failure;
use tempfile::TempDir;

use crate::process::Program;

/// Ports of servers. The operating system uses higher ones for outgoing connections, which could occupy the port of a stopped server.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// Where the folder is created. `TMPDIR` may be private to the current user.
const PARENT: &str = "/tmp";

/// The unprivileged user that the packages of PostgreSQL create.
const UNPRIVILEGED_USER: &str = "postgres";

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
}

impl Sandbox {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self { folder: tempfile::Builder::new().prefix("marquee-chaos.").tempdir_in(PARENT)? })
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that all users can read, also with a strict `umask`.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o644))?;
        Ok(path)
    }

    /// Creates a folder.
    pub(crate) fn create_folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path(name);
        fs::create_dir(&path)?;
        Ok(path)
    }

    /// A program that runs in the folder as the current user, and logs to `NAME.log`.
    pub(crate) fn program(&self, name: &str, path: PathBuf) -> Program {
        Program::new(name, path, self.path("."))
    }

    /// A program that refuses to run as root, such as PostgreSQL. If the current user is root, it runs as another user, who then owns
    /// the folder. Its file must be in a folder that all users can enter.
    pub(crate) fn unprivileged_program(&self, name: &str, path: PathBuf) -> Result<Program, Failure> {
        let program = self.program(name, path);
        if query_id("-u", None)? != 0 {
            return Ok(program);
        }
        let owner = find_unprivileged_user()?;
        chown(self.folder.path(), Some(owner.user), Some(owner.group))?;
        Ok(program.run_as(owner))
    }

    /// Keeps the folder.
    pub(crate) fn keep(&mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }
}

/// A free port of the loopback interface, which stays free while its server is stopped.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    let is_free = |address: &SocketAddr| TcpListener::bind(address).is_ok();
    let mut candidates = std::iter::repeat_with(|| SocketAddr::from(([127, 0, 0, 1], fastrand::u16(PORTS)))).take(100);
    candidates.find(is_free).ok_or_else(|| "no port is free".into())
}

fn find_unprivileged_user() -> Result<Owner, Failure> {
    match (query_id("-u", Some(UNPRIVILEGED_USER)), query_id("-g", Some(UNPRIVILEGED_USER))) {
        (Ok(user), Ok(group)) => Ok(Owner { user, group }),
        _ => Err(format!(
            "PostgreSQL cannot run as root, and the user {UNPRIVILEGED_USER} does not exist; start this program as another user"
        )
        .into()),
    }
}

fn query_id(option: &str, name: Option<&str>) -> Result<u32, Failure> {
    let output = Command::new("id").arg(option).args(name).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
