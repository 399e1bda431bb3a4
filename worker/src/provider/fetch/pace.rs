//! The pace of requests for pages: at most one in an interval to each host, from all syncs of the process together.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Hosts that are remembered. Those that may be requested now are forgotten first.
const MAX_HOSTS: usize = 1_000;

/// When the next request to each host may be sent.
#[derive(Debug, Default)]
pub(in crate::provider) struct HostPaces {
    free_at: Mutex<HashMap<String, Instant>>,
}

impl HostPaces {
    /// Waits until a request to a host may be sent. The next one may be sent after the interval.
    pub(in crate::provider) async fn wait(&self, host: &str, interval: Duration) {
        sleep_until(self.reserve(host, interval, Instant::now())).await;
    }

    /// Reserves the time of a request.
    pub(in crate::provider) fn reserve(&self, host: &str, interval: Duration, now: Instant) -> Instant {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        if free_at.len() >= MAX_HOSTS {
            free_at.retain(|_, free_at| *free_at > now);
        }
        let reserved = free_at.get(host).copied().filter(|free_at| *free_at > now).unwrap_or(now);
        free_at.insert(host.to_owned(), reserved + interval);
        reserved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn requests_to_one_host_are_an_interval_apart() {
        let (paces, now) = (HostPaces::default(), Instant::now());
        let reserve = |host, interval, now| paces.reserve(host, interval, now);
        assert_eq!(reserve("a.example", 5 * SECOND, now), now, "the first one is sent immediately");
        assert_eq!(reserve("a.example", SECOND, now), now + 5 * SECOND);
        assert_eq!(reserve("a.example", SECOND, now + SECOND), now + 6 * SECOND);
        assert_eq!(reserve("b.example", SECOND, now), now, "another host");
        assert_eq!(reserve("a.example", SECOND, now + 9 * SECOND), now + 9 * SECOND);
    }

    #[test]
    fn forgets_hosts_that_may_be_requested() {
        let paces = HostPaces::default();
        for host in 0..2 * MAX_HOSTS {
            paces.reserve(&host.to_string(), Duration::ZERO, Instant::now());
        }
        assert!(paces.free_at.lock().unwrap_or_else(PoisonError::into_inner).len() <= MAX_HOSTS);
    }
}
