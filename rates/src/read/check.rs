//! Checks the items of a batch one by one, and keeps what holds and what is wrong.

use std::io;

use super::ReadError;
use crate::{Day, Draft, Limits, Places, draft::Row, limits::MAX_FAULTS, price};

/// How much of a wrong value is said back: enough to recognise it.
const VALUE_CHARACTERS: usize = 40;

/// What is wrong with one item, or with the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line on which it begins, from 1; a header counts.
    pub line: u64,
    /// Its place in the array as a JSON pointer, if it stands in one.
    pub pointer: Option<String>,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// All that is wrong with a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The first hundred.
    pub first: Vec<Fault>,
    /// How many there are.
    pub count: u64,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) line: u64,
    /// Its place in the array, from 0.
    pub(super) index: Option<u64>,
}

/// An item as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) orig_code: &'a [u8],
    pub(super) dest_code: &'a [u8],
    pub(super) day: &'a [u8],
    pub(super) price: &'a [u8],
}

pub(super) struct Checker<'a> {
    places: &'a Places,
    limits: &'a Limits,
    draft: Draft,
    faults: Faults,
    seen: u64,
}

impl<'a> Checker<'a> {
    pub(super) fn new(places: &'a Places, limits: &'a Limits) -> io::Result<Self> {
        Ok(Self { places, limits, draft: Draft::new()?, faults: Faults::default(), seen: 0 })
    }

    /// Takes the next item.
    pub(super) fn item(&mut self, at: At, item: Item<'_>) -> Result<(), ReadError> {
        self.count()?;
        match self.row(item) {
            // Once anything is wrong, nothing will be taken.
            Ok(_) if self.faults.count > 0 => Ok(()),
            Ok(row) => self.draft.push(row).map_err(ReadError::Disk),
            Err(message) => {
                self.fault(at, message);
                Ok(())
            }
        }
    }

    /// Takes the next item, which is not even one.
    pub(super) fn no_item(&mut self, at: At, message: String) -> Result<(), ReadError> {
        self.count()?;
        self.fault(at, message);
        Ok(())
    }

    /// Notes what is wrong.
    pub(super) fn fault(&mut self, at: At, message: impl Into<String>) {
        self.faults.count += 1;
        if self.faults.first.len() < MAX_FAULTS {
            let pointer = at.index.map(|index| format!("/{index}"));
            self.faults.first.push(Fault { line: at.line, pointer, message: message.into() });
        }
    }

    /// What came of it.
    pub(super) fn end(mut self) -> Result<Draft, Faults> {
        if self.seen == 0 && self.faults.count == 0 {
            self.fault(At { line: 1, index: None }, "the batch holds no prices");
        }
        if self.faults.count == 0 { Ok(self.draft) } else { Err(self.faults) }
    }

    fn count(&mut self) -> Result<(), ReadError> {
        self.seen += 1;
        let limit = self.limits.items;
        if self.seen > limit { Err(ReadError::TooManyItems { limit }) } else { Ok(()) }
    }

    fn row(&self, item: Item<'_>) -> Result<Row, String> {
        let place = |name, code: &[u8]| {
            let unknown = || format!("{name} {} is no place that is known; PUT /places makes it known", quoted(code));
            self.places.id(code).ok_or_else(unknown)
        };
        let named = |name, value: &[u8], fault: String| format!("{name} {} {fault}", quoted(value));
        let orig = place("orig_code", item.orig_code);
        let dest = place("dest_code", item.dest_code);
        let day = Day::parse(item.day).map_err(|fault| named("day", item.day, fault));
        let price = price::parse(item.price).map_err(|fault| named("price", item.price, fault));
        match (orig, dest, day, price) {
            (Ok(orig_place_id), Ok(dest_place_id), Ok(day), Ok(price)) => {
                Ok(Row { orig_place_id, dest_place_id, day: day.0, price })
            }
            (orig, dest, day, price) => {
                let faults = [orig.err(), dest.err(), day.err(), price.err()];
                Err(faults.into_iter().flatten().collect::<Vec<_>>().join("; "))
            }
        }
    }
}

/// A value to be said back: cut, and with nothing in it that a terminal would act upon.
#[must_use]
pub fn quoted(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(&value[..value.len().min(4 * VALUE_CHARACTERS)]);
    format!("`{}`", shown(&text, VALUE_CHARACTERS))
}

/// So many characters of a text, those that control something written out.
pub(super) fn shown(text: &str, characters: usize) -> String {
    let mut shown = String::new();
    for character in text.chars().take(characters) {
        if character.is_control() { shown.extend(character.escape_default()) } else { shown.push(character) }
    }
    shown
}
