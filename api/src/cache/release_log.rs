//! The releases that this process knows, and when it detected each: since when a body that was read before is superseded.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use entity::{
    UtcInstant, catalogue_version,
    footprint::{Footprint, Selection},
    release::{self, Cause},
};

/// Releases that are remembered: at two per second, those of the last half hour.
pub(super) const CAPACITY: i64 = 4_096;
/// The version of what was read before the database was restored.
pub(super) const EARLIER_HISTORY: i64 = i64::MIN;

/// The releases that a process has detected, in ascending order.
#[derive(Debug)]
pub(super) struct ReleaseLog {
    started: Instant,
    /// Every release after this version is known.
    complete_after: i64,
    releases: VecDeque<KnownRelease>,
    /// The newest takedown.
    newest_takedown: Option<i64>,
    /// The newest takedown of which the footprint is no longer known.
    forgotten_takedown: Option<i64>,
}

/// What later releases mean for a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SupersededBody {
    /// When this process detected the first one that may have changed it, or earlier: if not all are known, the start. An age that is
    /// computed from it is never too low.
    pub(super) since: Instant,
    /// Whether any may have removed a part of it for legal reasons.
    pub(super) is_removed: bool,
}

/// How many versions a process has detected by their cause, or [`UNKNOWN_CAUSE`].
pub(super) type FollowedReleases = BTreeMap<&'static str, u64>;

/// The cause of versions that may have changed everything, because they have no row, or were too many to be read. Also that of a release
/// of which only later programs know the cause.
const UNKNOWN_CAUSE: &str = "unknown";

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
        let releases = VecDeque::new();
        Self { started, complete_after: i64::MAX, releases, newest_takedown: None, forgotten_takedown: None }
    }

    /// The version after which releases must be read to continue with those up to `head`; `None` if there are none.
    pub(super) fn position(&self, head: i64) -> Option<i64> {
        let last = self.releases.back().map_or(i64::MIN, |release| release.version);
        (last < head).then(|| last.max(head - CAPACITY))
    }

    /// Adds the releases after [`position`](Self::position). One that is later than the version that was read before them is read again.
    /// Returns the number of versions that follow those that were known before, which are none at the start.
    pub(super) fn extend(
        &mut self,
        releases: Vec<release::ReleasedFootprint>,
        head: &catalogue_version::Model,
        now: Instant,
    ) -> FollowedReleases {
        let Some(position) = self.position(head.version) else { return FollowedReleases::default() };
        let previous = self.releases.back().map(|release| release.version);
        let mut followed = FollowedReleases::default();
        if previous.is_none() {
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
            *followed.entry(release.cause().map_or(UNKNOWN_CAUSE, Cause::name)).or_default() += 1;
            self.push(release.version, Some(release.raised_at), release.footprint(), now);
        }
        if last < head.version {
            self.push(head.version, Some(head.raised_at), Footprint::everything(), now);
        }
        let Some(previous) = previous else { return FollowedReleases::default() };
        let unknown = head.version.abs_diff(previous) - followed.values().sum::<u64>();
        *followed.entry(UNKNOWN_CAUSE).or_default() += unknown;
        followed
    }

    fn push(&mut self, version: i64, raised_at: Option<UtcInstant>, footprint: Footprint, detected: Instant) {
        if footprint.is_takedown() {
            self.newest_takedown = Some(version);
        }
        self.releases.push_back(KnownRelease { version, raised_at, footprint, detected });
        if self.releases.len() as i64 > CAPACITY
            && let Some(oldest) = self.releases.pop_front()
        {
            self.complete_after = oldest.version;
            if oldest.footprint.is_takedown() {
                self.forgotten_takedown = Some(oldest.version);
            }
        }
    }

    /// Forgets everything, because the database was restored: its next releases may have versions that are known. Bodies that were read
    /// before are those of [`EARLIER_HISTORY`].
    pub(super) fn restart(&mut self, now: Instant) {
        let forgotten_takedown = self.newest_takedown.or(self.forgotten_takedown).map(|_| EARLIER_HISTORY + 1);
        *self = Self { forgotten_takedown, ..Self::new(now) };
    }

    /// The newest takedown.
    pub(super) fn newest_takedown(&self) -> Option<i64> {
        self.newest_takedown
    }

    /// Whether the version is one of this history.
    pub(super) fn contains(&self, version: i64, raised_at: UtcInstant) -> bool {
        let index = self.releases.partition_point(|release| release.version < version);
        self.releases.get(index).is_some_and(|release| (release.version, release.raised_at) == (version, Some(raised_at)))
    }

    /// What the releases after `version` mean for what was selected; `None` if none may have changed it.
    pub(super) fn superseded(&self, version: i64, selection: Option<&Selection>) -> Option<SupersededBody> {
        let next = self.releases.partition_point(|release| release.version <= version);
        let affects = |release: &KnownRelease| selection.is_none_or(|selection| release.footprint.intersects(selection));
        let since = if version < self.complete_after {
            Some(self.started)
        } else {
            self.releases.range(next..).find(|release| affects(release)).map(|release| release.detected)
        };
        let is_takedown = |release: &KnownRelease| release.footprint.is_takedown() && affects(release);
        let is_removed = self.forgotten_takedown > Some(version)
            || self.newest_takedown > Some(version) && self.releases.range(next..).any(is_takedown);
        since.map(|since| SupersededBody { since, is_removed })
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
        let cause = Cause::SyncRun.name().to_owned();
        release::ReleasedFootprint { version, raised_at: UtcInstant(version), cause, action: None, footprint }
    }

    fn head(version: i64) -> catalogue_version::Model {
        catalogue_version::Model { id: catalogue_version::ONLY_ROW, version, raised_at: UtcInstant(version) }
    }

    fn takedown_on(version: i64, day: i32) -> release::ReleasedFootprint {
        let release = release_on(version, day);
        let footprint = serde_json::to_string(&release.footprint().of_takedown()).unwrap();
        release::ReleasedFootprint { footprint, ..release }
    }

    fn on_day(day: i32) -> Selection {
        Selection { days: Some((day, day)), ..Selection::all_of(EVENTS) }
    }

    fn superseded_at(log: &ReleaseLog, version: i64, day: i32) -> Option<Instant> {
        log.superseded(version, Some(&on_day(day))).map(|superseded| superseded.since)
    }

    fn is_removed(log: &ReleaseLog, version: i64, selection: Option<&Selection>) -> bool {
        log.superseded(version, selection).is_some_and(|superseded| superseded.is_removed)
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
            let (mut all, mut detected) = (Vec::new(), 0);
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
                let followed = log.extend(rows, &head(version), now);
                let before = all.len() - usize::try_from(followed.values().sum::<u64>()).unwrap();
                let with_row = all[before..].iter().filter(|(_, released_on, _)| released_on.is_some()).count();
                prop_assert_eq!(followed.get("sync_run").copied().unwrap_or_default(), with_row as u64);
                prop_assert_eq!(before, detected);
                detected = all.len();
            }

            let superseded_at = superseded_at(&log, asked, day);

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
        assert_eq!(superseded_at(&log, 5, 1), Some(started));
        assert_eq!(superseded_at(&log, CAPACITY, 1), None);
        assert_eq!(superseded_at(&log, CAPACITY, 2), Some(later));
        log.restart(later);
        assert_eq!(superseded_at(&log, CAPACITY, 1), Some(later));
    }

    #[test]
    fn a_takedown_removes_only_what_it_intersects_and_is_never_forgotten() {
        let started = Instant::now();
        let mut log = ReleaseLog::new(started);
        log.extend(vec![release_on(1, 1), takedown_on(2, 1), release_on(3, 1)], &head(3), started);
        assert_eq!([0, 1, 2, 3].map(|version| is_removed(&log, version, Some(&on_day(1)))), [true, true, false, false]);
        assert!(!is_removed(&log, 1, Some(&on_day(2))));
        assert!(is_removed(&log, 1, None) && !is_removed(&log, 2, None));

        log.extend((4..=CAPACITY + 10).map(|version| release_on(version, 2)).collect(), &head(CAPACITY + 10), started);
        assert!(is_removed(&log, 1, Some(&on_day(2))), "its footprint is no longer known");
        assert!(!is_removed(&log, 2, Some(&on_day(2))));

        for _ in 0..2 {
            log.restart(started);
            log.extend(Vec::new(), &head(1), started);
            assert!(is_removed(&log, EARLIER_HISTORY, None));
            assert!(!is_removed(&log, 0, Some(&on_day(1))));
        }
    }
}
