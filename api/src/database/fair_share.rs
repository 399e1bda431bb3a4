//! Permits that several callers share. Each caller may hold a part of them, so that one that holds its permits for long delays only itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::auth::CallerName;

/// A number of permits, and how many of them one caller may hold.
#[derive(Debug)]
pub(super) struct FairShare {
    all: Arc<Semaphore>,
    per_caller: u32,
    /// The permits of callers that hold some, or wait for some.
    callers: Mutex<HashMap<CallerName, Arc<Semaphore>>>,
}

/// Permits of one caller, valid until they are dropped.
#[derive(Debug)]
pub struct SharePermit {
    _of_caller: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl FairShare {
    pub(super) fn new(permits: u32, per_caller: u32) -> Self {
        Self { all: Arc::new(Semaphore::new(permits as usize)), per_caller, callers: Mutex::default() }
    }

    /// Permits for a caller, if there are enough now.
    pub(super) fn try_acquire(&self, caller: &CallerName, permits: u32) -> Option<SharePermit> {
        let of_caller = self.permits_of(caller).try_acquire_many_owned(permits).ok()?;
        let of_all = self.all.clone().try_acquire_many_owned(permits).ok()?;
        Some(SharePermit { _of_caller: of_caller, _of_all: of_all })
    }

    /// Permits for a caller, if there are enough within `time`. It waits for its own permits first, so it delays no other caller.
    pub(super) async fn acquire_within(&self, time: Duration, caller: &CallerName, permits: u32) -> Option<SharePermit> {
        let permits = permits.min(self.per_caller);
        let acquire = async {
            let of_caller = self.permits_of(caller).acquire_many_owned(permits).await.ok()?;
            let of_all = self.all.clone().acquire_many_owned(permits).await.ok()?;
            Some(SharePermit { _of_caller: of_caller, _of_all: of_all })
        };
        timeout(time, acquire).await.ok().flatten()
    }

    fn permits_of(&self, caller: &CallerName) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        // Permits share the semaphore.
        callers.retain(|_, permits| Arc::strong_count(permits) > 1);
        callers.entry(caller.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.per_caller as usize))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_caller_with_all_its_permits_delays_no_other() {
        let share = FairShare::new(6, 4);
        let [greedy, other] = ["greedy", "other"].map(CallerName::from);
        let held = share.acquire_within(Duration::ZERO, &greedy, 4).await.unwrap();
        assert!(share.try_acquire(&greedy, 1).is_none() && share.acquire_within(Duration::ZERO, &greedy, 1).await.is_none());
        let of_other = share.try_acquire(&other, 2).unwrap();
        assert!(share.try_acquire(&other, 1).is_none(), "all permits are held");
        drop(held);
        assert!(share.try_acquire(&other, 2).is_some());
        drop(of_other);
        assert!(share.try_acquire(&greedy, 4).is_some());
    }

    #[tokio::test]
    async fn callers_without_permits_are_forgotten() {
        let share = FairShare::new(4, 4);
        for number in 0..1_000 {
            assert!(share.try_acquire(&CallerName::from(&*format!("caller {number}")), 1).is_some());
        }
        assert_eq!(share.callers.lock().unwrap().len(), 1);
    }
}
