//! The open connections: their number is limited, and at the limit those that have waited longest for their clients are closed, so that
//! others, health checks included, are served.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

use super::progress::Progress;

/// How long a connection must have waited for its client before it may be closed for another one: a client that is about to send a
/// request needs a round trip.
const MIN_WAIT: Duration = Duration::from_millis(100);
/// The share of the connections that are closed together: finding them takes longer than closing them.
const EVICTED_SHARE: usize = 64;
/// How often connections are closed while all are in use.
const EVICTION_INTERVAL: Duration = Duration::from_millis(50);

/// The connections of a server.
#[derive(Debug)]
pub(super) struct OpenConnections {
    limit: u32,
    /// A permit for each connection.
    slots: Arc<Semaphore>,
    open: Mutex<HashMap<u64, Arc<Progress>>>,
    last_id: AtomicU64,
    /// The origin of the times in [`Progress`].
    started: Instant,
}

impl OpenConnections {
    pub(super) fn new(limit: u32) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(limit as usize));
        Arc::new(Self { limit, slots, open: Mutex::default(), last_id: AtomicU64::new(0), started: Instant::now() })
    }

    pub(super) fn is_full(&self) -> bool {
        self.slots.available_permits() == 0
    }

    /// Waits for a place for a connection. While there is none, closes the connections that have waited longest for their clients.
    pub(super) async fn reserve(&self) -> OwnedSemaphorePermit {
        loop {
            if self.is_full() {
                self.evict();
            }
            if let Ok(Ok(permit)) = timeout(EVICTION_INTERVAL, self.slots.clone().acquire_owned()).await {
                return permit;
            }
        }
    }

    /// Waits for a place for a connection until the deadline.
    pub(super) async fn reserve_until(&self, deadline: Instant) -> Option<OwnedSemaphorePermit> {
        timeout_at(deadline, self.slots.clone().acquire_owned()).await.ok()?.ok()
    }

    /// Waits until all connections are closed. Returns the number that is still open at the deadline.
    pub(super) async fn wait_until_closed(&self, deadline: Instant) -> usize {
        match timeout_at(deadline, self.slots.acquire_many(self.limit)).await {
            Ok(_) => 0,
            Err(_) => self.limit as usize - self.slots.available_permits(),
        }
    }

    /// Closes the connections that have waited longest for their clients. Those that only have to read their response are the last: they
    /// would lose it.
    pub(super) fn evict(&self) {
        let latest = (self.started.elapsed().saturating_sub(MIN_WAIT)).as_micros() as u64;
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting: Vec<((bool, u64), &Arc<Progress>)> =
            open.values().filter_map(|progress| Some((progress.waiting_since()?, progress))).collect();
        waiting.retain(|((_, since), _)| *since <= latest);
        let count = waiting.len().min(1 + open.len() / EVICTED_SHARE);
        if count < waiting.len() {
            waiting.select_nth_unstable_by_key(count, |(since, _)| *since);
        }
        waiting[..count].iter().for_each(|(_, progress)| progress.request_eviction());
    }

    /// Adds a connection.
    pub(super) fn open(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> ConnectionSlot {
        metrics::gauge!("marquee_http_connections").increment(1);
        let (id, progress) = (self.last_id.fetch_add(1, Relaxed), Arc::new(Progress::new(self.started)));
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, progress.clone());
        ConnectionSlot { connections: self.clone(), id, progress, _permit: permit }
    }
}

/// One of the connections that the limit allows.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    connections: Arc<OpenConnections>,
    id: u64,
    pub(super) progress: Arc<Progress>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        metrics::gauge!("marquee_http_connections").decrement(1);
    }
}
