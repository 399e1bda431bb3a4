//! Ids of the items of a feed, the same in every run, on every machine and database.
//!
//! Each is a UUIDv5 ([RFC 9562](https://www.rfc-editor.org/rfc/rfc9562#section-5.5)) in Marquee's namespace. Its name is the kind, the
//! provider's slug and the provider's ids, joined by the ASCII unit separator, which none of them can contain.

use chrono::{NaiveDate, NaiveDateTime};
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

/// The key of an event without its date, which is the same after its provider has moved it: what precedes `#` and a local time or `/` and a
/// time in UTC, or the key without the date of this wall clock. `None` if it contains no date.
#[must_use]
pub fn undated_key(key: &str, wall_clock: &str) -> Option<String> {
    let before = |separator, is_time: fn(&str) -> bool| {
        key.rsplit_once(separator).filter(|(_, time)| is_time(time)).map(|(id, _)| id.to_owned())
    };
    before('#', is_wall_clock).or_else(|| before('/', is_compact_time)).or_else(|| {
        let date = wall_clock.get(..10)?;
        let undated = key.replace(date, "").replace(&date.replace('-', ""), "");
        (undated != key).then_some(undated)
    })
}

fn is_wall_clock(text: &str) -> bool {
    text.parse::<NaiveDateTime>().is_ok() || text.parse::<NaiveDate>().is_ok()
}

fn is_compact_time(text: &str) -> bool {
    NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").is_ok() || NaiveDate::parse_from_str(text, "%Y%m%d").is_ok()
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

    #[test]
    fn a_key_without_its_date_is_the_same_on_all_dates() {
        for (keys, expected) in [
            (
                [("https://a.example/jazz#2131-07-01T20:00:00", ""), ("https://a.example/jazz#2131-07-02", "")],
                "https://a.example/jazz",
            ),
            ([("7@example/21310630T190000Z", ""), ("7@example/21310701", "")], "7@example"),
            ([("jazz-2131-06-30-a", "2131-06-30T20:00:00"), ("jazz-21310702-a", "2131-07-02")], "jazz--a"),
        ] {
            assert_eq!(keys.map(|(key, start)| undated_key(key, start)), [Some(expected.to_owned()), Some(expected.to_owned())]);
        }
        for key in ["1642", "https://a.example/#events", "https://a.example/2131/7", "jazz-2131-07-01"] {
            assert_eq!(undated_key(key, "2131-06-30T20:00:00"), None, "{key}");
        }
    }
}
