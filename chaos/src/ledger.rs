//! Acknowledged writes, and whether they are still there.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::client::Client;

/// How long a write may take to be visible: a worker may have to apply it, after the lease of another one has expired.
const VISIBLE_WITHIN: Duration = Duration::from_secs(60);
/// The pause between two checks of the same write.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// A write that was acknowledged with a 2xx status.
#[derive(Clone, Debug)]
pub(crate) enum AcknowledgedWrite {
    /// A batch of prices.
    Batch { id: i64, key: String },
    /// A pushed feed with one event.
    Push { run: String, starts_at: String },
}

/// The acknowledged writes of a load.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The last number.
    number: AtomicU64,
    writes: Mutex<Vec<AcknowledgedWrite>>,
}

impl Ledger {
    /// A number that was not used before.
    pub(crate) fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn record(&self, write: AcknowledgedWrite) {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).push(write);
    }

    pub(crate) fn len(&self) -> usize {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The acknowledged writes that are lost, except the first ones, which are not checked.
    pub(crate) async fn find_lost(&self, client: &Client, skipped: usize) -> Vec<AcknowledgedWrite> {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner)[skipped..].to_vec();
        let until = Instant::now() + VISIBLE_WITHIN;
        let mut lost = Vec::new();
        for write in writes {
            while !write.is_visible(client).await {
                if Instant::now() > until {
                    lost.push(write);
                    break;
                }
                tokio::time::sleep(CHECK_INTERVAL).await;
            }
        }
        lost
    }
}

impl AcknowledgedWrite {
    async fn is_visible(&self, client: &Client) -> bool {
        match self {
            Self::Batch { id, key } => {
                let response = client.get(&format!("/rates/batches/{id}")).await;
                response.is_ok_and(|response| response.json()["data"]["idempotency_key"] == key.as_str())
            }
            Self::Push { run, starts_at } => {
                let is_applied = client.get(run).await.is_ok_and(|run| run.json()["data"]["state"] == "succeeded");
                is_applied && is_event_visible(client, starts_at).await
            }
        }
    }
}

async fn is_event_visible(client: &Client, starts_at: &str) -> bool {
    let response = client.get(&format!("/search?starts_at={starts_at}Z&ends_at={starts_at}Z")).await;
    response.is_ok_and(|response| response.json()["data"]["events"].as_array().is_some_and(|events| !events.is_empty()))
}
