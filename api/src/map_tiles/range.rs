//! The header `Range` ([RFC 9110, 14](https://www.rfc-editor.org/rfc/rfc9110#section-14)).

use poem::http::{HeaderMap, HeaderValue, header};

/// Which bytes a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteRange {
    /// All of them: without the header, and where it may be ignored: if it is invalid, has several parts, or is for another file.
    All,
    /// Those from `start` to before `end`.
    Part { start: u64, end: u64 },
    /// None that the file has.
    Outside,
}

impl ByteRange {
    /// Which bytes of a file with this length and this validator.
    pub(super) fn of_request(request: &HeaderMap, length: u64, etag: &HeaderValue) -> Self {
        let is_same = request.get(header::IF_RANGE).is_none_or(|condition| condition == etag);
        let range = request.get(header::RANGE).filter(|_| is_same).and_then(|range| range.to_str().ok());
        range.and_then(|range| Self::parse(range, length)).unwrap_or(Self::All)
    }

    fn parse(text: &str, length: u64) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        let number = |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let (start, end) = match (first, last) {
            ("", suffix) => (length.saturating_sub(number(suffix)?), length),
            (first, "") => (number(first)?, length),
            (first, last) => (number(first)?, number(last)?.checked_add(1)?),
        };
        let end = end.min(length);
        match (start, end) {
            (start, _) if start >= length => Some(Self::Outside),
            (start, end) if start >= end => None,
            (start, end) => Some(Self::Part { start, end }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_is_parsed_and_others_are_ignored() {
        let part = |start, end| Some(ByteRange::Part { start, end });
        for (text, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=10-19", part(10, 20)),
            ("bytes=90-1000", part(90, 100)),
            ("bytes=90-", part(90, 100)),
            ("bytes=-30", part(70, 100)),
            ("bytes=-1000", part(0, 100)),
            ("bytes=100-", Some(ByteRange::Outside)),
            ("bytes=100-200", Some(ByteRange::Outside)),
            ("bytes=-0", Some(ByteRange::Outside)),
            ("bytes=20-10", None),
            ("bytes=0-1,5-6", None),
            ("bytes=+1-2", None),
            ("bytes=-", None),
            ("bytes=18446744073709551615-18446744073709551615", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(ByteRange::parse(text, 100), expected, "{text}");
        }
    }
}
