//! A summary of a whole feed, in a few dozen bytes per base event: enough to decide whether the feed is plausible and which base events
//! differ from the copy. Those are then read again.
//!
//! This is the only part of a sync that needs memory in proportion to the feed, besides the stored hashes that it is compared with.

use std::{collections::HashMap, io, num::NonZeroI64, ops::Range, sync::Arc};

use uuid::Uuid;

use super::{
    copied::{CopiedRow, CopiedRows, KnownElement, StoredElement},
    fingerprint,
    identity::ItemIds,
    rejects::{RejectSummary, RejectedEvents},
};
use crate::provider::{
    format::{Conventions, FeedDocumentError, FeedFormat, FeedReadError},
    item::{BaseEventItem, FeedWarnings, HashedElement, ParsedFeed, RejectedItem},
    pages::FetchedPages,
    spool::Spool,
};

/// Base events of one feed. Each takes about a hundred bytes with its stored hash; the largest feeds have some hundred thousand.
const MAX_BASE_EVENTS: usize = 2_000_000;

/// A feed that can be read again in parts, and how to read it.
#[derive(Debug)]
pub(super) struct SpooledFeed {
    pub(super) spool: Arc<Spool>,
    pub(super) pages: Option<Arc<FetchedPages>>,
    pub(super) format: FeedFormat,
    pub(super) conventions: Conventions,
    pub(super) ids: ItemIds,
    /// The copy, of which known elements are not parsed again.
    pub(super) copied: CopiedRows,
}

/// The summary of a feed.
#[derive(Debug, Default)]
pub(super) struct FeedSummary {
    /// Ordered by id; a base event that is spread over several elements occurs more than once.
    elements: Vec<Element>,
    /// The items, and their rejected events, of a format that cannot be read again in parts; their elements have indexes of this list.
    items: Vec<(BaseEventItem, RejectedEvents)>,
    pub(super) event_count: usize,
    pub(super) rejects: RejectSummary,
    pub(super) warnings: FeedWarnings,
}

/// One element of a base event.
#[derive(Clone, Copy, Debug)]
struct Element {
    id: Uuid,
    content_hash: i64,
    /// Its position in the document, or its index in the items.
    start: u64,
    length: u32,
    events: u32,
    /// The hash of its bytes, if they need not be parsed again. One of 0 is not used, so that this takes no more memory.
    hash: Option<NonZeroI64>,
}

/// A base event that differs from the copy or is new.
#[derive(Debug)]
pub(super) struct ChangedBaseEvent {
    pub(super) id: Uuid,
    spans: Vec<ElementSpan>,
    pub(super) is_copied: bool,
    /// Another of its elements was rejected: its events are not complete.
    is_incomplete: bool,
    element: Option<StoredElement>,
}

#[derive(Clone, Copy, Debug)]
struct ElementSpan {
    start: u64,
    length: u32,
}

/// The base events that differ from the copy, and those removed from the feed.
#[derive(Debug, Default)]
pub(super) struct FeedComparison {
    /// In the order of the document.
    pub(super) changed: Vec<ChangedBaseEvent>,
    pub(super) removed: Vec<Uuid>,
    pub(super) unchanged_events: usize,
    /// Events of base events that were never copied.
    pub(super) new_events: usize,
    /// Elements of unchanged base events that are to be stored.
    pub(super) learned: Vec<(Uuid, StoredElement)>,
}

/// A base event with all its elements.
#[derive(Debug)]
pub(super) struct BaseEventDetail {
    pub(super) id: Uuid,
    pub(super) item: BaseEventItem,
    pub(super) rejected: RejectedEvents,
    pub(super) event_hashes: Vec<i64>,
    pub(super) content_hash: i64,
    pub(super) is_copied: bool,
    pub(super) element: Option<StoredElement>,
}

impl SpooledFeed {
    /// Reads the whole feed. It blocks and uses all cores.
    pub(super) fn summarize(&self) -> Result<FeedSummary, FeedReadError> {
        let warnings = self.pages.as_ref().map(|pages| pages.warnings.clone()).unwrap_or_default();
        let mut summary = FeedSummary { warnings, ..FeedSummary::default() };
        let digest = |feed| FeedSummary::summarize_part(feed, self);
        self.copied.with_filter(|filter| {
            self.format.parse_spool(&self.spool, (&self.conventions, filter), digest, |part| summary.add(part))
        })?;
        summary.elements.sort_unstable_by_key(|element| (element.id, element.start));
        summary.rejects.sort();
        summary.merge_elements(self)?;
        Ok(summary)
    }

    /// Reads one base event again.
    pub(super) fn read_detail(
        &self,
        summary: &FeedSummary,
        changed: &ChangedBaseEvent,
    ) -> Result<BaseEventDetail, FeedReadError> {
        Ok(self.read_whole(summary, changed)?.0)
    }

    /// Reads a base event with all its elements merged, and the warnings about events that several of them have.
    fn read_whole(
        &self,
        summary: &FeedSummary,
        changed: &ChangedBaseEvent,
    ) -> Result<(BaseEventDetail, FeedWarnings), FeedReadError> {
        let mut warnings = FeedWarnings::default();
        let (item, mut rejected) = if self.format.is_splittable() {
            let (mut item, rejects) = self.merge_spans(&changed.spans)?;
            item.remove_duplicate_events(&mut warnings);
            let rejected = RejectedEvents::group(&rejects).remove(item.source_id.as_str()).unwrap_or_default();
            (item, rejected)
        } else {
            let index = usize::try_from(changed.spans[0].start).unwrap_or(usize::MAX);
            summary.items.get(index).cloned().ok_or_else(changed_spool)?
        };
        rejected.has_unidentified |= changed.is_incomplete;
        let (event_hashes, content_hash) = fingerprint::hash_base_event(&item, &rejected);
        let ChangedBaseEvent { id, is_copied, element, .. } = *changed;
        let detail = BaseEventDetail { id, item, rejected, event_hashes, content_hash, is_copied, element };
        Ok((detail, warnings))
    }

    /// Reads and merges the elements of one base event, with their rejects.
    fn merge_spans(&self, spans: &[ElementSpan]) -> Result<(BaseEventItem, Vec<RejectedItem>), FeedReadError> {
        let mut merged: Option<BaseEventItem> = None;
        let mut rejects = Vec::new();
        for span in spans {
            let mut feed = self.format.reparse(&self.spool, span.range(), &self.conventions)?;
            let item = feed.base_events.pop().ok_or_else(changed_spool)?;
            rejects.append(&mut feed.rejects);
            match &mut merged {
                Some(merged) => merged.merge(item),
                None => merged = Some(item),
            }
        }
        let mut merged = merged.ok_or_else(changed_spool)?;
        if spans.len() > 1 {
            merged.finish_merge();
        }
        Ok((merged, rejects))
    }
}

fn changed_spool() -> FeedReadError {
    io::Error::other("the temporary file of the document has changed since it was first read").into()
}

impl FeedSummary {
    fn summarize_part(mut feed: ParsedFeed, SpooledFeed { ids, format, copied, .. }: &SpooledFeed) -> Self {
        let keep_items = !format.is_splittable();
        let mut recognizable: HashMap<usize, i64> =
            feed.recognizable.iter().map(|element| (element.span.start, element.hash)).collect();
        for base_event in &mut feed.base_events {
            let events = base_event.events.len();
            base_event.remove_duplicate_events(&mut feed.warnings);
            if base_event.events.len() < events {
                recognizable.remove(&base_event.span.start);
            }
        }
        feed.warnings.sort();
        let mut rejected = RejectedEvents::group(&feed.rejects);
        let mut summary = Self::default();
        for item in feed.base_events {
            let rejected = rejected.remove(item.source_id.as_str()).unwrap_or_default();
            let id = ids.base_event(&item.source_id);
            let (_, content_hash) = fingerprint::hash_base_event(&item, &rejected);
            let start = if keep_items { summary.items.len() } else { item.span.start };
            summary.elements.push(Element {
                id,
                content_hash,
                start: start as u64,
                length: u32::try_from(item.span.len()).unwrap_or(u32::MAX),
                events: u32::try_from(item.events.len()).unwrap_or(u32::MAX),
                hash: recognizable.get(&item.span.start).copied().and_then(NonZeroI64::new),
            });
            summary.event_count += item.events.len();
            if keep_items {
                summary.items.push((item, rejected));
            }
        }
        for HashedElement { hash, span } in feed.known {
            let Some(KnownElement { id, content_hash, events }) = copied.find(hash) else { continue };
            let length = u32::try_from(span.len()).unwrap_or(u32::MAX);
            summary.elements.push(Element {
                id,
                content_hash,
                start: span.start as u64,
                length,
                events,
                hash: NonZeroI64::new(hash),
            });
            summary.event_count += events as usize;
        }
        summary.rejects = RejectSummary::new(feed.rejects, ids);
        summary.warnings = feed.warnings;
        summary
    }

    fn add(&mut self, mut part: Self) -> Result<(), FeedDocumentError> {
        self.elements.append(&mut part.elements);
        self.items.append(&mut part.items);
        self.event_count += part.event_count;
        self.rejects.add(part.rejects);
        self.warnings.append(part.warnings);
        if self.elements.len() + self.rejects.base_events.len() > MAX_BASE_EVENTS {
            return Err(FeedDocumentError::OverLimit { line: 1, limit: MAX_BASE_EVENTS, what: "base events in a feed" });
        }
        Ok(())
    }

    /// Merges base events that have more than one element: their content was not known while each element was read.
    fn merge_elements(&mut self, feed: &SpooledFeed) -> Result<(), FeedReadError> {
        let mut elements = std::mem::take(&mut self.elements);
        for group in elements.chunk_by_mut(|left, right| left.id == right.id) {
            let id = group[0].id;
            let is_incomplete = self.rejects.base_events.binary_search(&id).is_ok();
            if group.len() == 1 && !is_incomplete {
                continue;
            }
            let spans = group.iter().map(ElementSpan::from).collect();
            let (detail, duplicates) =
                feed.read_whole(self, &ChangedBaseEvent { id, spans, is_copied: false, is_incomplete, element: None })?;
            let events: usize = group.iter().map(|element| element.events as usize).sum();
            let repeated = events - detail.item.events.len();
            self.event_count -= repeated;
            self.warnings.merge(duplicates, repeated);
            for element in group.iter_mut() {
                element.content_hash = detail.content_hash;
                element.events = 0;
                element.hash = None;
            }
            group[0].events = u32::try_from(detail.item.events.len()).unwrap_or(u32::MAX);
        }
        self.elements = elements;
        Ok(())
    }

    /// The number of events for the guard: rejected ones count as present.
    pub(super) fn events_present(&self) -> usize {
        self.event_count + self.rejects.events
    }

    /// Compares the feed with the hashes of the copy, which must be ordered by id. Only the elements of changed base events are retained.
    ///
    /// A base event without a readable id may be any that is missing, unless the previous feed had as many.
    pub(super) fn compare(mut self, copied: &[CopiedRow], previously_unidentified: usize) -> (Self, FeedComparison) {
        let elements = std::mem::take(&mut self.elements);
        let all_are_known = self.rejects.unidentified <= previously_unidentified;
        let mut comparison = FeedComparison::default();
        let mut copied = copied.iter().peekable();
        let mut remove = |copied: &CopiedRow| {
            let is_removed = all_are_known && !self.rejects.contains(&copied.id);
            if copied.content_hash().is_some() && is_removed {
                comparison.removed.push(copied.id);
            }
        };
        for group in elements.chunk_by(|left, right| left.id == right.id) {
            let first = group[0];
            while let Some(missing) = copied.next_if(|copied| copied.id < first.id) {
                remove(missing);
            }
            let copied = copied.next_if(|copied| copied.id == first.id);
            let element = first.hash.map(|hash| StoredElement::new(hash.get(), first.content_hash, first.events));
            if copied.is_some_and(|copied| copied.content_hash() == Some(first.content_hash)) {
                comparison.unchanged_events += first.events as usize;
                if copied.is_some_and(|copied| !copied.has_element) {
                    comparison.learned.extend(element.map(|element| (first.id, element)));
                }
            } else {
                if copied.is_none() {
                    comparison.new_events += group.iter().map(|element| element.events as usize).sum::<usize>();
                }
                comparison.changed.push(ChangedBaseEvent {
                    id: first.id,
                    spans: group.iter().map(ElementSpan::from).collect(),
                    is_copied: copied.is_some(),
                    is_incomplete: self.rejects.base_events.binary_search(&first.id).is_ok(),
                    element,
                });
            }
        }
        copied.for_each(remove);
        comparison.changed.sort_unstable_by_key(|changed| changed.spans[0].start);
        (self, comparison)
    }
}

impl From<&Element> for ElementSpan {
    fn from(element: &Element) -> Self {
        Self { start: element.start, length: element.length }
    }
}

impl ElementSpan {
    fn range(self) -> Range<u64> {
        self.start..self.start + u64::from(self.length)
    }
}

impl FeedComparison {
    /// The size of the changed base events in the document.
    pub(super) fn bytes(&self) -> usize {
        self.changed.iter().map(ChangedBaseEvent::bytes).sum()
    }
}

impl ChangedBaseEvent {
    /// Its size in the document.
    pub(super) fn bytes(&self) -> usize {
        self.spans.iter().map(|span| span.length as usize).sum()
    }
}
