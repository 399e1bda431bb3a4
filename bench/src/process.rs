//! The resource usage of measured programs that exit.

use std::{fs, process::ExitStatus, time::Duration};

use programs::{ProcessUsage, sample_usage};
use tokio::process::Child;

use crate::Failure;

/// The interval between two samples of the resource usage.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);

/// Waits for the exit of a process, and samples its resource usage, at most [`SAMPLE_INTERVAL`] before its exit.
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

/// CPU time of all child processes that were waited for.
pub(crate) fn children_time() -> Duration {
    let times = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let times = times.rsplit_once(')').map_or("", |(_, times)| times).split_ascii_whitespace().skip(13).take(2);
    Duration::from_millis(times.map(|time| time.parse::<u64>().unwrap_or(0)).sum::<u64>() * 10)
}

/// Sends a signal: KILL, STOP, CONT, TERM.
pub(crate) async fn send_signal(process: &Child, name: &str) -> Result<(), Failure> {
    programs::send_signal(&[process.id().ok_or("the process has exited")?], name).await
}
