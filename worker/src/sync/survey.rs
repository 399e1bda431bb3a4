//! What a whole feed says, in a few dozen bytes for each base event: enough to decide whether the feed is to be believed and
//! which of its base events must be looked into. The items themselves are read again where they differ.
//!
//! This is the only part of a sync whose memory grows with the feed, beside the table of known hashes that it is held against.

use std::{collections::HashMap, io, ops::Range, sync::Arc};

use uuid::Uuid;

use super::{fingerprint, identity};
use crate::provider::{
    format::{Conventions, FeedDocumentError, FeedFormat, FeedReadError},
    item::{BaseEventItem, ParsedFeed, Reject, RejectSubject},
    spool::Spool,
};

/// Base events of one feed. Each takes some hundred bytes with what is known of it; the largest feeds have some hundred thousand.
const MAX_BASE_EVENTS: usize = 2_000_000;
/// Rejects of which the text is kept; past them the reasons repeat, and the count is exact all the same.
const REJECTS_KEPT: usize = 1_000;

/// A document that can be read again, and how.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) spool: Arc<Spool>,
    pub(super) format: FeedFormat,
    pub(super) conventions: Conventions,
    /// Whose it is.
    pub(super) slug: String,
}

/// What a feed says.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// In the order of their ids; one that the feed has spread over several elements stands here more than once.
    elements: Vec<Element>,
    /// The items of a format that cannot be read again in parts, with what of them was rejected; their elements count them.
    held: Vec<(BaseEventItem, RejectedEvents)>,
    pub(super) event_count: usize,
    pub(super) rejects: Rejects,
}

/// One element of a base event.
#[derive(Clone, Copy, Debug)]
struct Element {
    id: Uuid,
    content_hash: i64,
    /// Where in the document it stands, or which of the held items it is.
    start: u64,
    length: u32,
    events: u32,
}

/// What could not be taken.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    /// The first of them, in the document's order.
    pub(super) kept: Vec<Reject>,
    /// All of them.
    pub(super) count: usize,
    /// The events that they stand for.
    pub(super) events: usize,
    /// Base events that were rejected, in the order of their ids: they count as present, with events that nobody knows.
    base_events: Vec<Uuid>,
    /// There is a base event that could not be recognised: any that is missing may be it.
    unrecognised: bool,
}

/// The rejected events of one base event.
#[derive(Clone, Debug, Default)]
pub(super) struct RejectedEvents {
    pub(super) ids: Vec<String>,
    /// There is one that could not be recognised: any that is missing may be it.
    pub(super) unrecognised: bool,
}

/// A base event that says something else than the copy, or is not in it.
#[derive(Debug)]
pub(super) struct Differing {
    pub(super) id: Uuid,
    places: Vec<Place>,
    /// The copy holds it.
    pub(super) is_known: bool,
    /// Another element of it was rejected: its events are not all there are.
    has_lost_events: bool,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    start: u64,
    length: u32,
}

/// The base events that are to be looked into, and those that the feed does not hold any more.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// In the document's order.
    pub(super) differing: Vec<Differing>,
    pub(super) vanished: Vec<Uuid>,
    pub(super) unchanged_events: usize,
}

/// One base event, whole.
#[derive(Debug)]
pub(super) struct Detail {
    pub(super) id: Uuid,
    pub(super) item: BaseEventItem,
    pub(super) rejected: RejectedEvents,
    pub(super) event_hashes: Vec<i64>,
    pub(super) content_hash: i64,
    /// The copy holds it.
    pub(super) is_known: bool,
}

/// What the copy holds of a provider's base events: their ids and content hashes, `None` for one that is not in the newest copy.
pub(super) type KnownHashes = Vec<(Uuid, Option<i64>)>;

impl Document {
    /// Reads the whole of it. To be called where it may block; it uses all cores.
    pub(super) fn survey(&self) -> Result<Survey, FeedReadError> {
        let mut survey = Survey::default();
        let digest = |feed| Survey::of_part(feed, &self.slug, !self.format.is_splittable());
        self.format.parse_spool(&self.spool, &self.conventions, digest, |part| survey.add(part))?;
        survey.elements.sort_unstable_by_key(|element| (element.id, element.start));
        survey.rejects.base_events.sort_unstable();
        survey.bring_together(self)?;
        Ok(survey)
    }

    /// Reads one base event again.
    pub(super) fn detail(&self, survey: &Survey, differing: &Differing) -> Result<Detail, FeedReadError> {
        Ok(self.whole(survey, differing)?.0)
    }

    /// A base event with all its elements brought together, and which of its events stand twice.
    fn whole(&self, survey: &Survey, differing: &Differing) -> Result<(Detail, Vec<Reject>), FeedReadError> {
        let (item, mut rejected, repeated) = if self.format.is_splittable() {
            let (mut item, mut rejects) = self.joined(&differing.places)?;
            let mut repeated = Vec::new();
            item.remove_duplicate_events(&mut repeated);
            rejects.extend(repeated.iter().cloned());
            let rejected = RejectedEvents::of(&rejects).remove(item.source_id.as_str()).unwrap_or_default();
            (item, rejected, repeated)
        } else {
            let index = usize::try_from(differing.places[0].start).unwrap_or(usize::MAX);
            let (item, rejected) = survey.held.get(index).cloned().ok_or_else(unreadable)?;
            (item, rejected, Vec::new())
        };
        rejected.unrecognised |= differing.has_lost_events;
        let (event_hashes, content_hash) = fingerprint::of_whole(&item, &rejected);
        let detail = Detail { id: differing.id, item, rejected, event_hashes, content_hash, is_known: differing.is_known };
        Ok((detail, repeated))
    }

    /// The elements of one base event, and what of them was rejected.
    fn joined(&self, places: &[Place]) -> Result<(BaseEventItem, Vec<Reject>), FeedReadError> {
        let mut joined: Option<BaseEventItem> = None;
        let mut rejects = Vec::new();
        for place in places {
            let mut feed = self.format.reparse(&self.spool, place.span(), &self.conventions)?;
            let item = feed.base_events.pop().ok_or_else(unreadable)?;
            rejects.append(&mut feed.rejects);
            match &mut joined {
                Some(joined) => joined.merge(item),
                None => joined = Some(item),
            }
        }
        Ok((joined.ok_or_else(unreadable)?, rejects))
    }
}

fn unreadable() -> FeedReadError {
    io::Error::other("the spooled document is not what it was when it was read first").into()
}

impl Survey {
    fn of_part(mut feed: ParsedFeed, slug: &str, holds: bool) -> Self {
        for base_event in &mut feed.base_events {
            base_event.remove_duplicate_events(&mut feed.rejects);
        }
        feed.rejects.sort_by_key(|reject| reject.span.start);
        let mut rejected = RejectedEvents::of(&feed.rejects);
        let mut survey = Self::default();
        for item in feed.base_events {
            let rejected = rejected.remove(item.source_id.as_str()).unwrap_or_default();
            let id = identity::base_event_id(slug, &item.source_id);
            let (_, content_hash) = fingerprint::of_whole(&item, &rejected);
            let start = if holds { survey.held.len() } else { item.span.start };
            survey.elements.push(Element {
                id,
                content_hash,
                start: start as u64,
                length: u32::try_from(item.span.len()).unwrap_or(u32::MAX),
                events: u32::try_from(item.events.len()).unwrap_or(u32::MAX),
            });
            survey.event_count += item.events.len();
            if holds {
                survey.held.push((item, rejected));
            }
        }
        survey.rejects = Rejects::of(feed.rejects, slug);
        survey
    }

    fn add(&mut self, mut part: Self) -> Result<(), FeedDocumentError> {
        self.elements.append(&mut part.elements);
        self.held.append(&mut part.held);
        self.event_count += part.event_count;
        self.rejects.add(part.rejects);
        if self.elements.len() + self.rejects.base_events.len() > MAX_BASE_EVENTS {
            return Err(FeedDocumentError::OverLimit { line: 1, limit: MAX_BASE_EVENTS, what: "base events in a feed" });
        }
        Ok(())
    }

    /// Sees to base events of which there is more than one element: what they say together was not known while each was read.
    fn bring_together(&mut self, document: &Document) -> Result<(), FeedReadError> {
        let mut elements = std::mem::take(&mut self.elements);
        for group in elements.chunk_by_mut(|left, right| left.id == right.id) {
            let id = group[0].id;
            let has_lost_events = self.rejects.base_events.binary_search(&id).is_ok();
            if group.len() == 1 && !has_lost_events {
                continue;
            }
            let places = group.iter().map(Place::of).collect();
            let (detail, repeated) = document.whole(self, &Differing { id, places, is_known: false, has_lost_events })?;
            let events: usize = group.iter().map(|element| element.events as usize).sum();
            let rejected_now = events - detail.item.events.len();
            self.event_count -= rejected_now;
            self.rejects.add_repeated(repeated, rejected_now);
            for element in group.iter_mut() {
                element.content_hash = detail.content_hash;
                element.events = 0;
            }
            group[0].events = u32::try_from(detail.item.events.len()).unwrap_or(u32::MAX);
        }
        self.elements = elements;
        Ok(())
    }

    /// Events of this feed for the guard: a rejected item counts as present.
    pub(super) fn events_present(&self) -> usize {
        self.event_count + self.rejects.events
    }

    /// Holds the feed against what the copy holds, which must be in the order of the ids. The places of what differs are in the
    /// answer; all others are forgotten.
    pub(super) fn compare(mut self, known: &KnownHashes) -> (Self, Comparison) {
        let elements = std::mem::take(&mut self.elements);
        let mut comparison = Comparison::default();
        let mut known = known.iter().peekable();
        let mut vanish = |(id, content_hash): &(Uuid, Option<i64>)| {
            let is_lost = !self.rejects.unrecognised && self.rejects.base_events.binary_search(id).is_err();
            if content_hash.is_some() && is_lost {
                comparison.vanished.push(*id);
            }
        };
        for group in elements.chunk_by(|left, right| left.id == right.id) {
            let first = group[0];
            while let Some(gone) = known.next_if(|(id, _)| *id < first.id) {
                vanish(gone);
            }
            let known_hash = known.next_if(|(id, _)| *id == first.id).map(|(_, content_hash)| *content_hash);
            if known_hash == Some(Some(first.content_hash)) {
                comparison.unchanged_events += first.events as usize;
            } else {
                comparison.differing.push(Differing {
                    id: first.id,
                    places: group.iter().map(Place::of).collect(),
                    is_known: known_hash.is_some(),
                    has_lost_events: self.rejects.base_events.binary_search(&first.id).is_ok(),
                });
            }
        }
        known.for_each(vanish);
        comparison.differing.sort_unstable_by_key(|differing| differing.places[0].start);
        (self, comparison)
    }
}

impl Place {
    fn of(element: &Element) -> Self {
        Self { start: element.start, length: element.length }
    }

    fn span(self) -> Range<u64> {
        self.start..self.start + u64::from(self.length)
    }
}

impl Differing {
    /// How much of the document it is.
    pub(super) fn bytes(&self) -> usize {
        self.places.iter().map(|place| place.length as usize).sum()
    }
}

impl RejectedEvents {
    /// The rejected events of each base event of which some were taken.
    fn of(rejects: &[Reject]) -> HashMap<&str, Self> {
        let mut rejected: HashMap<&str, Self> = HashMap::new();
        for reject in rejects {
            if let RejectSubject::Event { base_event, event } = &reject.subject {
                let of_base_event = rejected.entry(base_event).or_default();
                match event {
                    Some(id) => of_base_event.ids.push(id.clone()),
                    None => of_base_event.unrecognised = true,
                }
            }
        }
        rejected
    }
}

impl Rejects {
    fn of(mut rejects: Vec<Reject>, slug: &str) -> Self {
        let mut found = Self { count: rejects.len(), ..Self::default() };
        for reject in &rejects {
            found.events += reject.events;
            match &reject.subject {
                RejectSubject::BaseEvent(Some(id)) => found.base_events.push(identity::base_event_id(slug, id)),
                RejectSubject::BaseEvent(None) => found.unrecognised = true,
                RejectSubject::Event { .. } => {}
            }
        }
        rejects.truncate(REJECTS_KEPT);
        found.kept = rejects;
        found
    }

    fn add(&mut self, mut later: Self) {
        self.kept.append(&mut later.kept);
        self.kept.truncate(REJECTS_KEPT);
        self.count += later.count;
        self.events += later.events;
        self.base_events.append(&mut later.base_events);
        self.unrecognised |= later.unrecognised;
    }

    /// Adds events that turned out to stand in several elements, and of which some may stand here already.
    fn add_repeated(&mut self, rejects: Vec<Reject>, new: usize) {
        self.count += new;
        self.events += new;
        self.kept.extend(rejects);
        self.kept.sort_by_key(|reject| reject.span.start);
        self.kept.dedup_by_key(|reject| reject.span.start);
        self.kept.truncate(REJECTS_KEPT);
    }
}
