//! `GET /events/{id}?as_of=`: an event as it was, from its row and the changes since then
//! ([ADR 62](../../../../../docs/adr/0062-past-states.md)).

mod clock;
mod fields;
mod response;
mod rows;

use entity::UtcInstant;
use poem_openapi::registry::MetaSchema;

pub use self::response::{EventReply, PastEvent, PastEventReply, PastMeta, PastZone};
pub use self::rows::newest_changes_statement;
pub(super) use self::rows::{CHANGES_PER_PAGE, find, read_newest};
use crate::query::{Edge, Moment, ParameterKind};

/// An instant in the past.
#[derive(Debug)]
pub struct PastInstant;

impl ParameterKind for PastInstant {
    fn schema() -> MetaSchema {
        MetaSchema::new_with_format("string", "date-time")
    }
}

/// Parses an instant. One that is finer than a microsecond is rounded down: nothing changes in between.
pub(super) fn parse_instant(text: &str) -> Result<UtcInstant, String> {
    let requirement = || "must be RFC 3339 with an offset such as 2021-02-01T00:00:00Z".to_owned();
    match Moment::parse(text) {
        Ok(instant @ Moment::Instant(_)) => instant.resolve(chrono_tz::Tz::UTC, Edge::End),
        _ => Err(requirement()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_instants_are_parsed() {
        for (text, micros) in
            [("1970-01-01T00:00:01Z", 1_000_000), ("1970-01-01T01:00:00.0000015+01:00", 1), ("1970-01-01T01:00:00 01:00", 0)]
        {
            assert_eq!(parse_instant(text), Ok(UtcInstant(micros)), "{text}");
        }
        for text in ["1970-01-01", "1970-01-01T00:00:00", "yesterday", "", "0000-01-01T00:00:00+23:00"] {
            assert!(parse_instant(text).is_err(), "{text}");
        }
    }
}
