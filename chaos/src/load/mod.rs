//! Requests at a fixed rate, each with its result and time: cached reads, uncached reads and writes.

mod report;
mod requests;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::{report::LoadReport, requests::prepare};
use crate::{client::Client, ledger::Ledger};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadKind {
    /// A search that is repeated: it is cached.
    HotRead,
    /// A search that is sent once: it needs the database.
    ColdRead,
    /// A batch of prices or a pushed feed: it needs the primary.
    Write,
}

impl LoadKind {
    pub(crate) const ALL: [Self; 3] = [Self::HotRead, Self::ColdRead, Self::Write];

    /// The time between two requests. Short, because outages are measured by the requests that fail.
    const fn interval(self) -> Duration {
        match self {
            Self::HotRead => Duration::from_millis(20),
            Self::ColdRead => Duration::from_millis(50),
            Self::Write => Duration::from_millis(100),
        }
    }
}

/// Why a request has no status that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestError {
    /// The client stopped waiting.
    Timeout,
    /// The connection failed.
    NoResponse,
    /// The response showed a part of a batch.
    HalfVisible,
}

impl From<reqwest::Error> for RequestError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() { Self::Timeout } else { Self::NoResponse }
    }
}

/// The result of one request.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) kind: LoadKind,
    pub(crate) started: Instant,
    pub(crate) duration: Duration,
    /// The status, or why there is none.
    pub(crate) result: Result<u16, RequestError>,
}

impl Sample {
    pub(crate) fn is_success(&self) -> bool {
        self.result.as_ref().is_ok_and(|status| (200..300).contains(status))
    }
}

/// A load that runs until it is finished.
#[derive(Debug)]
pub(crate) struct Load {
    samples: Arc<Mutex<Vec<Sample>>>,
    stop: CancellationToken,
    requests: TaskTracker,
}

impl Load {
    /// Starts to send. Acknowledged writes are recorded in the ledger.
    pub(crate) fn start(client: &Client, ledger: &Arc<Ledger>) -> Self {
        let load = Self { samples: Arc::default(), stop: CancellationToken::new(), requests: TaskTracker::new() };
        for kind in LoadKind::ALL {
            let (client, ledger, samples) = (client.clone(), ledger.clone(), load.samples.clone());
            let requests = load.requests.clone();
            let sending = async move {
                let mut ticks = interval(kind.interval());
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    ticks.tick().await;
                    requests.spawn(measure(kind, client.clone(), ledger.clone(), samples.clone()));
                }
            };
            load.requests.spawn(load.stop.clone().run_until_cancelled_owned(sending));
        }
        load
    }

    /// Waits until requests of all kinds have succeeded without a failure for this long; false if they do not in time.
    pub(crate) async fn settle(&self, quiet: Duration, limit: Duration) -> bool {
        let since = Instant::now();
        while since.elapsed() < limit {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
            let is_quiet = LoadKind::ALL.iter().all(|kind| {
                let mut recent = samples.iter().rev().filter(|sample| sample.kind == *kind);
                let failed = recent.clone().find(|sample| !sample.is_success());
                failed.is_none_or(|failed| (failed.started + failed.duration).elapsed() > quiet)
                    && recent.next().is_some_and(|last| last.started.elapsed() < quiet)
            });
            if is_quiet && since.elapsed() > quiet {
                return true;
            }
        }
        false
    }

    /// Stops sending, and waits for the last responses.
    pub(crate) async fn finish(self) -> LoadReport {
        self.stop.cancel();
        self.requests.close();
        self.requests.wait().await;
        LoadReport::new(std::mem::take(&mut self.samples.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn measure(kind: LoadKind, client: Client, ledger: Arc<Ledger>, samples: Arc<Mutex<Vec<Sample>>>) {
    let started = Instant::now();
    let result = match kind {
        LoadKind::HotRead => requests::read_cached(&client).await,
        LoadKind::ColdRead => requests::read_uncached(&client, ledger.next_number()).await,
        LoadKind::Write => requests::write(&client, &ledger).await,
    };
    let sample = Sample { kind, started, duration: started.elapsed(), result };
    samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
}
