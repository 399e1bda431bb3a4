//! The response of a request for categories.

use std::collections::HashMap;

use entity::Category;
use poem_openapi::{Object, types::Example};
use serde::Serialize;

use crate::find::MAX_UPCOMING;

/// All categories.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct CategoryList {
    /// The categories of the first level, sorted by slug.
    pub categories: Vec<FirstLevelCategory>,
}

/// A category of the first level.
#[derive(Clone, Debug, Object, Serialize)]
pub struct FirstLevelCategory {
    /// The slug, for the filter `category`.
    pub slug: String,
    /// The number of upcoming events that are not cancelled, with those of the second level, at most 10,000.
    #[oai(validator(minimum(value = "0"), maximum(value = "10000")))]
    pub upcoming_events: i64,
    /// Its categories of the second level, sorted by slug.
    pub categories: Vec<SecondLevelCategory>,
}

/// A category of the second level.
#[derive(Clone, Debug, Object, Serialize)]
pub struct SecondLevelCategory {
    /// The slug, for the filter `category`.
    pub slug: String,
    /// The number of upcoming events that are not cancelled, at most 10,000.
    #[oai(validator(minimum(value = "0"), maximum(value = "10000")))]
    pub upcoming_events: i64,
}

impl CategoryList {
    /// The categories with these numbers of upcoming events by slug, without those of the second level.
    pub(super) fn new(counts: &HashMap<String, i64>) -> Self {
        let mut categories: Vec<FirstLevelCategory> = Vec::new();
        // A second level follows its first one.
        for slug in Category::all().map(Category::slug) {
            let upcoming_events = counts.get(slug).copied().unwrap_or_default();
            match categories.last_mut().filter(|first| slug.split_once('/').is_some_and(|(level, _)| level == first.slug)) {
                Some(first) => {
                    first.upcoming_events = (first.upcoming_events + upcoming_events).min(MAX_UPCOMING);
                    first.categories.push(SecondLevelCategory { slug: slug.to_owned(), upcoming_events });
                }
                None => categories.push(FirstLevelCategory { slug: slug.to_owned(), upcoming_events, categories: Vec::new() }),
            }
        }
        Self { categories }
    }
}

impl Example for CategoryList {
    fn example() -> Self {
        let jazz = SecondLevelCategory { slug: "music/jazz".to_owned(), upcoming_events: 12 };
        let music = FirstLevelCategory { slug: "music".to_owned(), upcoming_events: 240, categories: vec![jazz] };
        Self { categories: vec![music] }
    }
}
