//! Validates the rows of a batch one by one. Valid rows are staged, errors are collected.

use std::io;

use super::BatchReadError;
use crate::{BatchLimits, Day, PlaceIds, StagedPrices, limits::MAX_REPORTED_ERRORS, price, staged::Row};

/// How much of a rejected value an error message repeats: enough to recognize it.
const VALUE_CHARACTERS: usize = 40;

/// What is wrong with one row, or with the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// The line on which the row begins, from 1. A CSV header counts.
    pub line: u64,
    /// The row's index in a JSON array, as a JSON pointer.
    pub pointer: Option<String>,
    /// What is wrong and what is accepted.
    pub message: String,
}

/// All errors of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowErrors {
    /// The first hundred.
    pub first: Vec<RowError>,
    /// How many there are.
    pub count: u64,
}

/// The position of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowPosition {
    pub(super) line: u64,
    /// The index in the JSON array, from 0.
    pub(super) index: Option<u64>,
}

/// A row before validation.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawRow<'a> {
    pub(super) orig_code: &'a [u8],
    pub(super) dest_code: &'a [u8],
    pub(super) day: &'a [u8],
    pub(super) price: &'a [u8],
}

pub(super) struct Checker<'a> {
    places: &'a PlaceIds,
    limits: &'a BatchLimits,
    staged: StagedPrices,
    errors: RowErrors,
    row_count: u64,
}

impl<'a> Checker<'a> {
    pub(super) fn new(places: &'a PlaceIds, limits: &'a BatchLimits) -> io::Result<Self> {
        Ok(Self { places, limits, staged: StagedPrices::new()?, errors: RowErrors::default(), row_count: 0 })
    }

    /// Validates and stages the next row.
    pub(super) fn check_row(&mut self, position: RowPosition, row: RawRow<'_>) -> Result<(), BatchReadError> {
        self.count_row()?;
        match self.parse_row(row) {
            // A batch with an error is rejected as a whole: nothing more has to be staged.
            Ok(_) if self.errors.count > 0 => Ok(()),
            Ok(row) => self.staged.push(row).map_err(BatchReadError::Disk),
            Err(message) => {
                self.add_error(position, message);
                Ok(())
            }
        }
    }

    /// Counts the next row and rejects it, because it does not have the form of a row.
    pub(super) fn reject_row(&mut self, position: RowPosition, message: String) -> Result<(), BatchReadError> {
        self.count_row()?;
        self.add_error(position, message);
        Ok(())
    }

    pub(super) fn add_error(&mut self, position: RowPosition, message: impl Into<String>) {
        self.errors.count += 1;
        if self.errors.first.len() < MAX_REPORTED_ERRORS {
            let pointer = position.index.map(|index| format!("/{index}"));
            self.errors.first.push(RowError { line: position.line, pointer, message: message.into() });
        }
    }

    /// Returns the staged rows, or the errors if there is one.
    pub(super) fn finish(mut self) -> Result<StagedPrices, RowErrors> {
        if self.row_count == 0 && self.errors.count == 0 {
            self.add_error(RowPosition { line: 1, index: None }, "the batch contains no prices");
        }
        if self.errors.count == 0 { Ok(self.staged) } else { Err(self.errors) }
    }

    fn count_row(&mut self) -> Result<(), BatchReadError> {
        self.row_count += 1;
        let limit = self.limits.items;
        if self.row_count > limit { Err(BatchReadError::TooManyItems { limit }) } else { Ok(()) }
    }

    fn parse_row(&self, row: RawRow<'_>) -> Result<Row, String> {
        let describe = |name, value: &[u8], expected: &str| format!("`{name}` {expected}, got {}", quote(value));
        let place_id = |name, code: &[u8]| {
            let unknown = || describe(name, code, "must be the code of a place that was imported with PUT /places");
            self.places.id(code).ok_or_else(unknown)
        };
        let orig = place_id("orig_code", row.orig_code);
        let dest = place_id("dest_code", row.dest_code);
        let day = Day::parse(row.day).map_err(|expected| describe("day", row.day, &expected));
        let price = price::parse(row.price).map_err(|expected| describe("price", row.price, &expected));
        match (orig, dest, day, price) {
            (Ok(orig_place_id), Ok(dest_place_id), Ok(day), Ok(price)) => {
                Ok(Row { orig_place_id, dest_place_id, day: day.0, price })
            }
            (orig, dest, day, price) => {
                let errors = [orig.err(), dest.err(), day.err(), price.err()];
                Err(errors.into_iter().flatten().collect::<Vec<_>>().join("; "))
            }
        }
    }
}

/// Quotes a rejected value for an error message: truncated, and without control characters, which a terminal would execute.
#[must_use]
pub fn quote(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(&value[..value.len().min(4 * VALUE_CHARACTERS)]);
    format!("`{}`", escape(&text, VALUE_CHARACTERS))
}

/// Escapes control characters and truncates the text to a number of characters.
pub(super) fn escape(text: &str, characters: usize) -> String {
    let mut escaped = String::new();
    for character in text.chars().take(characters) {
        if character.is_control() { escaped.extend(character.escape_default()) } else { escaped.push(character) }
    }
    escaped
}
