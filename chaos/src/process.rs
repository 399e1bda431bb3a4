//! A program that a scenario stops, kills, freezes and starts again.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use programs::{Failure, start_and_wait};
use tokio::process::{Child, Command};

use crate::sandbox::Owner;

/// A program with its arguments, running or not. It is killed on drop, with its descendants.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    path: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    folder: PathBuf,
    /// Who runs it; `None` for the current user.
    owner: Option<Owner>,
    /// The file with the id of a server that it starts and that is not its child.
    pid_file: Option<PathBuf>,
    process: Option<Child>,
}

impl Program {
    pub(crate) fn new(name: &str, path: PathBuf, folder: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            path,
            arguments: Vec::new(),
            variables: Vec::new(),
            folder,
            owner: None,
            pid_file: None,
            process: None,
        }
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl ToString>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.to_string()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &impl ToString) -> Self {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn run_as(mut self, owner: Owner) -> Self {
        self.owner = Some(owner);
        self
    }

    pub(crate) fn pid_file(mut self, path: PathBuf) -> Self {
        self.pid_file = Some(path);
        self
    }

    /// The id of its process, if it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// Starts it, and waits until it listens.
    pub(crate) async fn start(&mut self, address: SocketAddr) -> Result<(), Failure> {
        self.process = Some(start_and_wait(self.command(), address, &self.log()).await?);
        Ok(())
    }

    /// Runs it until it exits, and returns its output.
    pub(crate) async fn run(&self) -> Result<String, Failure> {
        let output = self.command().stdin(Stdio::null()).output().await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let text = [output.stdout, output.stderr].concat();
        Err(format!("{} exited with {}: {}", self.name, output.status, String::from_utf8_lossy(&text).trim()).into())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).envs(self.variables.iter().cloned()).current_dir(&self.folder);
        if let Some(Owner { user, group }) = self.owner {
            command.uid(user).gid(group).env("HOME", &self.folder);
        }
        command
    }

    /// Sends SIGKILL to it and its descendants, as a power failure would.
    pub(crate) async fn kill(&mut self) -> Result<(), Failure> {
        let ids = self.ids();
        if let Some(mut process) = self.process.take() {
            // Fails if one of them exits because of another.
            let _exited = programs::send_signal(&ids, "KILL").await;
            process.wait().await?;
        }
        Ok(())
    }

    /// Sends SIGSTOP to it and its descendants: connections stay open, and nothing responds.
    pub(crate) async fn freeze(&self) -> Result<(), Failure> {
        self.signal("STOP").await
    }

    /// Undoes [`freeze`](Self::freeze).
    pub(crate) async fn resume(&self) -> Result<(), Failure> {
        self.signal("CONT").await
    }

    /// Signals the program, and then its descendants, because a program that is stopped starts no more of them.
    async fn signal(&self, name: &str) -> Result<(), Failure> {
        programs::send_signal(self.id().as_slice(), name).await?;
        // Fails if one of them has just exited, such as the process of a connection to PostgreSQL.
        let _exited = programs::send_signal(&self.ids(), name).await;
        Ok(())
    }

    /// The processes: it, the server that it started, and their descendants, parents first.
    fn ids(&self) -> Vec<u32> {
        let children = list_children();
        let mut ids: Vec<u32> = self.id().into_iter().collect();
        ids.extend(self.read_pid_file().filter(|id| children.values().flatten().any(|running| running == id)));
        let mut next = 0;
        while let Some(id) = ids.get(next) {
            ids.extend(children.get(id).into_iter().flatten());
            next += 1;
        }
        ids
    }

    fn read_pid_file(&self) -> Option<u32> {
        fs::read_to_string(self.pid_file.as_ref()?).ok()?.lines().next()?.trim().parse().ok()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let ids = self.ids();
        if !ids.is_empty() {
            // Fails if one of them has exited.
            let _status = std::process::Command::new("kill")
                .arg("-KILL")
                .args(ids.iter().map(u32::to_string))
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// The children of each process.
fn list_children() -> HashMap<u32, Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for (id, parent) in entries.filter_map(|entry| read_parent(&entry.path())) {
        children.entry(parent).or_default().push(id);
    }
    children
}

fn read_parent(folder: &Path) -> Option<(u32, u32)> {
    let id = folder.file_name().and_then(OsStr::to_str)?.parse().ok()?;
    let fields = fs::read_to_string(folder.join("stat")).ok()?;
    // The name of the program, which may contain spaces, ends with the last parenthesis.
    let parent = fields.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some((id, parent))
}
