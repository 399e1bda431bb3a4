//! The measured filters, pairs and triples. Each finds at least a page of the small catalogue.

use super::filters::FindFilter::{self, *};

/// Filters of one request.
pub(super) struct FindCase {
    pub(super) name: &'static str,
    pub(super) filters: &'static [FindFilter],
}

const fn case(name: &'static str, filters: &'static [FindFilter]) -> FindCase {
    FindCase { name, filters }
}

pub(super) const CASES: [FindCase; 42] = [
    case("no filter", &[]),
    case("a week", &[Week]),
    case("a week, overlapping", &[Overlaps]),
    case("a city", &[City]),
    case("a country", &[Country]),
    case("a place", &[Place]),
    case("a venue", &[Venue]),
    case("a circle", &[Circle]),
    case("a rectangle", &[Rectangle]),
    case("a category", &[Category]),
    case("a provider", &[Provider]),
    case("a performer", &[Performer]),
    case("organizers", &[Organizer]),
    case("a maximum price", &[MaxPrice]),
    case("changed since a day ago", &[UpdatedSince]),
    case("sold out", &[SoldOut]),
    case("cancelled", &[Cancelled]),
    case("21 ids", &[Ids]),
    case("two words", &[Words]),
    case("latest first", &[ByStartDescending]),
    case("cheapest first", &[ByPrice]),
    case("last changed first", &[ByUpdate]),
    case("newest first", &[ByFirstSight]),
    case("dates and a city", &[Dates, City]),
    case("dates and a circle", &[Dates, Circle]),
    case("dates and a category", &[Dates, Category]),
    case("dates, a category and a city", &[Dates, Category, City]),
    case("dates, a category and a circle", &[Dates, Category, Circle]),
    case("dates and a performer", &[Dates, Performer]),
    case("dates and a venue", &[Dates, Venue]),
    case("dates and two words", &[Dates, Words]),
    case("a category and two words", &[Category, Words]),
    case("dates and a provider", &[Dates, Provider]),
    case("dates, a maximum price and a city", &[Dates, MaxPrice, City]),
    case("dates, a maximum price and a circle", &[Dates, MaxPrice, Circle]),
    case("a city and a category", &[City, Category]),
    case("a city, cheapest first", &[City, ByPrice]),
    case("a rectangle and a maximum price", &[Rectangle, MaxPrice]),
    case("a category and a maximum price", &[Category, MaxPrice]),
    case("a week, cheapest first", &[Week, ByPrice]),
    case("a provider and a category", &[Provider, Category]),
    case("a country and a category", &[Country, Category]),
];
