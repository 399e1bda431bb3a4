//! The handle through which a running provider is watched and steered.
//!
//! Owns the state that requests share: the poll number, what is served, the faults to come
//! and the counts. Knows nothing of HTTP; `answer` asks it what to do.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::catalogue::SimCatalogue;
use crate::document::FeedDocument;
use crate::fault::InjectedFault;

/// A provider. Clones share its state, so that a test can steer what [`serve`](crate::serve) serves.
#[derive(Clone, Debug)]
pub struct SimProvider {
    state: Arc<Mutex<SimState>>,
}

/// What a provider has answered so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimStatistics {
    /// Requests for the feed, whatever became of them.
    pub requests: u64,
    /// Those whose answer is a sound document, however slow.
    pub full_responses: u64,
    /// Those whose answer is 304.
    pub not_modified: u64,
}

impl SimProvider {
    /// A provider of this catalogue at poll 0, without faults.
    #[must_use]
    pub fn new(catalogue: SimCatalogue) -> Self {
        let state = SimState {
            catalogue,
            document: None,
            poll: 0,
            frozen: false,
            max_age_seconds: None,
            faults: Vec::new(),
            next_faults: VecDeque::new(),
            statistics: SimStatistics::default(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// From now on every answer has these faults; none to be sound again.
    pub fn set_faults(&self, faults: impl IntoIterator<Item = InjectedFault>) {
        self.state().faults = faults.into_iter().collect();
    }

    /// The next answer has these faults instead of those of [`set_faults`](Self::set_faults).
    /// Called again before it comes, this is about the answer after it.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = InjectedFault>) {
        self.state().next_faults.push_back(faults.into_iter().collect());
    }

    /// Serves this document instead of the catalogue.
    pub fn serve_document(&self, document: impl Into<Bytes>) {
        self.state().document = Some(document.into());
    }

    /// Serves the catalogue again.
    pub fn serve_catalogue(&self) {
        self.state().document = None;
    }

    /// From now on the feed says that it stays as it is for so many seconds (`Cache-Control`), or nothing of it.
    pub fn set_max_age(&self, seconds: Option<u32>) {
        self.state().max_age_seconds = seconds;
    }

    pub(crate) fn max_age(&self) -> Option<u32> {
        self.state().max_age_seconds
    }

    /// The poll number that the next answer shows.
    #[must_use]
    pub fn poll(&self) -> u64 {
        self.state().poll
    }

    /// Goes on to the next poll, frozen or not.
    pub fn advance(&self) {
        self.state().poll += 1;
    }

    /// Keeps the poll number, however many answers are given.
    pub fn freeze(&self) {
        self.state().frozen = true;
    }

    /// Lets full answers advance the poll number again.
    pub fn thaw(&self) {
        self.state().frozen = false;
    }

    /// What has been answered so far.
    #[must_use]
    pub fn statistics(&self) -> SimStatistics {
        self.state().statistics
    }

    /// Counts a request and says what is to go wrong with it; `asked` are the faults it asks for itself.
    pub(crate) fn begin(&self, asked: Option<Vec<InjectedFault>>) -> Vec<InjectedFault> {
        let mut state = self.state();
        state.statistics.requests += 1;
        if let Some(asked) = asked {
            return asked;
        }
        state.next_faults.pop_front().unwrap_or_else(|| state.faults.clone())
    }

    /// What is served now, for an answer that is not counted.
    pub(crate) fn look(&self) -> FeedDocument {
        self.state().document()
    }

    /// What is served now, not counted, and whether the request `knows` it.
    pub(crate) fn look_unless(&self, knows: impl FnOnce(&FeedDocument) -> bool) -> Delivery {
        let document = self.look();
        if knows(&document) { Delivery::NotModified(document) } else { Delivery::Full(document) }
    }

    /// What is served now, counted as not modified if the request `knows` it, else as a full
    /// answer, which ends the poll. In one step, so that of two requests at once each sees a
    /// poll of its own.
    pub(crate) fn deliver(&self, knows: impl FnOnce(&FeedDocument) -> bool) -> Delivery {
        let mut state = self.state();
        let document = state.document();
        if knows(&document) {
            state.statistics.not_modified += 1;
            return Delivery::NotModified(document);
        }
        state.statistics.full_responses += 1;
        if !state.frozen {
            state.poll += 1;
        }
        Delivery::Full(document)
    }

    fn state(&self) -> MutexGuard<'_, SimState> {
        // Nothing panics while holding it, and a half-made change would be no worse than a fault.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the answer to a request without faults holds.
pub(crate) enum Delivery {
    NotModified(FeedDocument),
    Full(FeedDocument),
}

#[derive(Debug)]
struct SimState {
    catalogue: SimCatalogue,
    document: Option<Bytes>,
    poll: u64,
    frozen: bool,
    max_age_seconds: Option<u32>,
    faults: Vec<InjectedFault>,
    next_faults: VecDeque<Vec<InjectedFault>>,
    statistics: SimStatistics,
}

impl SimState {
    fn document(&self) -> FeedDocument {
        match &self.document {
            Some(bytes) => FeedDocument::Fixed(bytes.clone()),
            None => FeedDocument::Catalogue { catalogue: self.catalogue, poll: self.poll },
        }
    }
}
