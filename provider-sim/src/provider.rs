//! The handle that controls a running provider: the state that requests share, such as the poll number, the document, the
//! injected faults and the statistics.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::catalogue::SimCatalogue;
use crate::document::FeedDocument;
use crate::fault::InjectedFault;
use crate::model::SimBaseEvent;
use crate::picture;

/// A provider. Clones share its state, so that a test can control what [`serve`](crate::serve) responds.
#[derive(Clone, Debug)]
pub struct SimProvider {
    state: Arc<Mutex<SimState>>,
}

/// Counts of responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimStatistics {
    /// Requests for the feed.
    pub requests: u64,
    /// Responses with the feed.
    pub full_responses: u64,
    /// Responses with status 304.
    pub not_modified: u64,
}

impl SimProvider {
    /// A provider at poll 0, without faults.
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

    /// Sets the faults of all responses; an empty list removes them.
    pub fn set_faults(&self, faults: impl IntoIterator<Item = InjectedFault>) {
        self.state().faults = faults.into_iter().collect();
    }

    /// Sets the faults of the next response, instead of those of [`set_faults`](Self::set_faults). Further calls apply to the
    /// responses after it.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = InjectedFault>) {
        self.state().next_faults.push_back(faults.into_iter().collect());
    }

    /// Replaces the catalogue with a document.
    pub fn serve_document(&self, document: impl Into<Bytes>) {
        self.state().document = Some(document.into());
    }

    /// Replaces the document with the catalogue.
    pub fn serve_catalogue(&self) {
        self.state().document = None;
    }

    /// Sets `Cache-Control: max-age`.
    pub fn set_max_age(&self, seconds: Option<u32>) {
        self.state().max_age_seconds = seconds;
    }

    pub(crate) fn max_age(&self) -> Option<u32> {
        self.state().max_age_seconds
    }

    /// The poll number of the next response.
    #[must_use]
    pub fn poll(&self) -> u64 {
        self.state().poll
    }

    /// Advances to the next poll, even if it is frozen.
    pub fn advance(&self) {
        self.state().poll += 1;
    }

    /// Stops responses from advancing the poll number.
    pub fn freeze(&self) {
        self.state().frozen = true;
    }

    /// Lets responses with the feed advance the poll number again.
    pub fn thaw(&self) {
        self.state().frozen = false;
    }

    /// Counts of responses so far.
    #[must_use]
    pub fn statistics(&self) -> SimStatistics {
        self.state().statistics
    }

    /// Counts a request and returns its faults; `requested` are those in its query.
    pub(crate) fn begin(&self, requested: Option<Vec<InjectedFault>>) -> Vec<InjectedFault> {
        let mut state = self.state();
        state.statistics.requests += 1;
        if let Some(requested) = requested {
            return requested;
        }
        state.next_faults.pop_front().unwrap_or_else(|| state.faults.clone())
    }

    /// The picture of a base event, if it has one.
    pub(crate) fn picture(&self, base_event: u64) -> Option<String> {
        let catalogue = self.state().catalogue;
        let SimBaseEvent { title, details, .. } = catalogue.base_event(base_event.checked_sub(1)?, 0)?;
        details.image_url.map(|_| picture::draw(base_event, &title))
    }

    /// The current document, without counting a response.
    pub(crate) fn document(&self) -> FeedDocument {
        self.state().document()
    }

    /// The response to a HEAD request, which is not counted.
    pub(crate) fn peek(&self, is_known: impl FnOnce(&FeedDocument) -> bool) -> Delivery {
        let document = self.document();
        if is_known(&document) { Delivery::NotModified(document) } else { Delivery::Full(document) }
    }

    /// The response to a GET request. It is counted, and a full response advances the poll. Under one lock, so that
    /// concurrent requests get different polls.
    pub(crate) fn deliver(&self, is_known: impl FnOnce(&FeedDocument) -> bool) -> Delivery {
        let mut state = self.state();
        let document = state.document();
        if is_known(&document) {
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
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The response to a request without faults.
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
