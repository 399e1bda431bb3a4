//! Parses documents of formats that cannot be split: each page as a whole, and all their items together.

use std::collections::HashSet;

use bytes::Bytes;

use super::{Conventions, FeedDocumentError, FeedFormat, FeedReadError, WholeParser, schema_org, values::describe_missing};
use crate::provider::{
    item::{ParsedFeed, RejectSubject, RejectedItem},
    spool::{Spool, SpoolView},
};

/// The largest document or page: it is in memory together with all its items.
pub(super) const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Events, zones and performers of all pages, which are in memory together.
const MAX_ITEMS: usize = 2_000_000;
const NO_EVENTS: FeedDocumentError = FeedDocumentError::NoItems { detail: "no page of the feed has an event of schema.org" };

/// Parses a document. Every base event and event of the result is unique.
pub(super) fn parse_spool(
    format: (&FeedFormat, WholeParser),
    spool: &Spool,
    conventions: &Conventions,
) -> Result<ParsedFeed, FeedReadError> {
    parse_items(format, spool, conventions).map(ParsedFeed::deduplicate)
}

/// Parses a document with every item, also those that occur several times.
///
/// Of web pages, most may have no events, and one that cannot be read is a rejected item, because sites have pages of many kinds.
pub(super) fn parse_items(
    (format, parser): (&FeedFormat, WholeParser),
    spool: &Spool,
    conventions: &Conventions,
) -> Result<ParsedFeed, FeedReadError> {
    let mut feed = ParsedFeed::default();
    let mut is_read = false;
    for view in spool.views() {
        let is_web_page = format.reads_pages && view.page.is_some();
        match read(view).and_then(|page| Ok(parser(&page, conventions)?)) {
            Ok(mut page) => {
                page.shift_spans(usize::try_from(view.start()).unwrap_or(usize::MAX));
                feed.append(page);
                is_read = true;
            }
            Err(FeedReadError::Document(FeedDocumentError::Empty | FeedDocumentError::NoItems { .. })) if is_web_page => {}
            Err(FeedReadError::Document(error @ FeedDocumentError::NoEvents { .. })) if is_web_page => {
                feed.warnings.push(usize::try_from(view.start()).unwrap_or(usize::MAX), error.to_string());
            }
            Err(FeedReadError::Document(error)) if is_web_page && !matches!(error, FeedDocumentError::OverLimit { .. }) => {
                feed.rejects.push(reject_page(view, &error));
                is_read = true;
            }
            Err(error) => return Err(format.describe_error_in(view, error)),
        }
        if feed.count_items() > MAX_ITEMS {
            let error = FeedDocumentError::OverLimit { line: 1, limit: MAX_ITEMS, what: "items in a feed" };
            return Err(FeedReadError::from(error).in_page(view.page));
        }
    }
    remove_mentions(&mut feed);
    if is_read { Ok(feed) } else { Err(NO_EVENTS.into()) }
}

/// Removes the rejects of nodes that only mention an event: they lack a start, and the event is on another page.
fn remove_mentions(feed: &mut ParsedFeed) {
    if !feed.rejects.iter().any(is_undated) {
        return;
    }
    let events = feed.base_events.iter().flat_map(|base_event| &base_event.events);
    // Of an event that is identified by its URL, only the URL is known without its start.
    let without_start = |id: &'_ str| id.rsplit_once('#').map(|(url, _)| url.to_owned());
    let urls: HashSet<String> = events.clone().filter_map(|event| without_start(&event.source_id)).collect();
    let ids: HashSet<&str> = events.map(|event| event.source_id.as_str()).collect();
    feed.rejects.retain(|reject| {
        let is_known = match &reject.subject {
            RejectSubject::Event { event: Some(id), .. } => ids.contains(id.as_str()),
            RejectSubject::Event { base_event, event: None } => urls.contains(base_event),
            RejectSubject::BaseEvent(_) => false,
        };
        !(is_known && is_undated(reject))
    });
}

/// Whether an item was rejected only because it has no start.
fn is_undated(reject: &RejectedItem) -> bool {
    reject.reason == describe_missing(&[schema_org::START])
}

fn read(view: SpoolView<'_>) -> Result<Bytes, FeedReadError> {
    if view.len() > MAX_BYTES {
        let limit = usize::try_from(MAX_BYTES).unwrap_or(usize::MAX);
        return Err(FeedDocumentError::OverLimit { line: 1, limit, what: "bytes for this format" }.into());
    }
    Ok(view.read(0..view.len())?)
}

/// A page may have any of the events that are missing.
fn reject_page(view: SpoolView<'_>, error: &FeedDocumentError) -> RejectedItem {
    let [start, end] = [view.start(), view.start() + view.len()].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
    RejectedItem { span: start..end, subject: RejectSubject::BaseEvent(None), events: 1, reason: error.to_string() }
}
