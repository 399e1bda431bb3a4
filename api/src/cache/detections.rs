//! When this process detected each version, and so since when an older body is superseded.

use std::{collections::VecDeque, time::Instant};

/// Detections that are remembered: at two versions per second, those of the last half hour.
const CAPACITY: usize = 4_096;

/// The versions that a process has detected, in ascending order.
#[derive(Debug)]
pub(super) struct Detections {
    started: Instant,
    detected: VecDeque<(i64, Instant)>,
}

impl Detections {
    /// No detection yet. `started` is earlier than all that follow.
    pub(super) fn new(started: Instant) -> Self {
        Self { started, detected: VecDeque::new() }
    }

    /// Records a version that is higher than all before.
    pub(super) fn record(&mut self, version: i64, now: Instant) {
        if self.detected.len() == CAPACITY {
            self.detected.pop_front();
        }
        self.detected.push_back((version, now));
    }

    /// Forgets all versions: the next one may be lower.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// When this process detected the first version after `version`, or earlier: for a version before all that are remembered, the start.
    /// An age that is computed from it is never too low.
    pub(super) fn superseded_at(&self, version: i64) -> Instant {
        let next = self.detected.partition_point(|(detected, _)| *detected <= version);
        match self.detected.get(next) {
            Some((_, since)) if next > 0 => *since,
            _ => self.started,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        /// Whatever versions are detected, and however many are forgotten.
        #[test]
        fn the_instant_is_that_of_the_first_later_detection_or_earlier(
            steps in vec((1_i64..4, 0_u64..5), 1..40),
            forgotten in 0_usize..20,
            asked in 0_i64..120,
        ) {
            let started = Instant::now();
            let mut detections = Detections::new(started);
            let (mut version, mut now) = (0, started);
            let mut all = Vec::new();
            for (raise, seconds) in steps {
                version += raise;
                now += Duration::from_secs(seconds);
                detections.record(version, now);
                all.push((version, now));
            }
            let forgotten = forgotten.min(all.len() - 1);
            detections.detected.drain(..forgotten);

            let superseded_at = detections.superseded_at(asked);

            match all.iter().find(|(detected, _)| *detected > asked) {
                Some((_, exact)) if all.get(forgotten).is_some_and(|(oldest, _)| *oldest <= asked) => {
                    prop_assert_eq!(superseded_at, *exact);
                }
                Some((_, exact)) => prop_assert!(superseded_at <= *exact),
                None => prop_assert_eq!(superseded_at, started, "no later version is known"),
            }
        }
    }
}
