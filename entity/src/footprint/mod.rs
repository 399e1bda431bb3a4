//! What a release may have changed, in the dimensions of the filters: enough to decide which cached responses are still current.
//!
//! A footprint is a union of parts, and a part is a product of dimensions. It may change a response only if the [`Selection`] of the
//! response intersects the part in every dimension. A dimension that would be too large is unbounded, so a footprint may contain more than
//! what changed, and never less.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    UtcInstant,
    sphere::{Direction, chord_squared},
};

/// Ranges of days in one part. More are merged, the nearest first.
const MAX_DAY_RANGES: usize = 32;
/// Cells in one part, about the number of cities in which one feed changes at the same time.
const MAX_CELLS: usize = 128;
/// Providers in one part.
const MAX_PROVIDERS: usize = 128;
/// Performers in one part.
const MAX_PERFORMERS: usize = 128;
/// Categories in one part: the whole list of them is shorter.
const MAX_CATEGORIES: usize = 128;
/// No point of a cell is further from its center: half of the diagonal of one degree at the equator, rounded up.
const CELL_RADIUS_KM: f64 = 79.0;
const MICROS_PER_DAY: i64 = 24 * 3_600 * 1_000_000;

/// A kind of response, or of its content, that changes independently of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Titles, dates, prices and venues of events.
    Events,
    /// The names of the performers and venues of concerts.
    Concerts,
    /// The list of performers.
    Performers,
    /// The list of venues.
    Venues,
    /// Places and regions.
    Places,
    /// Daily average rates.
    Rates,
    /// What only the page of an event has, such as the numbers of its tickets.
    Details,
}

/// A square of one degree, counted from the south pole and the antimeridian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cell(u16);

/// A range of days in UTC, numbered from 1970-01-01, both ends included.
pub type DayRange = (i32, i32);

/// What a release may have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footprint {
    parts: Vec<FootprintPart>,
    /// Whether what it changes was removed for legal reasons, so that no response with the previous state may be served any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    takedown: bool,
}

/// One part of a footprint. A dimension without a value is unbounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FootprintPart {
    scopes: Vec<Scope>,
    /// Slugs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    providers: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    days: Option<Vec<DayRange>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cells: Option<Vec<Cell>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    performers: Option<Vec<u32>>,
    /// Slugs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    categories: Option<Vec<String>>,
}

/// What a response was selected from. A dimension without a value is not filtered.
#[derive(Clone, Debug)]
pub struct Selection {
    /// What it reads.
    pub scopes: &'static [Scope],
    /// Slugs of providers.
    pub providers: Option<Vec<String>>,
    /// The days of the events that it may contain.
    pub days: Option<DayRange>,
    /// The center and the radius in kilometres of the area of the venues.
    pub area: Option<(Direction, f64)>,
    /// Hashes of the performers' ids ([`hash_performer`]).
    pub performers: Option<Vec<u32>>,
    /// Slugs of categories, with those of their second levels.
    pub categories: Option<Vec<String>>,
}

/// Collects the events, performers and venues of one part.
#[derive(Clone, Debug)]
pub struct PartBuilder {
    scopes: &'static [Scope],
    providers: Option<BTreeSet<String>>,
    days: Option<Vec<DayRange>>,
    cells: Option<BTreeSet<Cell>>,
    performers: Option<BTreeSet<u32>>,
    categories: Option<BTreeSet<String>>,
    overflowed: Vec<&'static str>,
    is_empty: bool,
}

impl Selection {
    /// Everything of these scopes.
    #[must_use]
    pub const fn all_of(scopes: &'static [Scope]) -> Self {
        Self { scopes, providers: None, days: None, area: None, performers: None, categories: None }
    }
}

impl Cell {
    /// The cell of a point, in degrees north (-90 to 90) and east (-180 to 180).
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the numbers are clamped to 180 rows and 360 columns"
    )]
    pub fn at(latitude: f64, longitude: f64) -> Self {
        let row = (latitude + 90.0).floor().clamp(0.0, 179.0) as u16;
        let column = (longitude + 180.0).floor().clamp(0.0, 359.0) as u16;
        Self(row * 360 + column)
    }

    fn center(self) -> Direction {
        let (row, column) = (f64::from(self.0 / 360), f64::from(self.0 % 360));
        Direction::from_degrees(row - 89.5, column - 179.5)
    }

    /// Whether a point of the cell may be in the area.
    fn may_be_within(self, (center, radius_km): (Direction, f64)) -> bool {
        self.center().chord_squared_to(center) <= chord_squared(radius_km + CELL_RADIUS_KM)
    }
}

impl Footprint {
    /// The footprint of a change of which nothing is known.
    #[must_use]
    pub fn everything() -> Self {
        use Scope::{Concerts, Details, Events, Performers, Places, Rates, Venues};
        Self::all_of(&[Events, Concerts, Performers, Venues, Places, Rates, Details])
    }

    /// Everything of these scopes.
    #[must_use]
    pub fn all_of(scopes: &[Scope]) -> Self {
        Self { parts: vec![FootprintPart { scopes: scopes.to_vec(), ..FootprintPart::default() }], takedown: false }
    }

    /// Everything of these scopes that a provider has.
    #[must_use]
    pub fn of_provider(slug: &str, scopes: &[Scope]) -> Self {
        let mut footprint = Self::all_of(scopes);
        footprint.parts.iter_mut().for_each(|part| part.providers = Some(vec![slug.to_owned()]));
        footprint
    }

    /// The union of parts, without those to which nothing was added.
    #[must_use]
    pub fn of_parts(parts: impl IntoIterator<Item = PartBuilder>) -> Self {
        Self { parts: parts.into_iter().filter(|part| !part.is_empty).map(PartBuilder::finish).collect(), takedown: false }
    }

    /// The same, of content that was removed for legal reasons.
    #[must_use]
    pub fn of_takedown(self) -> Self {
        Self { takedown: true, ..self }
    }

    /// Whether no response that it may have changed may be served any more.
    #[must_use]
    pub fn is_takedown(&self) -> bool {
        self.takedown
    }

    /// The number of its parts, and of the elements of all parts in each dimension.
    #[must_use]
    pub fn count_elements(&self) -> [(&'static str, usize); 6] {
        let sum = |count: fn(&FootprintPart) -> Option<usize>| self.parts.iter().filter_map(count).sum();
        [
            ("parts", self.parts.len()),
            ("providers", sum(|part| part.providers.as_ref().map(Vec::len))),
            ("day_ranges", sum(|part| part.days.as_ref().map(Vec::len))),
            ("cells", sum(|part| part.cells.as_ref().map(Vec::len))),
            ("performers", sum(|part| part.performers.as_ref().map(Vec::len))),
            ("categories", sum(|part| part.categories.as_ref().map(Vec::len))),
        ]
    }

    /// Whether a response may have changed.
    #[must_use]
    pub fn intersects(&self, selection: &Selection) -> bool {
        self.parts.iter().any(|part| part.intersects(selection))
    }
}

impl FootprintPart {
    fn intersects(&self, selection: &Selection) -> bool {
        let overlaps = |days: &[DayRange], (first, last): DayRange| days.iter().any(|(from, to)| *from <= last && first <= *to);
        self.scopes.iter().any(|scope| selection.scopes.contains(scope))
            && intersect(self.providers.as_deref(), selection.providers.as_deref())
            && self.days.as_ref().zip(selection.days).is_none_or(|(days, selected)| overlaps(days, selected))
            && self
                .cells
                .as_ref()
                .zip(selection.area)
                .is_none_or(|(cells, area)| cells.iter().any(|cell| cell.may_be_within(area)))
            && intersect(self.performers.as_deref(), selection.performers.as_deref())
            && intersect(self.categories.as_deref(), selection.categories.as_deref())
    }
}

impl PartBuilder {
    /// A part of these scopes that contains nothing yet, of any provider.
    #[must_use]
    pub fn new(scopes: &'static [Scope]) -> Self {
        Self {
            scopes,
            providers: None,
            days: Some(Vec::new()),
            cells: Some(BTreeSet::new()),
            performers: Some(BTreeSet::new()),
            categories: Some(BTreeSet::new()),
            overflowed: Vec::new(),
            is_empty: true,
        }
    }

    /// Of the providers with these slugs.
    #[must_use]
    pub fn of_providers<'a>(self, slugs: impl IntoIterator<Item = &'a str>) -> Self {
        let slugs: BTreeSet<String> = slugs.into_iter().map(str::to_owned).collect();
        Self { providers: (slugs.len() <= MAX_PROVIDERS).then_some(slugs), ..self }
    }

    /// On any day.
    #[must_use]
    pub fn on_any_day(self) -> Self {
        Self { days: None, ..self }
    }

    /// At any place.
    #[must_use]
    pub fn in_any_cell(self) -> Self {
        Self { cells: None, ..self }
    }

    /// With any performer.
    #[must_use]
    pub fn of_any_performer(self) -> Self {
        Self { performers: None, ..self }
    }

    /// In any category.
    #[must_use]
    pub fn of_any_category(self) -> Self {
        Self { categories: None, ..self }
    }

    /// Adds the days from one instant to another.
    pub fn add_days(&mut self, from: UtcInstant, to: UtcInstant) {
        self.is_empty = false;
        let Some(days) = &mut self.days else { return };
        let first = day_of(from);
        days.push((first, day_of(to).max(first)));
        if days.len() >= 64 * MAX_DAY_RANGES {
            merge_ranges(days);
        }
    }

    /// Adds a cell.
    pub fn add_cell(&mut self, cell: Cell) {
        self.is_empty = false;
        if add_bounded(&mut self.cells, cell, MAX_CELLS) {
            self.overflowed.push("cells");
        }
    }

    /// Adds a performer by its hash.
    pub fn add_performer(&mut self, hash: u32) {
        self.is_empty = false;
        if add_bounded(&mut self.performers, hash, MAX_PERFORMERS) {
            self.overflowed.push("performers");
        }
    }

    /// Adds a category by its slug.
    pub fn add_category(&mut self, slug: &str) {
        self.is_empty = false;
        if add_bounded(&mut self.categories, slug.to_owned(), MAX_CATEGORIES) {
            self.overflowed.push("categories");
        }
    }

    /// The dimensions that were too large and became unbounded.
    #[must_use]
    pub fn overflowed(&self) -> &[&'static str] {
        &self.overflowed
    }

    fn finish(self) -> FootprintPart {
        let days = self.days.map(|mut days| {
            merge_ranges(&mut days);
            days
        });
        FootprintPart {
            scopes: self.scopes.to_vec(),
            providers: self.providers.map(Vec::from_iter),
            days,
            cells: self.cells.map(Vec::from_iter),
            performers: self.performers.map(Vec::from_iter),
            categories: self.categories.map(Vec::from_iter),
        }
    }
}

/// The hash of a performer's id at its provider. Performers of several providers may share it.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "a part of a hash is a hash")]
pub fn hash_performer(source_id: &str) -> u32 {
    xxh3_64(source_id.as_bytes()) as u32
}

/// The day of an instant in UTC, from 1970-01-01.
#[must_use]
pub fn day_of(instant: UtcInstant) -> i32 {
    let day = instant.0.div_euclid(MICROS_PER_DAY);
    i32::try_from(day).unwrap_or(if day < 0 { i32::MIN } else { i32::MAX })
}

/// Whether two sets have a common element; a set without a value has all.
fn intersect<T: PartialEq>(changed: Option<&[T]>, selected: Option<&[T]>) -> bool {
    changed.zip(selected).is_none_or(|(changed, selected)| selected.iter().any(|element| changed.contains(element)))
}

/// Adds an element to a set. Returns whether the set was full and has become unbounded.
fn add_bounded<T: Ord>(set: &mut Option<BTreeSet<T>>, element: T, max: usize) -> bool {
    let Some(elements) = set else { return false };
    elements.insert(element);
    let is_over = elements.len() > max;
    if is_over {
        *set = None;
    }
    is_over
}

/// Sorts ranges and merges those that touch, and then the nearest ones until [`MAX_DAY_RANGES`] are left.
fn merge_ranges(days: &mut Vec<DayRange>) {
    days.sort_unstable();
    merge_gaps(days, 1);
    if days.len() > MAX_DAY_RANGES {
        let mut gaps: Vec<i64> = days.windows(2).map(|pair| gap(pair[0], pair[1])).collect();
        // Of n + 1 ranges, the n - MAX + 1 smallest gaps must be closed.
        let closed = days.len() - MAX_DAY_RANGES;
        let (_, largest, _) = gaps.select_nth_unstable(closed - 1);
        let largest = *largest;
        merge_gaps(days, largest);
    }
}

/// Merges neighbours with a gap of at most this size.
fn merge_gaps(days: &mut Vec<DayRange>, max_gap: i64) {
    days.dedup_by(|next, previous| {
        let is_near = gap(*previous, *next) <= max_gap;
        if is_near {
            previous.1 = previous.1.max(next.1);
        }
        is_near
    });
}

/// Days from the end of a range to the beginning of a later one.
fn gap((_, end): DayRange, (begin, _): DayRange) -> i64 {
    i64::from(begin) - i64::from(end)
}
