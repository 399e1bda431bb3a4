//! The measured programs as processes: their paths, resource usage and signals.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use tokio::process::{Child, Command};

use crate::Failure;

/// The interval between two samples of the resource usage.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);

/// The resource usage of a process, sampled at most [`SAMPLE_INTERVAL`] before its exit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessUsage {
    /// Peak resident memory.
    pub(crate) peak_kib: u64,
    /// Current resident memory.
    pub(crate) resident_kib: u64,
    /// CPU time of all threads.
    pub(crate) cpu: Duration,
}

/// Waits for the exit of a process, and samples its resource usage.
pub(crate) async fn wait_for_exit(process: &mut Child) -> Result<(ExitStatus, ProcessUsage), Failure> {
    let id = process.id().unwrap_or(0);
    let mut usage = ProcessUsage::default();
    loop {
        tokio::select! {
            status = process.wait() => return Ok((status?, usage)),
            () = tokio::time::sleep(SAMPLE_INTERVAL) => usage = sample_usage(id).unwrap_or(usage),
        }
    }
}

/// The resource usage of a process; `None` if it has exited.
pub(crate) fn sample_usage(id: u32) -> Option<ProcessUsage> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let kib = |name| status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok());
    Some(ProcessUsage { peak_kib: kib("VmHWM:")?, resident_kib: kib("VmRSS:")?, cpu: cpu_time(id)?.1 })
}

/// The name and CPU time of a process.
pub(crate) fn cpu_time(id: u32) -> Option<(String, Duration)> {
    let times = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Fields 14 and 15, user and system time, counted from the end of the name, which may contain spaces.
    let (name, times) = times.rsplit_once(')')?;
    let times = times.split_ascii_whitespace().skip(11).take(2);
    let hundredths: u64 = times.map(|time| time.parse::<u64>().unwrap_or(0)).sum();
    let name = name.split_once('(').map_or("", |(_, name)| name).to_owned();
    Some((name, Duration::from_millis(hundredths * 10)))
}

/// CPU time of all child processes that were waited for.
pub(crate) fn children_time() -> Duration {
    let times = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let times = times.rsplit_once(')').map_or("", |(_, times)| times).split_ascii_whitespace().skip(13).take(2);
    Duration::from_millis(times.map(|time| time.parse::<u64>().unwrap_or(0)).sum::<u64>() * 10)
}

/// The path of a program that was built with this one.
pub(crate) fn find_built_program(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.parent().map(|folder| folder.join(name)).unwrap_or_default();
    if Path::exists(&path) {
        Ok(path)
    } else {
        Err(format!("{} does not exist; run `make bench` or `make bench-NAME`", path.display()).into())
    }
}

/// The path of an installed program, also in `sbin` folders.
pub(crate) fn find_installed_program(name: &str, package: &str) -> Result<PathBuf, Failure> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is not installed; install it, for example with `apt-get install {package}`").into())
}

/// Sends a signal: KILL, STOP, CONT, TERM.
pub(crate) async fn send_signal(process: &Child, name: &str) -> Result<(), Failure> {
    let id = process.id().ok_or("the process has exited")?;
    let status = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().await?;
    if status.success() { Ok(()) } else { Err(format!("SIG{name} cannot be sent").into()) }
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}
