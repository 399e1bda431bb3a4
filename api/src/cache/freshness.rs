//! Whether a cached body may be served: no release may have changed it, or not for long.

use std::time::Duration;

use entity::footprint::Selection;

use super::{Cache, CachedBody, CachedQuery, Freshness, MinVersion, version::Superseded};

impl Cache {
    /// Whether a body is current; `None` if it must not be served, because a part of it was removed for legal reasons.
    pub(super) fn freshness(&self, body: &CachedBody, query: &impl CachedQuery) -> Option<Freshness> {
        self.freshness_of(body, || query.selection())
    }

    /// The same for the selection of its query.
    pub(super) fn freshness_of(&self, body: &CachedBody, selection: impl FnOnce() -> Selection) -> Option<Freshness> {
        let superseded = self.superseded_of(body, selection);
        match superseded {
            Some(superseded) if superseded.is_removed => None,
            superseded if !self.availability.is_available() || self.availability.is_check_overdue() => {
                Some(Freshness::DatabaseUnavailable(self.time_since_confirmed(superseded.unwrap_or_default())))
            }
            None => Some(Freshness::Fresh),
            Some(superseded) if superseded.age < self.revalidate_within => Some(Freshness::Revalidating(superseded.age)),
            Some(superseded) => Some(Freshness::Outdated(superseded.age)),
        }
    }

    /// What releases since the body was read mean for it; `None` while none may have changed it.
    pub(super) fn superseded(&self, body: &CachedBody, query: &impl CachedQuery) -> Option<Superseded> {
        self.superseded_of(body, || query.selection())
    }

    fn superseded_of(&self, body: &CachedBody, selection: impl FnOnce() -> Selection) -> Option<Superseded> {
        if body.restores != self.version.restores() {
            return Some(self.version.superseded_by_restore().unwrap_or_default());
        }
        let current = self.version.current().filter(|current| !body.is_confirmed_at(*current))?;
        let superseded = self.version.superseded(body.version, Some(&selection()));
        if superseded.is_none() {
            body.confirm_at(current);
        }
        superseded
    }

    /// Whether a body has a version that a client accepts. Those of an earlier history of the database cannot be compared.
    pub(super) fn accepts(&self, body: &CachedBody, minimum: MinVersion) -> bool {
        minimum.is_any() || body.restores == self.version.restores() && minimum.accepts(body.confirmed_version())
    }

    /// The time since the body was last known to be current.
    pub(super) fn time_since_confirmed(&self, superseded: Superseded) -> Duration {
        superseded.age.max(self.availability.time_since_response())
    }
}
