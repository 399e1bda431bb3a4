//! When a schedule is due.

use std::{ops::Range, time::Duration};

use entity::{Schedule, UtcInstant};

/// The ticks of a schedule before and after an instant.
pub(super) struct DueTimes {
    schedule: Schedule,
    /// From the last tick until the next one.
    current: Range<UtcInstant>,
}

impl DueTimes {
    /// With the last tick before or at an instant as the current one.
    pub(super) fn new(schedule: Schedule, now: UtcInstant) -> Self {
        let current = find_ticks(&schedule, now);
        Self { schedule, current }
    }

    /// Moves to the last tick at an instant and returns it; `None` if that is the current one already. The clock may have been set back or
    /// forward.
    pub(super) fn advance(&mut self, now: UtcInstant) -> Option<UtcInstant> {
        if self.current.contains(&now) {
            return None;
        }
        self.current = find_ticks(&self.schedule, now);
        Some(self.current.start)
    }

    /// How long until the next tick.
    pub(super) fn until_next(&self, now: UtcInstant) -> Duration {
        now.until(self.current.end)
    }
}

fn find_ticks(schedule: &Schedule, now: UtcInstant) -> Range<UtcInstant> {
    schedule.last_at(now).unwrap_or(UtcInstant(i64::MIN))..schedule.next_after(now).unwrap_or(UtcInstant(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_due_once_and_after_each_step_of_the_clock() {
        let at = |seconds: i64| UtcInstant(seconds * 1_000_000 + 5);
        let hour = 3_600;
        let mut due = DueTimes::new("0 */10 * * * *".parse().expect("a schedule"), at(0));
        assert_eq!(due.until_next(at(0)), Duration::from_micros(599_999_995));
        for (seconds, is_due) in [
            (1, false),
            (600, true),
            (600, false),
            (1_199, false),
            (1_200, true),
            (1_200 - hour, true),
            (1_201 - hour, false),
            (1_800 - hour, true),
            (1_800 + hour, true),
            (1_801 + hour, false),
        ] {
            assert_eq!(due.advance(at(seconds)).is_some(), is_due, "{seconds}");
        }
    }
}
