//! Ids of the items of a feed, the same in every run, on every machine and database.
//!
//! Each is a UUIDv5 ([RFC 9562](https://www.rfc-editor.org/rfc/rfc9562#section-5.5)) in Marquee's namespace. Its name is the kind, the
//! provider's slug and the provider's ids, joined by the ASCII unit separator, which none of them can contain.

use uuid::{Uuid, uuid};

/// Must never change: every public id depends on it.
const NAMESPACE: Uuid = uuid!("6f1d2f0a-6a52-4c8e-9d0b-3b1f6f9a7c11");

/// The id of a base event.
#[must_use]
pub fn base_event_id(slug: &str, base_event: &str) -> Uuid {
    id(&["base_event", slug, base_event])
}

/// The public id of an event. The provider's event id is unique only within its base event.
#[must_use]
pub fn event_id(slug: &str, base_event: &str, event: &str) -> Uuid {
    id(&["event", slug, base_event, event])
}

/// The id of a venue.
#[must_use]
pub fn venue_id(slug: &str, venue: &str) -> Uuid {
    id(&["venue", slug, venue])
}

/// The id of a performer.
#[must_use]
pub fn performer_id(slug: &str, performer: &str) -> Uuid {
    id(&["performer", slug, performer])
}

fn id(parts: &[&str]) -> Uuid {
    Uuid::new_v5(&NAMESPACE, parts.join("\u{1f}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_never_change() {
        assert_eq!(event_id("fever", "322", "1642").to_string(), "c4a626ff-9f25-5533-a0a8-2b67472b5ee3");
    }

    #[test]
    fn event_ids_are_scoped_by_base_event() {
        assert_ne!(event_id("fever", "322", "1642"), event_id("fever", "1591", "1642"));
        assert_ne!(event_id("a", "bc", "d"), event_id("a", "b", "cd"));
    }
}
