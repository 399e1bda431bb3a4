//! A price as an object of JSON.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    ReadError,
    check::{At, Checker, Item, quoted, shown},
};

const WANTED: &str = "an object with orig_code, dest_code, day and price";
/// How much is said of what the reader says: it quotes names and values as long as they are.
const MESSAGE_CHARACTERS: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Price<'a> {
    #[serde(borrow)]
    orig_code: Cow<'a, str>,
    #[serde(borrow)]
    dest_code: Cow<'a, str>,
    #[serde(borrow)]
    day: Cow<'a, str>,
    /// As it is written: on its way through a double it would lose digits.
    #[serde(borrow)]
    price: &'a RawValue,
}

/// Takes the text of one item.
pub(super) fn take(checker: &mut Checker<'_>, at: At, text: &[u8]) -> Result<(), ReadError> {
    if !text.trim_ascii_start().starts_with(b"{") {
        return checker.no_item(at, format!("{} is no object: want {WANTED}", quoted(text)));
    }
    let price: Price<'_> = match serde_json::from_slice(text) {
        Ok(price) => price,
        Err(error) => return checker.no_item(at, message(&error)),
    };
    let number = price.price.get().as_bytes();
    if number.starts_with(b"\"") {
        return checker.no_item(at, "price is a text: want a number, without quotes".to_owned());
    }
    let [orig_code, dest_code, day] = [&price.orig_code, &price.dest_code, &price.day].map(|text| text.as_bytes());
    checker.item(at, Item { orig_code, dest_code, day, price: number })
}

/// What the reader says, without its own count of lines: it counts those of the item.
pub(super) fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    shown(message, MESSAGE_CHARACTERS)
}
