//! One flight per key: who asks for what is being fetched already waits for that, and does not fetch it again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::{Answer, Source};
use crate::error::ApiError;

/// What a flight brings.
pub(super) type Landed = Result<(Arc<Answer>, Source), Arc<ApiError>>;
/// A flight that may have several passengers.
pub(super) type Flight = Shared<BoxFuture<'static, Landed>>;

/// Flights that have not landed.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<String, Flight>>);

impl Flights {
    /// The flight for a key, and whether it is a new one. A new one goes on by itself: it lands also when whoever asked for it has left.
    pub(super) fn board<Fetching>(self: &Arc<Self>, key: String, fetch: impl FnOnce() -> Fetching) -> (Flight, bool)
    where
        Fetching: Future<Output = Result<(Arc<Answer>, Source), ApiError>> + Send + 'static,
    {
        let mut flying = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flying.get(&key) {
            return (flight.clone(), false);
        }
        let listed = Listed { flights: self.clone(), key: key.clone() };
        let fetching = fetch();
        let task = tokio::spawn(async move {
            let _listed = listed;
            fetching.await.map_err(Arc::new)
        });
        let flight = async move { task.await.unwrap_or_else(|_panicked| Err(Arc::new(ApiError::TaskPanicked))) }.boxed().shared();
        flying.insert(key, flight.clone());
        (flight, true)
    }
}

/// A flight's place in the list, until it has landed or crashed.
struct Listed {
    flights: Arc<Flights>,
    key: String,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
