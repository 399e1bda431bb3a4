//! Single flight (request coalescing): concurrent requests for the same key share one fetch.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::task::AbortHandle;
use tracing::Instrument;

use super::{CacheTier, CachedBody};
use crate::error::ApiError;

/// The result of a fetch.
pub(super) type Fetched = Result<(Arc<CachedBody>, CacheTier), Arc<ApiError>>;
/// The result of a fetch in progress, which several requests may await.
type SharedResult = Shared<BoxFuture<'static, Fetched>>;

/// A request's part in a fetch. The fetch is cancelled when all of them are dropped, because all clients have disconnected.
#[derive(Debug)]
pub(super) struct InFlight {
    result: SharedResult,
    _task: Arc<FetchTask>,
}

impl InFlight {
    /// Waits for the result.
    pub(super) async fn wait(self) -> Fetched {
        self.result.clone().await
    }

    /// Completes the fetch although no request waits for it.
    pub(super) fn complete_in_background(self) {
        tokio::spawn(self.wait());
    }
}

/// Cancels a fetch when it is dropped.
#[derive(Debug)]
struct FetchTask(AbortHandle);

impl Drop for FetchTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct InProgress {
    id: u64,
    result: SharedResult,
    task: Weak<FetchTask>,
}

/// The fetches in progress.
#[derive(Debug, Default)]
pub(super) struct SingleFlight {
    fetches: Mutex<HashMap<String, InProgress>>,
    last_id: AtomicU64,
}

impl SingleFlight {
    /// Joins the fetch of a key, or starts it; the flag is whether it was started.
    pub(super) fn join<Fetch>(self: &Arc<Self>, key: String, fetch: impl FnOnce() -> Fetch) -> (InFlight, bool)
    where
        Fetch: Future<Output = Result<(Arc<CachedBody>, CacheTier), ApiError>> + Send + 'static,
    {
        let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a task it was cancelled.
        if let Some(InProgress { result, task, .. }) = fetches.get(&key)
            && let Some(task) = task.upgrade()
        {
            return (InFlight { result: result.clone(), _task: task }, false);
        }
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let entry = FetchEntry { fetches: self.clone(), key: key.clone(), id };
        let fetch = fetch();
        let fetch = async move {
            let _entry = entry;
            fetch.await.map_err(Arc::new)
        };
        // Its log lines carry the id of the request that started it.
        let handle = tokio::spawn(fetch.in_current_span());
        let task = Arc::new(FetchTask(handle.abort_handle()));
        let result =
            async move { handle.await.unwrap_or_else(|_panicked| Err(Arc::new(ApiError::TaskPanicked))) }.boxed().shared();
        fetches.insert(key, InProgress { id, result: result.clone(), task: Arc::downgrade(&task) });
        (InFlight { result, _task: task }, true)
    }
}

/// Removes a fetch from the list when it completes, panics or is cancelled.
struct FetchEntry {
    fetches: Arc<SingleFlight>,
    key: String,
    id: u64,
}

impl Drop for FetchEntry {
    fn drop(&mut self) {
        let mut fetches = self.fetches.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        // A cancelled fetch may have been replaced.
        if fetches.get(&self.key).is_some_and(|fetch| fetch.id == self.id) {
            fetches.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    /// A fetch that never completes. The sender is dropped when it is cancelled.
    async fn fetch_forever(sender: Option<oneshot::Sender<()>>) -> Result<(Arc<CachedBody>, CacheTier), ApiError> {
        let _sender = sender;
        pending().await
    }

    #[tokio::test]
    async fn a_fetch_is_cancelled_when_its_last_request_is_dropped() {
        let fetches = Arc::new(SingleFlight::default());
        let (sender, mut cancelled) = oneshot::channel();
        let (first, is_new) = fetches.join("key".to_owned(), || fetch_forever(Some(sender)));
        assert!(is_new);
        let (second, is_new) = fetches.join("key".to_owned(), || fetch_forever(None));
        assert!(!is_new);

        drop(first);
        tokio::task::yield_now().await;
        assert!(cancelled.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty), "another request waits");
        drop(second);
        // Before the cancelled one has ended.
        let (_third, is_new) = fetches.join("key".to_owned(), || fetch_forever(None));
        assert!(is_new, "a cancelled fetch is not joined");
        assert!(cancelled.await.is_err());
        assert_eq!(fetches.fetches.lock().unwrap().len(), 1, "a cancelled fetch does not remove its successor");
    }
}
