//! The programs that are measured, as processes: where they are, what they take of the machine, and signals to them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use tokio::process::{Child, Command};

use crate::Failure;

/// How often a process is looked at: it costs nothing beside what is measured, and a peak lasts longer.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a process took, as it was seen last: at most [`LOOK_EVERY`] before its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    /// Most memory that it ever had resident.
    pub(crate) peak_kib: u64,
    /// Memory that it has resident now.
    pub(crate) resident_kib: u64,
    /// Time of all its threads on processors, in hundredths of a second.
    pub(crate) processor: Duration,
}

/// Waits for a process and watches it until then.
pub(crate) async fn ended(process: &mut Child) -> Result<(ExitStatus, Taken), Failure> {
    let id = process.id().unwrap_or(0);
    let mut taken = Taken::default();
    loop {
        tokio::select! {
            status = process.wait() => return Ok((status?, taken)),
            () = tokio::time::sleep(LOOK_EVERY) => taken = look(id).unwrap_or(taken),
        }
    }
}

/// What the kernel says of a process; nothing of one that is about to be gone.
pub(crate) fn look(id: u32) -> Option<Taken> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let kib = |name| status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok());
    Some(Taken { peak_kib: kib("VmHWM:")?, resident_kib: kib("VmRSS:")?, processor: processor_time(id)?.1 })
}

/// The name of a process and its time on processors.
pub(crate) fn processor_time(id: u32) -> Option<(String, Duration)> {
    let times = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Behind the name, which may hold anything: the 12th and 13th are the times of the program and of the kernel for it.
    let (name, times) = times.rsplit_once(')')?;
    let times = times.split_ascii_whitespace().skip(11).take(2);
    let hundredths: u64 = times.map(|time| time.parse::<u64>().unwrap_or(0)).sum();
    let name = name.split_once('(').map_or("", |(_, name)| name).to_owned();
    Some((name, Duration::from_millis(hundredths * 10)))
}

/// Time on processors of all children that have ended and were waited for.
pub(crate) fn children_time() -> Duration {
    let times = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let times = times.rsplit_once(')').map_or("", |(_, times)| times).split_ascii_whitespace().skip(13).take(2);
    Duration::from_millis(times.map(|time| time.parse::<u64>().unwrap_or(0)).sum::<u64>() * 10)
}

/// A program that was built beside this one.
pub(crate) fn built(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.parent().map(|folder| folder.join(name)).unwrap_or_default();
    if Path::exists(&path) {
        Ok(path)
    } else {
        Err(format!("{} is not built: run it by `make bench`, or by one of its parts", path.display()).into())
    }
}

/// A program of the system, also where those of the administrator are kept.
pub(crate) fn installed(name: &str, package: &str) -> Result<PathBuf, Failure> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is missing: install it, as by `apt-get install {package}`").into())
}

/// Sends a signal by its name: KILL, STOP, CONT, TERM.
pub(crate) async fn signal(process: &Child, name: &str) -> Result<(), Failure> {
    let id = process.id().ok_or("the process is gone")?;
    let status = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().await?;
    if status.success() { Ok(()) } else { Err(format!("SIG{name} could not be sent").into()) }
}

/// The last lines of a log.
pub(crate) fn end_of(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}
