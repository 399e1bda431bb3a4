//! The reads of one size: a limit on those that run and on those that wait.

use std::time::Duration;

use metrics::{Gauge, gauge};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// Permits for concurrent reads.
#[derive(Debug)]
pub(super) struct ReadLane {
    reads: Semaphore,
    waiting: Semaphore,
    max_waiting: usize,
    waiting_time: Duration,
    waiting_reads: Gauge,
}

impl ReadLane {
    /// A lane of this many concurrent reads. `name` is its label in the metrics.
    pub(super) fn new(name: &'static str, reads: usize, max_waiting: usize, waiting_time: Duration) -> Self {
        Self {
            reads: Semaphore::new(reads.max(1)),
            waiting: Semaphore::new(max_waiting),
            max_waiting,
            waiting_time,
            waiting_reads: gauge!("marquee_database_waiting", "size" => name),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.available_permits() == 0
    }

    /// A permit for a read, valid until it is dropped. `None` if too many wait, or if it would take too long.
    pub(super) async fn acquire(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(permit) = self.reads.try_acquire() {
            return Some(permit);
        }
        let _waiting = WaitingRead::begin(self)?;
        timeout(self.waiting_time, self.reads.acquire()).await.ok()?.ok()
    }
}

/// A read that waits for a permit.
struct WaitingRead<'a> {
    lane: &'a ReadLane,
    place: Option<SemaphorePermit<'a>>,
}

impl<'a> WaitingRead<'a> {
    fn begin(lane: &'a ReadLane) -> Option<Self> {
        let waiting = Self { lane, place: Some(lane.waiting.try_acquire().ok()?) };
        waiting.record();
        Some(waiting)
    }

    fn record(&self) {
        self.lane.waiting_reads.set((self.lane.max_waiting - self.lane.waiting.available_permits()) as f64);
    }
}

impl Drop for WaitingRead<'_> {
    fn drop(&mut self) {
        drop(self.place.take());
        self.record();
    }
}
