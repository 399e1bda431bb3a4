//! The releases that this process knows, and when it detected each: since when a body that was read before is superseded.

use std::{collections::VecDeque, time::Instant};

use entity::{
    UtcInstant, catalogue_version,
    footprint::{Footprint, Selection},
    release,
};

/// Releases that are remembered: at two per second, those of the last half hour.
pub(super) const CAPACITY: i64 = 4_096;

/// The releases that a process has detected, in ascending order.
#[derive(Debug)]
pub(super) struct ReleaseLog {
    started: Instant,
    /// Every release after this version is known.
    complete_after: i64,
    releases: VecDeque<KnownRelease>,
}

#[derive(Debug)]
struct KnownRelease {
    version: i64,
    /// `None` for the last of several versions without a release.
    raised_at: Option<UtcInstant>,
    footprint: Footprint,
    detected: Instant,
}

impl ReleaseLog {
    /// A log without releases. `started` is earlier than all detections.
    pub(super) fn new(started: Instant) -> Self {
        Self { started, complete_after: i64::MAX, releases: VecDeque::new() }
    }

    /// The version after which releases must be read to continue with those up to `head`; `None` if there are none.
    pub(super) fn position(&self, head: i64) -> Option<i64> {
        let last = self.releases.back().map_or(i64::MIN, |release| release.version);
        (last < head).then(|| last.max(head - CAPACITY))
    }

    /// Adds the releases after [`position`](Self::position). One that is later than the version that was read before them is read again.
    pub(super) fn extend(&mut self, releases: Vec<release::ReleasedFootprint>, head: &catalogue_version::Model, now: Instant) {
        let Some(position) = self.position(head.version) else { return };
        if self.releases.is_empty() {
            self.complete_after = position;
        }
        let mut last = self.releases.back().map_or(position, |release| release.version);
        for release in releases {
            if release.version <= last || release.version > head.version {
                continue;
            }
            if last + 1 < release.version {
                self.push(release.version - 1, None, Footprint::everything(), now);
            }
            last = release.version;
            self.push(release.version, Some(release.raised_at), release.footprint(), now);
        }
        if last < head.version {
            self.push(head.version, Some(head.raised_at), Footprint::everything(), now);
        }
    }

    fn push(&mut self, version: i64, raised_at: Option<UtcInstant>, footprint: Footprint, detected: Instant) {
        self.releases.push_back(KnownRelease { version, raised_at, footprint, detected });
        if self.releases.len() as i64 > CAPACITY
            && let Some(oldest) = self.releases.pop_front()
        {
            self.complete_after = oldest.version;
        }
    }

    /// Forgets everything, because the database was restored: its next releases may have versions that are known.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// Whether the version is one of this history.
    pub(super) fn contains(&self, version: i64, raised_at: UtcInstant) -> bool {
        let index = self.releases.partition_point(|release| release.version < version);
        self.releases.get(index).is_some_and(|release| (release.version, release.raised_at) == (version, Some(raised_at)))
    }

    /// When this process detected the first release after `version` that may have changed what was selected, or earlier: if not all are
    /// known, the start. An age that is computed from it is never too low. `None` if none did.
    pub(super) fn superseded_at(&self, version: i64, selection: Option<&Selection>) -> Option<Instant> {
        if version < self.complete_after {
            return Some(self.started);
        }
        let next = self.releases.partition_point(|release| release.version <= version);
        let is_affected = |release: &&KnownRelease| selection.is_none_or(|selection| release.footprint.intersects(selection));
        self.releases.range(next..).find(is_affected).map(|release| release.detected)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use entity::footprint::{PartBuilder, Scope};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const EVENTS: &[Scope] = &[Scope::Events];

    /// A release that changes events of one day.
    fn release_on(version: i64, day: i32) -> release::ReleasedFootprint {
        let mut part = PartBuilder::new(EVENTS);
        let instant = UtcInstant(i64::from(day) * 86_400_000_000);
        part.add_days(instant, instant);
        let footprint = serde_json::to_string(&Footprint::of_parts([part])).unwrap();
        release::ReleasedFootprint { version, raised_at: UtcInstant(version), footprint }
    }

    fn head(version: i64) -> catalogue_version::Model {
        catalogue_version::Model { id: catalogue_version::ONLY_ROW, version, raised_at: UtcInstant(version) }
    }

    fn on_day(day: i32) -> Selection {
        Selection { days: Some((day, day)), ..Selection::all_of(EVENTS) }
    }

    proptest! {
        /// Whatever is released, in whatever parts it is detected, and whichever releases have no row.
        #[test]
        fn the_first_release_that_intersects_supersedes(
            groups in vec((vec((0_i32..4, any::<bool>()), 1..4), 0_u64..5), 1..20),
            first in 0_i64..3,
            asked in -2_i64..60,
            day in 0_i32..4,
        ) {
            let started = Instant::now();
            let mut log = ReleaseLog::new(started);
            log.extend(Vec::new(), &head(first), started);
            let (mut version, mut now) = (first, started);
            let mut all = Vec::new();
            for (group, seconds) in groups {
                now += Duration::from_secs(seconds);
                let mut rows = Vec::new();
                for (day_of_release, has_row) in group {
                    version += 1;
                    all.push((version, has_row.then_some(day_of_release), now));
                    if has_row {
                        rows.push(release_on(version, day_of_release));
                    }
                }
                log.extend(rows, &head(version), now);
            }

            let superseded_at = log.superseded_at(asked, Some(&on_day(day)));

            let changes = |released_on: Option<i32>| released_on.is_none_or(|released_on| released_on == day);
            let expected = all.iter().find(|(version, released_on, _)| *version > asked && changes(*released_on));
            if asked >= first {
                prop_assert_eq!(superseded_at, expected.map(|(.., detected)| *detected));
            } else {
                prop_assert_eq!(superseded_at, Some(started), "the log begins later");
            }
            for (version, released_on, _) in all {
                prop_assert!(!log.contains(version, UtcInstant(-1)));
                prop_assert!(released_on.is_none() || log.contains(version, UtcInstant(version)));
            }
        }
    }

    #[test]
    fn releases_that_are_forgotten_count_as_everything() {
        let started = Instant::now();
        let mut log = ReleaseLog::new(started);
        log.extend(vec![release_on(1, 1)], &head(1), started);
        let later = started + Duration::from_secs(1);
        log.extend((2..=CAPACITY + 10).map(|version| release_on(version, 2)).collect(), &head(CAPACITY + 10), later);
        assert_eq!(log.superseded_at(5, Some(&on_day(1))), Some(started));
        assert_eq!(log.superseded_at(CAPACITY, Some(&on_day(1))), None);
        assert_eq!(log.superseded_at(CAPACITY, Some(&on_day(2))), Some(later));
        log.restart(later);
        assert_eq!(log.superseded_at(CAPACITY, Some(&on_day(1))), Some(later));
    }
}
