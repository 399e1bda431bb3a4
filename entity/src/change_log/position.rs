//! Positions in the log.

use serde::{Deserialize, Serialize};

use crate::{Cursor, UtcInstant, catalogue_version};

/// To what cursors of the log belong. They do not depend on filters, so that a consumer can change them.
pub const LOG: &str = "/changes";
/// Sorts after all changes of a release.
const AFTER_RELEASE: i32 = i32::MAX;

/// A position in the log: after the change with this version and ordinal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChangePosition {
    /// The version of the release.
    pub version: i64,
    /// The position in the release.
    pub ordinal: i32,
    /// When the release was made, in microseconds. A database that was restored from a backup may reach the same version again, but not
    /// at the same instant.
    pub at: i64,
}

/// The cursor of a position.
pub type ChangeCursor = Cursor<ChangePosition>;

impl ChangePosition {
    /// What positions are ordered by.
    #[must_use]
    pub fn order(self) -> (i64, i32) {
        (self.version, self.ordinal)
    }

    /// Whether changes after it may be among those that were removed through this version.
    pub(super) fn is_before_end_of(self, removed_through: i64) -> bool {
        self.order() < (removed_through, AFTER_RELEASE)
    }
}

/// The cursor after a change.
#[must_use]
pub fn cursor_after(version: i64, ordinal: i32, at: UtcInstant) -> ChangeCursor {
    Cursor::new(ChangePosition { version, ordinal, at: at.0 }, LOG)
}

/// The cursor after all changes of a version.
#[must_use]
pub fn cursor_after_release(catalogue: &catalogue_version::Model) -> ChangeCursor {
    cursor_after_version(catalogue.version, catalogue.raised_at)
}

/// The cursor after all changes of a version that was raised at this instant.
#[must_use]
pub fn cursor_after_version(version: i64, raised_at: UtcInstant) -> ChangeCursor {
    cursor_after(version, AFTER_RELEASE, raised_at)
}

/// Parses a cursor of the log.
///
/// # Errors
///
/// With the requirement that the text does not meet.
pub fn parse_cursor(text: &str) -> Result<ChangeCursor, String> {
    let cursor: Option<ChangeCursor> = text.parse().ok();
    cursor.filter(|cursor| cursor.belongs_to(LOG)).ok_or_else(|| "must be a cursor of `/changes` or `/events.ndjson`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_release_is_after_its_removed_changes() {
        let position = |version, ordinal| ChangePosition { version, ordinal, at: 0 };
        assert!(position(6, AFTER_RELEASE).is_before_end_of(7));
        assert!(position(7, 0).is_before_end_of(7), "only some of its changes may be removed");
        assert!(!position(7, AFTER_RELEASE).is_before_end_of(7));
        assert!(!position(8, 0).is_before_end_of(7));
    }

    #[test]
    fn cursors_of_other_lists_are_rejected() {
        let cursor = cursor_after(7, 3, UtcInstant(5));
        assert_eq!(parse_cursor(&cursor.encode()), Ok(cursor));
        let of_list = Cursor::new(cursor.sort_key, "/search");
        assert!(parse_cursor(&of_list.encode()).is_err() && parse_cursor("x").is_err());
    }
}
