//! Standard output of the commands.

use std::{error::Error, fmt::Display};

use command_line::{escape, escape_json};
use entity::UtcInstant;
use serde_json::Value;

/// Prints lines. They may contain text of a feed, of a file or of the database, and are therefore escaped.
pub(super) fn print_lines<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) {
    let lines = lines.into_iter().map(|line| format!("{}\n", escape(line.as_ref())));
    command_line::print(&lines.collect::<String>());
}

/// Prints the error of a command on standard error. It may quote a feed or a file, too.
#[expect(clippy::print_stderr, reason = "a command reports its failure on standard error")]
pub fn print_error(error: &dyn Error) {
    eprintln!("marquee-worker: {}", escape(&telemetry::with_causes(error)));
}

/// Prints a table or a report, with cells that are already escaped.
pub(super) fn print_table(table: &impl Display) {
    command_line::print(&table.to_string());
}

/// Prints an indented JSON document.
pub(super) fn print_json(value: &Value) {
    command_line::print(&format!("{}\n", escape_json(&format!("{value:#}"))));
}

/// A count with its noun in the singular or plural: `1 event`, `2 events`.
pub(super) fn count<N: TryInto<u64>>(number: N, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A number of warnings for the end of a list; nothing if there are none.
pub(super) fn describe_warnings(number: usize) -> String {
    if number == 0 { String::new() } else { format!(", {}", count(number, "warning")) }
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
