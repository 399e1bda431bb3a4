//! Standard output of the commands.

use entity::UtcInstant;

/// Prints the result of a command.
#[expect(clippy::print_stdout, reason = "a command prints its result on standard output")]
pub(super) fn print(text: &str) {
    print!("{text}");
}

/// A count with its noun in the singular or plural: `1 event`, `2 events`.
pub(super) fn count<N: TryInto<u64>>(number: N, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// An instant in seconds in UTC, `-` if it is outside the calendar.
pub(super) fn format_instant(instant: UtcInstant) -> String {
    instant.to_utc().map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// A duration in its largest useful unit.
pub(super) fn format_seconds(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_a_singular_and_a_plural() {
        assert_eq!([0, 1, 2].map(|number| count(number, "event")), ["0 events", "1 event", "2 events"]);
    }

    #[test]
    fn durations_have_their_largest_useful_unit() {
        assert_eq!([0, 119, 120, 7_199, 7_200, 172_800].map(format_seconds), ["0 s", "119 s", "2 min", "119 min", "2 h", "2 d"]);
    }
}
