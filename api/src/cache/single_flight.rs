//! Single flight (request coalescing): concurrent requests for the same key share one fetch.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tracing::Instrument;

use super::{CacheTier, CachedBody};
use crate::error::ApiError;

/// The result of a fetch.
pub(super) type Fetched = Result<(Arc<CachedBody>, CacheTier), Arc<ApiError>>;
/// A fetch in progress, which several requests may await.
pub(super) type InFlight = Shared<BoxFuture<'static, Fetched>>;

/// The fetches in progress.
#[derive(Debug, Default)]
pub(super) struct SingleFlight(Mutex<HashMap<String, InFlight>>);

impl SingleFlight {
    /// Joins the fetch of a key, or starts it; the flag is whether it was started. It completes even if no request awaits it any more.
    pub(super) fn join<Fetch>(self: &Arc<Self>, key: String, fetch: impl FnOnce() -> Fetch) -> (InFlight, bool)
    where
        Fetch: Future<Output = Result<(Arc<CachedBody>, CacheTier), ApiError>> + Send + 'static,
    {
        let mut in_progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(in_flight) = in_progress.get(&key) {
            return (in_flight.clone(), false);
        }
        let entry = FetchEntry { fetches: self.clone(), key: key.clone() };
        let fetch = fetch();
        let fetch = async move {
            let _entry = entry;
            fetch.await.map_err(Arc::new)
        };
        // Its log lines carry the id of the request that started it.
        let task = tokio::spawn(fetch.in_current_span());
        let in_flight =
            async move { task.await.unwrap_or_else(|_panicked| Err(Arc::new(ApiError::TaskPanicked))) }.boxed().shared();
        in_progress.insert(key, in_flight.clone());
        (in_flight, true)
    }
}

/// Removes a fetch from the list when it completes or panics.
struct FetchEntry {
    fetches: Arc<SingleFlight>,
    key: String,
}

impl Drop for FetchEntry {
    fn drop(&mut self) {
        self.fetches.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
