//! A summary of a whole feed, in 48 bytes per base event: enough to decide whether the feed is plausible and which base events differ from
//! the copy. Those are then read again.
//!
//! This is the only part of a sync that needs memory in proportion to the feed, besides the stored hashes that it is compared with.

use std::{collections::HashMap, io, iter, num::NonZeroI64, ops::Range, sync::Arc};

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
    /// The first element of each base event, ordered by id.
    elements: Vec<Element>,
    /// The others of base events that are spread over several elements, ordered by id and position.
    later_elements: Vec<Element>,
    /// The items, and their rejected events, of a format that cannot be read again in parts; their elements have indexes of this list.
    items: Vec<(BaseEventItem, RejectedEvents)>,
    pub(super) event_count: usize,
    pub(super) rejects: RejectSummary,
    pub(super) warnings: FeedWarnings,
}

/// One element of a base event. If it is the first, the content and the events are those of all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    id: Uuid,
    content_hash: i64,
    /// Its position in the document, or its index in the items.
    start: u64,
    length: u32,
    events: u32,
    /// The hash of its bytes, if they need not be parsed again. One of 0 is not used, so that this takes no more memory.
    hash: Option<NonZeroI64>,
}

/// The base events that differ from the copy, and those removed from the feed.
#[derive(Debug, Default)]
pub(super) struct FeedComparison {
    /// The first elements of those that are new or differ from the copy, in the order of the document.
    pub(super) changed: Vec<Element>,
    /// Their size in the document.
    pub(super) changed_bytes: usize,
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
        // Probably as many as the copy has: growing the list step by step would need more memory than the list.
        let elements = Vec::with_capacity(self.copied.rows.len());
        let mut summary = FeedSummary { elements, warnings, ..FeedSummary::default() };
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
    pub(super) fn read_detail(&self, summary: &FeedSummary, first: &Element) -> Result<BaseEventDetail, FeedReadError> {
        Ok(self.read_whole(summary, first)?.0)
    }

    /// Reads a base event with all its elements merged, and the warnings about events that several of them have.
    fn read_whole(&self, summary: &FeedSummary, first: &Element) -> Result<(BaseEventDetail, FeedWarnings), FeedReadError> {
        let mut warnings = FeedWarnings::default();
        let (item, mut rejected) = if self.format.is_splittable() {
            let (mut item, rejects) = self.read_elements(first, summary.find_later(first.id))?;
            item.remove_duplicate_events(&mut warnings);
            let rejected = RejectedEvents::group(&rejects).remove(item.source_id.as_str()).unwrap_or_default();
            (item, rejected)
        } else {
            let index = usize::try_from(first.start).unwrap_or(usize::MAX);
            summary.items.get(index).cloned().ok_or_else(changed_spool)?
        };
        rejected.has_unidentified |= summary.is_incomplete(first.id);
        let (event_hashes, content_hash) = fingerprint::hash_base_event(&item, &rejected);
        let detail = BaseEventDetail {
            id: first.id,
            item,
            rejected,
            event_hashes,
            content_hash,
            is_copied: self.copied.contains(first.id),
            element: first.to_stored(),
        };
        Ok((detail, warnings))
    }

    /// Reads and merges the elements of one base event, with their rejects.
    fn read_elements(&self, first: &Element, later: &[Element]) -> Result<(BaseEventItem, Vec<RejectedItem>), FeedReadError> {
        let mut merged: Option<BaseEventItem> = None;
        let mut rejects = Vec::new();
        for element in iter::once(first).chain(later) {
            let mut feed = self.format.reparse(&self.spool, element.span(), &self.conventions)?;
            let item = feed.base_events.pop().ok_or_else(changed_spool)?;
            rejects.append(&mut feed.rejects);
            match &mut merged {
                Some(merged) => merged.merge(item),
                None => merged = Some(item),
            }
        }
        let mut merged = merged.ok_or_else(changed_spool)?;
        if !later.is_empty() {
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

    /// Merges base events that have more than one element: their content was not known while each element was read. The elements are
    /// ordered by id and position.
    fn merge_elements(&mut self, feed: &SpooledFeed) -> Result<(), FeedReadError> {
        let Self { elements, later_elements, .. } = self;
        elements.dedup_by(|later, first| {
            let is_same = later.id == first.id;
            if is_same {
                first.events += later.events;
                later_elements.push(*later);
            }
            is_same
        });
        let mut elements = std::mem::take(elements);
        for first in &mut elements {
            if self.find_later(first.id).is_empty() && !self.is_incomplete(first.id) {
                continue;
            }
            let (detail, duplicates) = feed.read_whole(self, first)?;
            let events = u32::try_from(detail.item.events.len()).unwrap_or(u32::MAX);
            let repeated = (first.events - events) as usize;
            self.event_count -= repeated;
            self.warnings.merge(duplicates, repeated);
            *first = Element { content_hash: detail.content_hash, events, hash: None, ..*first };
        }
        self.elements = elements;
        Ok(())
    }

    /// The elements of a base event after its first one.
    fn find_later(&self, id: Uuid) -> &[Element] {
        let later = &self.later_elements;
        let start = later.partition_point(|element| element.id < id);
        let count = later[start..].partition_point(|element| element.id == id);
        &later[start..start + count]
    }

    /// Whether an element of a base event was rejected: its events are not complete.
    fn is_incomplete(&self, base_event: Uuid) -> bool {
        self.rejects.base_events.binary_search(&base_event).is_ok()
    }

    /// The size of a base event in the document.
    pub(super) fn count_bytes(&self, first: &Element) -> usize {
        iter::once(first).chain(self.find_later(first.id)).map(|element| element.length as usize).sum()
    }

    /// The number of events for the guard: rejected ones count as present.
    pub(super) fn events_present(&self) -> usize {
        self.event_count + self.rejects.events
    }

    /// Compares the feed with the hashes of the copy, which must be ordered by id. Only the elements of changed base events are retained.
    ///
    /// A base event without a readable id may be any that is missing, unless the previous feed had as many.
    pub(super) fn compare(mut self, copied: &[CopiedRow], previously_unidentified: usize) -> (Self, FeedComparison) {
        // The elements become the result: there may be millions.
        let mut changed = std::mem::take(&mut self.elements);
        let all_are_known = self.rejects.unidentified <= previously_unidentified;
        let mut comparison = FeedComparison::default();
        let mut copied = copied.iter().peekable();
        let mut remove = |copied: &CopiedRow| {
            let is_removed = all_are_known && !self.rejects.contains(&copied.id);
            if copied.content_hash().is_some() && is_removed {
                comparison.removed.push(copied.id);
            }
        };
        changed.retain(|element| {
            while let Some(missing) = copied.next_if(|copied| copied.id < element.id) {
                remove(missing);
            }
            let copied = copied.next_if(|copied| copied.id == element.id);
            if let Some(copied) = copied.filter(|copied| copied.content_hash() == Some(element.content_hash)) {
                comparison.unchanged_events += element.events as usize;
                let learned = element.to_stored().filter(|stored| *stored != copied.element());
                comparison.learned.extend(learned.map(|stored| (element.id, stored)));
                return false;
            }
            if copied.is_none() {
                comparison.new_events += element.events as usize;
            }
            comparison.changed_bytes += self.count_bytes(element);
            true
        });
        copied.for_each(remove);
        changed.shrink_to_fit();
        changed.sort_unstable_by_key(|element| element.start);
        comparison.changed = changed;
        (self, comparison)
    }
}

impl Element {
    fn span(&self) -> Range<u64> {
        self.start..self.start + u64::from(self.length)
    }

    /// `None` if the base event must be parsed the next time.
    fn to_stored(self) -> Option<StoredElement> {
        self.hash.map(|hash| StoredElement::new(hash.get(), self.content_hash, self.events))
    }
}
