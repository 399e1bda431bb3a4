//! A range of time as lists of events take it: `starts_at` and `ends_at`.

use entity::UtcInstant;

use super::{Edge, Parameters, ValidationErrors, parse_moment, to_rfc3339};

/// From when and until when; both are open if they were not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Events start at or after this.
    pub starts_at: Option<UtcInstant>,
    /// Events end at or before this.
    pub ends_at: Option<UtcInstant>,
}

impl Range {
    /// Reads the two parameters.
    #[must_use]
    pub fn read(parameters: &Parameters<'_>, errors: &mut ValidationErrors) -> Self {
        let starts_at = parameters.get("starts_at", errors, |text| parse_moment(text, Edge::Start));
        let ends_at = parameters.get("ends_at", errors, |text| parse_moment(text, Edge::End));
        if let (Some(starts_at), Some(ends_at)) = (starts_at, ends_at)
            && starts_at > ends_at
        {
            errors.add("ends_at", format!("must not be before starts_at, which is {}", to_rfc3339(starts_at)));
        }
        Self { starts_at, ends_at }
    }

    /// The two in one form, however they were written.
    pub fn filters(&self) -> impl Iterator<Item = (&'static str, String)> {
        let filter = |name, instant: Option<UtcInstant>| instant.map(|instant| (name, to_rfc3339(instant)));
        [filter("starts_at", self.starts_at), filter("ends_at", self.ends_at)].into_iter().flatten()
    }
}
