//! Mentions of events: nodes without a date that name an event with one elsewhere in the document, as listings do.

use std::collections::{HashMap, HashSet};

use super::{graph::EventNode, kinds::has_dates, node::JsonLdNode, value::JsonObject};

/// What identifies the events with dates.
#[derive(Debug, Default)]
pub(super) struct EventKeys<'t> {
    ids: HashSet<&'t str>,
    /// Their URLs, and whether an event with this URL has no other id.
    urls: HashMap<&'t str, bool>,
}

impl<'t> EventKeys<'t> {
    pub(super) fn of(events: &[EventNode<'t>]) -> Self {
        let mut keys = Self::default();
        for event in events.iter().filter(|event| has_dates(event.object)) {
            let [id, own_id, url] = identify(event.object);
            keys.ids.extend([id, own_id].into_iter().flatten());
            if let Some(url) = url {
                *keys.urls.entry(url).or_default() |= id.is_none() && own_id.is_none();
            }
        }
        keys
    }

    /// The id or URL of the event that a node mentions. Nodes with different ids are different, even if they are on the same page.
    pub(super) fn find(&self, object: &'t JsonObject<'t>) -> Option<&'t str> {
        let [id, own_id, url] = identify(object);
        let by_id = [id, own_id].into_iter().flatten().find(|id| self.ids.contains(id));
        let is_same =
            |url: &&'t str| self.urls.get(url).is_some_and(|is_only_id| *is_only_id || (id.is_none() && own_id.is_none()));
        by_id.or_else(|| url.filter(is_same))
    }
}

/// The `@id` of a node, its id, and its URL. Blank nodes have another id in each document.
pub(super) fn identify<'t>(object: &'t JsonObject<'t>) -> [Option<&'t str>; 3] {
    let node = JsonLdNode::new(object, None);
    [object.reference_id().filter(|id| !id.starts_with("_:")), node.own_id(), node.text("url")]
}
