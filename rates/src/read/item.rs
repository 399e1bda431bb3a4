//! Parses a row that is a JSON object.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    BatchReadError,
    check::{Checker, RawRow, RowPosition, escape, quote},
};

const EXPECTED: &str = "an object with the keys orig_code, dest_code, day and price";
/// How much of a parser's message is reported: it repeats names and values of any length.
const MESSAGE_CHARACTERS: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceObject<'a> {
    #[serde(borrow)]
    orig_code: Cow<'a, str>,
    #[serde(borrow)]
    dest_code: Cow<'a, str>,
    #[serde(borrow)]
    day: Cow<'a, str>,
    /// The number as text: as a double it would lose digits.
    #[serde(borrow)]
    price: &'a RawValue,
}

/// Parses and checks one row.
pub(super) fn check_object(checker: &mut Checker<'_>, position: RowPosition, text: &[u8]) -> Result<(), BatchReadError> {
    if !text.trim_ascii_start().starts_with(b"{") {
        return checker.reject_row(position, format!("the row must be {EXPECTED}, got {}", quote(text)));
    }
    let price: PriceObject<'_> = match serde_json::from_slice(text) {
        Ok(price) => price,
        Err(error) => return checker.reject_row(position, format!("the row must be {EXPECTED}: {}", describe(&error))),
    };
    let number = price.price.get().as_bytes();
    if number.starts_with(b"\"") {
        return checker.reject_row(position, format!("`price` must be a number without quotes, got {}", quote(number)));
    }
    let [orig_code, dest_code, day] = [&price.orig_code, &price.dest_code, &price.day].map(|text| text.as_bytes());
    checker.check_row(position, RawRow { orig_code, dest_code, day, price: number })
}

/// The parser's message without its line number, which counts from the start of the row.
pub(super) fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    escape(message, MESSAGE_CHARACTERS)
}
