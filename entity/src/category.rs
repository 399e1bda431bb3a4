//! The categories of events: a list of our own, to which the words of each provider are mapped.

use std::fmt;

/// Every category, in the order of their names. A second level follows its first one after a slash.
const SLUGS: [&str; 38] = [
    "comedy",
    "exhibition",
    "family",
    "festival",
    "film",
    "food",
    "music",
    "music/blues",
    "music/choral",
    "music/classical",
    "music/country",
    "music/electronic",
    "music/flamenco",
    "music/folk",
    "music/hip-hop",
    "music/jazz",
    "music/latin",
    "music/metal",
    "music/pop",
    "music/reggae",
    "music/rock",
    "music/soul",
    "music/world",
    "other",
    "sport",
    "sport/basketball",
    "sport/cycling",
    "sport/football",
    "sport/motor",
    "sport/running",
    "sport/tennis",
    "talk",
    "theatre",
    "theatre/circus",
    "theatre/dance",
    "theatre/drama",
    "theatre/musical",
    "theatre/opera",
];

/// One category.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Category(&'static str);

impl Category {
    /// The category with this slug, such as `music` or `music/jazz`.
    #[must_use]
    pub fn find(slug: &str) -> Option<Self> {
        SLUGS.binary_search(&slug).ok().map(|index| Self(SLUGS[index]))
    }

    /// All categories, in the order of their slugs.
    pub fn all() -> impl Iterator<Item = Self> {
        SLUGS.into_iter().map(Self)
    }

    /// The slug: lower-case words, and a slash before a second level.
    #[must_use]
    pub fn slug(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Category {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_is_found_by_its_slug() {
        for category in Category::all() {
            assert_eq!(Category::find(category.slug()), Some(category));
            if let Some((first_level, _)) = category.slug().split_once('/') {
                assert!(Category::find(first_level).is_some(), "{category:?}");
            }
        }
        assert_eq!(Category::find("music/"), None);
    }
}
