//! The lines of a calendar: repairs before it is parsed, the byte range of each VEVENT, and the dates in it as they are written.

use std::{borrow::Cow, ops::Range};

use super::{FeedDocumentError, unbalanced};
use crate::provider::quote::quote;

const BEGIN: &str = "BEGIN:";
const END: &str = "END:";
const BEGIN_CALENDAR: &str = "BEGIN:VCALENDAR";
const END_CALENDAR: &str = "END:VCALENDAR";
const BEGIN_EVENT: &str = "BEGIN:VEVENT";
const END_EVENT: &str = "END:VEVENT";
/// The properties with dates.
const DATE_PROPERTIES: [&str; 7] = ["DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "RRULE", "RDATE", "EXDATE"];

/// Lets lines end with a line feed, and folds them only between characters. All bytes stay within their line.
pub(super) fn repair(document: &[u8]) -> Cow<'_, [u8]> {
    let mut repaired = Cow::Borrowed(document);
    if memchr::memchr(b'\n', document).is_none() && memchr::memchr(b'\r', document).is_some() {
        repaired.to_mut().iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
    }
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&repaired[from..]) {
        let start = from + error.valid_up_to();
        let Some(length) = join_character(&mut repaired.to_mut()[start..]) else { break };
        from = start + length;
    }
    repaired
}

/// Moves the folds within the character at the beginning behind it. Returns the length of both; `None` if it is another error.
fn join_character(bytes: &mut [u8]) -> Option<usize> {
    let length = match bytes.first()? {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let (mut character, mut folds, mut at) = (vec![bytes[0]], Vec::new(), 1);
    while character.len() < length {
        let rest = &bytes[at..];
        let fold = [b"\r\n ".as_slice(), b"\r\n\t", b"\n ", b"\n\t"].into_iter().find(|fold| rest.starts_with(fold));
        match fold {
            Some(fold) => {
                folds.extend_from_slice(fold);
                at += fold.len();
            }
            None => {
                character.push(*rest.first().filter(|byte| **byte & 0xC0 == 0x80)?);
                at += 1;
            }
        }
    }
    character.extend(folds);
    bytes[..at].copy_from_slice(&character);
    Some(at)
}

/// Where a VEVENT is.
pub(super) struct EventLines {
    /// Its byte range.
    pub(super) span: Range<usize>,
    /// The position of the first line that is neither a property nor folded, and the warning about it.
    pub(super) stray: Option<(usize, String)>,
}

/// Finds each VEVENT.
pub(super) fn find_events(text: &str) -> Result<Vec<EventLines>, FeedDocumentError> {
    let first_line = text.trim_start().lines().next().unwrap_or_default();
    if !first_line.trim_end().eq_ignore_ascii_case(BEGIN_CALENDAR) {
        let actual = quote(first_line);
        return Err(FeedDocumentError::WrongRoot { actual, expected: format!("`{BEGIN_CALENDAR}`") });
    }
    let last_line = text.trim_end().lines().next_back().unwrap_or_default();
    if !last_line.eq_ignore_ascii_case(END_CALENDAR) {
        return Err(FeedDocumentError::Truncated);
    }
    let (mut events, mut start, mut stray, mut position) = (Vec::new(), None, None, 0);
    for line in text.split_inclusive('\n') {
        if line.trim_end().eq_ignore_ascii_case(BEGIN_EVENT) {
            start = Some(position);
        } else if line.trim_end().eq_ignore_ascii_case(END_EVENT) {
            let start = start.take().ok_or_else(unbalanced)?;
            events.push(EventLines { span: start..position + END_EVENT.len(), stray: stray.take() });
        } else if start.is_some() && stray.is_none() && is_stray(line) {
            let line = quote(line.trim());
            stray = Some((position, format!("the line {line} is not a property, and does not begin with a space; ignored")));
        }
        position += line.len();
    }
    Ok(events)
}

/// Whether a line is neither folded nor one of a property.
fn is_stray(line: &str) -> bool {
    if line.starts_with([' ', '\t']) || line.trim().is_empty() {
        return false;
    }
    let name = line.find([':', ';']).map(|end| line[..end].trim_end());
    name.is_none_or(|name| name.is_empty() || name.contains(char::is_whitespace))
}

/// A property with dates, as it is written.
pub(super) struct DateLine {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) tzid: Option<String>,
    /// Its `VALUE` is `DATE`.
    pub(super) is_day: bool,
    /// It has a `RANGE`.
    pub(super) has_range: bool,
}

/// The properties of a VEVENT that have dates, without those of the components in it.
pub(super) fn find_dates(event: &str) -> Vec<DateLine> {
    let (mut dates, mut line, mut depth) = (Vec::new(), None::<(&str, String)>, 0_usize);
    for next in event.lines() {
        if let Some(folded) = next.strip_prefix([' ', '\t']) {
            if let Some((_, line)) = &mut line {
                line.push_str(folded.trim_end_matches('\r'));
            }
            continue;
        }
        dates.extend(line.take().and_then(|(name, line)| split(name, &line)));
        if has_prefix(next, BEGIN) {
            depth += 1;
        } else if has_prefix(next, END) {
            depth = depth.saturating_sub(1);
        } else if depth == 1
            && let Some(name) = DATE_PROPERTIES.into_iter().find(|name| is_property(next, name))
        {
            line = Some((name, next.to_owned()));
        }
    }
    dates.extend(line.and_then(|(name, line)| split(name, &line)));
    dates
}

fn has_prefix(line: &str, prefix: &str) -> bool {
    line.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn is_property(line: &str, name: &str) -> bool {
    has_prefix(line, name) && line[name.len()..].trim_start().starts_with([':', ';'])
}

/// Splits a line into its parameters and its value; `None` without a value.
fn split(name: &str, line: &str) -> Option<DateLine> {
    let name = DATE_PROPERTIES.into_iter().find(|property| *property == name)?;
    let mut is_quoted = false;
    let mut is_outside = |character: char| {
        is_quoted ^= character == '"';
        !is_quoted
    };
    let colon = line.find(|character: char| is_outside(character) && character == ':')?;
    let mut date = DateLine { name, value: line[colon + 1..].trim().to_owned(), tzid: None, is_day: false, has_range: false };
    let mut is_quoted = false;
    let parameters = line[..colon].split(|character: char| {
        is_quoted ^= character == '"';
        !is_quoted && character == ';'
    });
    for (key, value) in parameters.skip(1).filter_map(|parameter| parameter.split_once('=')) {
        let value = value.trim().trim_matches('"').trim();
        match key.trim().to_ascii_uppercase().as_str() {
            "TZID" if !value.is_empty() => date.tzid = Some(value.to_owned()),
            "VALUE" => date.is_day = value.eq_ignore_ascii_case("DATE"),
            "RANGE" => date.has_range = true,
            _ => {}
        }
    }
    Some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_within_a_character_is_moved_behind_it() {
        for (document, expected) in [
            (b"Caf\xC3\r\n \xA9 del mar".as_slice(), Some("Caf\u{e9}\r\n  del mar")),
            (b"\xE2\n \x82\n\t\xAC \xC3\r\n\t\xA9", Some("\u{20ac}\n \n\t \u{e9}\r\n\t")),
            (b"a\rb\rc", Some("a\nb\nc")),
            (b"a\r\nb", Some("a\r\nb")),
            (b"Caf\xC3\r\nx", None),
            (b"Caf\xC3\r\n ", None),
            (b"Caf\xE9 del mar", None),
            (b"\xF4\n \xBF\n \xBF\n \xBF", None),
        ] {
            let repaired = repair(document);
            assert_eq!(repaired.len(), document.len());
            assert_eq!(std::str::from_utf8(&repaired).ok(), expected, "{document:?}");
        }
    }

    #[test]
    fn finds_dates_as_they_are_written() {
        let event = "BEGIN:VEVENT\r\nDTSTART;X-A=\"b:c;d\";TZID=\"(UTC+01:00) A, B: C\":2031\r\n 0630\r\nDTSTARTS:1\r\nexdate;value=date:2,\r\n\t3\r\n\
            BEGIN:VALARM\r\nDURATION:PT5M\r\nEND:VALARM\r\nDURATION\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:4\r\nEND:VEVENT";
        let dates: Vec<_> =
            find_dates(event).into_iter().map(|date| (date.name, date.value, date.tzid, date.is_day, date.has_range)).collect();
        let zone = Some("(UTC+01:00) A, B: C".to_owned());
        assert_eq!(
            dates,
            [
                ("DTSTART", "20310630".to_owned(), zone, false, false),
                ("EXDATE", "2,3".to_owned(), None, true, false),
                ("RECURRENCE-ID", "4".to_owned(), None, false, true),
            ]
        );
    }
}
