//! What clients may take of a process in connections and time.

use std::time::Duration;

use clap::Args;

/// Connections at once: what a load balancer's pools and some thousand idle clients need, at some thirty KiB each when they have asked once.
pub const CONNECTIONS: u32 = 16_384;
/// Files that are left for all else: the database's connections and files, Redis, the listener, the log.
const OTHER_FILES: u64 = 200;
/// From the first byte of a request to the end of its head: a slow line needs less, and a client that sends a byte now and then holds
/// a connection no longer.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a connection may stay silent: longer than load balancers keep theirs (60 s), so that they close first.
const IDLE_TIME: Duration = Duration::from_secs(75);
/// How long a client may take nothing of its answer: longer than any network stutters.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// How long requests that were accepted may take to end once the process was told to stop; the longest statement takes 5 s.
pub const DRAIN_TIME: Duration = Duration::from_secs(10);
/// The longest that an operator may let clients come after the signal: more than any health check of a load balancer takes.
const MAX_DRAIN_DELAY_SECONDS: i64 = 300;

/// How it stops.
#[derive(Args, Clone, Debug)]
pub struct ServeSettings {
    /// Seconds for which it goes on to serve after SIGTERM, with /readyz at 503, so that load balancers turn away first
    #[arg(long, env = "DRAIN_DELAY_SECONDS", default_value = "0", value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(0..=MAX_DRAIN_DELAY_SECONDS as u64))]
    pub drain_delay_seconds: u64,
}

/// What clients may take of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; the next ones wait in the kernel.
    pub connections: u32,
    /// From the first byte of a request to the end of its head.
    pub head_time: Duration,
    /// How long a connection may stay silent.
    pub idle_time: Duration,
    /// How long a client may take nothing of its answer.
    pub write_time: Duration,
    /// How long to serve on, told as not ready, before the end begins.
    pub drain_delay: Duration,
    /// How long what was accepted may take to end.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            head_time: HEAD_TIME,
            idle_time: IDLE_TIME,
            write_time: WRITE_TIME,
            drain_delay: Duration::ZERO,
            drain_time: DRAIN_TIME,
        }
    }
}

impl Limits {
    /// The limits of a process with these settings, after the number of its open files was raised as far as it may be.
    #[must_use]
    pub fn of_process(settings: &ServeSettings) -> Self {
        let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
            tracing::warn!(%error, "the limit of open files is unknown");
            u64::from(CONNECTIONS) + OTHER_FILES
        });
        Self {
            connections: connections_within(files),
            drain_delay: Duration::from_secs(settings.drain_delay_seconds),
            ..Self::default()
        }
    }
}

/// How many connections fit into so many files; a few even if nothing fits, as the rest may need less than we think.
fn connections_within(files: u64) -> u32 {
    u32::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(u32::MAX).clamp(16, CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        assert_eq!(connections_within(1_024), 824);
        assert_eq!(connections_within(20_000), CONNECTIONS);
        assert_eq!(connections_within(u64::MAX), CONNECTIONS);
        assert_eq!(connections_within(100), 16);
    }
}
