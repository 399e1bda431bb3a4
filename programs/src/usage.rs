//! What a process uses, as Linux reports it in `/proc`.

use std::{fs, time::Duration};

/// The resource usage of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessUsage {
    /// Peak resident memory.
    pub peak_kib: u64,
    /// Current resident memory.
    pub resident_kib: u64,
    /// CPU time of all threads.
    pub cpu: Duration,
}

/// The resource usage of a process; `None` if it has exited.
#[must_use]
pub fn sample_usage(id: u32) -> Option<ProcessUsage> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let kib = |name| status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok());
    Some(ProcessUsage { peak_kib: kib("VmHWM:")?, resident_kib: kib("VmRSS:")?, cpu: cpu_time(id)?.1 })
}

/// The name and CPU time of a process; `None` if it has exited.
#[must_use]
pub fn cpu_time(id: u32) -> Option<(String, Duration)> {
    let times = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Fields 14 and 15, user and system time, counted from the end of the name, which may contain spaces.
    let (name, times) = times.rsplit_once(')')?;
    let times = times.split_ascii_whitespace().skip(11).take(2);
    let hundredths: u64 = times.map(|time| time.parse::<u64>().unwrap_or(0)).sum();
    let name = name.split_once('(').map_or("", |(_, name)| name).to_owned();
    Some((name, Duration::from_millis(hundredths * 10)))
}
