//! What clients may take of a process in connections and time.

use std::time::Duration;

use clap::Args;

/// Simultaneous connections: enough for the pools of a load balancer and some thousand idle clients, at about 30 KiB each.
pub const CONNECTIONS: u32 = 16_384;
/// Open files that are reserved for the database, Redis, the listener and the log.
const OTHER_FILES: u64 = 200;
/// From the first byte of a request to the end of its head. Slow networks need less, and a client that sends single bytes cannot hold a
/// connection longer.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a connection may be idle: longer than those of load balancers (60 s), so that they close first.
const IDLE_TIME: Duration = Duration::from_secs(75);
/// How long a client may read nothing of its response: longer than networks stall.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// How long accepted requests may take during a shutdown. The longest statement takes 5 s.
pub const DRAIN_TIME: Duration = Duration::from_secs(10);
/// The longest delay before a drain: longer than the health checks of load balancers take.
const MAX_DRAIN_DELAY_SECONDS: i64 = 300;

/// Settings of the shutdown.
#[derive(Args, Clone, Debug)]
pub struct ServeSettings {
    /// Seconds to serve after SIGTERM with /readyz at 503, so that load balancers stop sending requests first
    #[arg(long, env = "DRAIN_DELAY_SECONDS", default_value = "0", value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(0..=MAX_DRAIN_DELAY_SECONDS as u64))]
    pub drain_delay_seconds: u64,
}

/// Limits of the connections of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Simultaneous connections. At the limit, those that have been idle longest are closed. If none is idle, new ones wait in the kernel.
    pub connections: u32,
    /// From the first byte of a request to the end of its head.
    pub head_time: Duration,
    /// How long a connection may be idle.
    pub idle_time: Duration,
    /// How long a client may read nothing of its response.
    pub write_time: Duration,
    /// How long to serve as not ready before the drain begins.
    pub drain_delay: Duration,
    /// How long accepted requests may take during the drain.
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
    /// The limits of this process, after increasing its limit of open files to the maximum.
    #[must_use]
    pub fn of_process(settings: &ServeSettings) -> Self {
        let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
            tracing::warn!(%error, "limit of open files unknown");
            u64::from(CONNECTIONS) + OTHER_FILES
        });
        Self {
            connections: connections_within(files),
            drain_delay: Duration::from_secs(settings.drain_delay_seconds),
            ..Self::default()
        }
    }
}

/// The number of connections within a limit of open files: at least a few, because the other files may be fewer than reserved.
fn connections_within(files: u64) -> u32 {
    u32::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(u32::MAX).clamp(16, CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_other_uses() {
        assert_eq!(connections_within(1_024), 824);
        assert_eq!(connections_within(20_000), CONNECTIONS);
        assert_eq!(connections_within(u64::MAX), CONNECTIONS);
        assert_eq!(connections_within(100), 16);
    }
}
