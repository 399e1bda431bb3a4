//! Instants, durations and numbers as operators read them.

use std::time::Duration;

use chrono::Datelike;
use entity::UtcInstant;

use crate::response::to_rfc3339;

/// The longest text of a provider or client that a page shows. What is longer was truncated before it was stored, or is hostile.
const MAX_CHARACTERS: usize = 2_000;
const SECONDS_PER_MINUTE: u64 = 60;
const SECONDS_PER_HOUR: u64 = 60 * SECONDS_PER_MINUTE;
const SECONDS_PER_DAY: u64 = 24 * SECONDS_PER_HOUR;

/// An instant, and how far it is from now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moment {
    /// For programs.
    pub(super) iso: String,
    /// `10:05:12`, with the date unless that is today. In UTC.
    pub(super) clock: String,
    /// `5 min ago`, `in 5 min`.
    pub(super) distance: String,
}

impl Moment {
    pub(super) fn new(at: UtcInstant, now: UtcInstant) -> Self {
        let today = now.to_utc().map(|now| now.date_naive());
        let clock = at.to_utc().map(|at| {
            let is_today = Some(at.date_naive()) == today;
            let form = if is_today {
                "%H:%M:%S"
            } else if today.is_some_and(|today| today.year() == at.year()) {
                "%-d %b %H:%M:%S"
            } else {
                "%-d %b %Y %H:%M:%S"
            };
            at.format(form).to_string()
        });
        let distance = match at.cmp(&now) {
            std::cmp::Ordering::Greater => format!("in {}", format_duration(now.until(at))),
            _ => format!("{} ago", format_duration(at.until(now))),
        };
        Self { iso: to_rfc3339(at), clock: clock.unwrap_or_default(), distance }
    }
}

/// The two largest units of a duration: `12 s`, `5 min`, `3 h 10 min`, `2 d 4 h`.
pub(super) fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let pair = |large: u64, large_unit: &str, small: u64, small_unit: &str| match (seconds / large, seconds % large / small) {
        (whole, 0) => format!("{whole} {large_unit}"),
        (whole, rest) => format!("{whole} {large_unit} {rest} {small_unit}"),
    };
    match seconds {
        SECONDS_PER_DAY.. => pair(SECONDS_PER_DAY, "d", SECONDS_PER_HOUR, "h"),
        SECONDS_PER_HOUR.. => pair(SECONDS_PER_HOUR, "h", SECONDS_PER_MINUTE, "min"),
        SECONDS_PER_MINUTE.. => format!("{} min", seconds / SECONDS_PER_MINUTE),
        _ => format!("{seconds} s"),
    }
}

/// A number with its noun: `1 job`, `2 jobs`.
pub(super) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A text of others without characters that are invisible or change the direction of text, at most [`MAX_CHARACTERS`] of it. Lines
/// remain.
pub(super) fn bound(text: &str) -> String {
    let mut bounded = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == MAX_CHARACTERS {
            bounded.push('…');
            break;
        }
        match character {
            '\n' | '\t' => bounded.push(character),
            '\r' => {}
            character if command_line::is_unsafe(character) => bounded.extend(character.escape_default()),
            character => bounded.push(character),
        }
    }
    bounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (11_400, "3 h 10 min"),
            (86_400, "1 d"),
            (187_200, "2 d 4 h"),
        ] {
            assert_eq!(format_duration(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn moments_have_a_date_unless_it_is_today() {
        let now = UtcInstant(1_700_000_000_000_000);
        let moment = |seconds: i64| Moment::new(UtcInstant(now.0 + seconds * 1_000_000), now);
        assert_eq!((moment(-60).clock.as_str(), moment(-60).distance.as_str()), ("22:12:20", "1 min ago"));
        assert_eq!((moment(7_200).clock.as_str(), moment(7_200).distance.as_str()), ("15 Nov 00:13:20", "in 2 h"));
        assert_eq!(moment(-365 * 86_400).clock, "14 Nov 2022 22:13:20");
        assert_eq!(moment(-60).iso, "2023-11-14T22:12:20Z");
    }

    #[test]
    fn texts_of_others_are_visible_and_bounded() {
        assert_eq!(bound("a\r\n\tb\u{202e}\u{1b}é"), "a\n\tb\\u{202e}\\u{1b}é");
        assert_eq!(bound(&"x".repeat(3_000)).chars().count(), MAX_CHARACTERS + 1);
    }
}
