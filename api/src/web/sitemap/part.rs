//! The parts of a sitemap: ranges of ids.
//!
//! Ids are hashes, so ranges of the same length have about the same number of rows, and the range of a URL never changes. A page is read
//! by the primary key, and the search engine sees the same page again when events were added and have ended.

use std::{fmt, str::FromStr};

use sea_orm::prelude::Uuid;

/// The number of ids by which a part is selected has at most this many bits: enough for three billion rows.
const MAX_BITS: u8 = 16;
const EXTENSION: &str = ".xml";

/// What a page lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SitemapKind {
    Events,
    Venues,
    Performers,
}

/// The rows of a kind with an id that begins with these bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SitemapPart {
    pub(super) kind: SitemapKind,
    bits: u8,
    index: u32,
}

impl SitemapKind {
    pub(super) const ALL: [Self; 3] = [Self::Events, Self::Venues, Self::Performers];

    /// Its name in URLs.
    fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Venues => "venues",
            Self::Performers => "performers",
        }
    }

    /// The folder of the pages that it lists.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Events => "e",
            Self::Venues => "v",
            Self::Performers => "p",
        }
    }
}

impl SitemapPart {
    /// The first of the parts into which this many bits divide a kind.
    pub(super) fn first(kind: SitemapKind, bits: u8) -> Self {
        Self { kind, bits, index: 0 }
    }

    /// The parts of a kind of which none has more than `max_rows`, if it has about `rows`.
    pub(super) fn divide(kind: SitemapKind, rows: u64, max_rows: u64) -> impl Iterator<Item = Self> {
        let bits = bits_of(rows, max_rows);
        (0..1 << bits).map(move |index| Self { kind, bits, index })
    }

    /// Whether the division of a kind has it, or had it before the number of rows changed. Each name is a cache entry.
    pub(super) fn is_of_division(self, rows: u64, max_rows: u64) -> bool {
        self.bits.abs_diff(bits_of(rows, max_rows)) <= 1
    }

    /// About how many rows it has, if its kind has about `rows`.
    pub(super) fn share_of(self, rows: u64) -> u64 {
        rows >> self.bits
    }

    /// The first and the last id.
    pub(super) fn range(self) -> (Uuid, Uuid) {
        let rest = u128::MAX.checked_shr(self.bits.into()).unwrap_or(0);
        let first = u128::from(self.index).checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
        (Uuid::from_u128(first), Uuid::from_u128(first | rest))
    }

    /// Whether it begins with the smallest id of its kind.
    pub(super) fn is_first(self) -> bool {
        self.index == 0
    }
}

/// The bits of the smallest division into parts of at most `max_rows`.
fn bits_of(rows: u64, max_rows: u64) -> u8 {
    (0..MAX_BITS).find(|bits| rows >> bits <= max_rows).unwrap_or(MAX_BITS)
}

/// The name of its file.
impl fmt::Display for SitemapPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-{}{EXTENSION}", self.kind.name(), self.bits, self.index)
    }
}

/// A text that names no part.
#[derive(Debug)]
pub(super) struct NotASitemapPart;

impl FromStr for SitemapPart {
    type Err = NotASitemapPart;

    fn from_str(text: &str) -> Result<Self, NotASitemapPart> {
        let parse = || {
            let mut parts = text.strip_suffix(EXTENSION)?.split('-');
            let name = parts.next()?;
            let kind = SitemapKind::ALL.into_iter().find(|kind| kind.name() == name)?;
            let (bits, index): (u8, u32) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            (bits <= MAX_BITS && index < 1 << bits).then_some(Self { kind, bits, index })
        };
        // Each part has one name, and each name is a cache entry.
        parse().filter(|part| part.to_string() == text).ok_or(NotASitemapPart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_all_ids_once() {
        for rows in [0, 1, 40_000, 40_001, 2_000_000, u64::MAX] {
            let parts: Vec<SitemapPart> = SitemapPart::divide(SitemapKind::Events, rows, 40_000).collect();
            let ranges: Vec<(u128, u128)> =
                parts.iter().map(|part| part.range()).map(|(first, last)| (first.as_u128(), last.as_u128())).collect();
            assert_eq!((ranges[0].0, ranges[ranges.len() - 1].1), (0, u128::MAX));
            assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
            assert!(parts.iter().all(|part| part.to_string().parse::<SitemapPart>().unwrap() == *part));
        }
        assert_eq!(SitemapPart::divide(SitemapKind::Events, 40_000, 40_000).count(), 1);
        assert_eq!(SitemapPart::divide(SitemapKind::Events, 2_000_000, 40_000).count(), 64);
        for (bits, expected) in [(0, false), (4, false), (5, true), (6, true), (7, true), (8, false)] {
            assert_eq!(SitemapPart::first(SitemapKind::Events, bits).is_of_division(2_000_000, 40_000), expected, "{bits}");
        }
    }

    #[test]
    fn other_names_are_no_parts() {
        for text in [
            "",
            "events",
            "events.xml",
            "events-0.xml",
            "events-0-1.xml",
            "events-1-2.xml",
            "events-17-0.xml",
            "events-01-0.xml",
            "events-1-+1.xml",
            "events-1-1-1.xml",
            "events-1-1.xml.gz",
            "places-0-0.xml",
            "../events-0-0.xml",
        ] {
            assert!(text.parse::<SitemapPart>().is_err(), "{text}");
        }
    }
}
