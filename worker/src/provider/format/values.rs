//! Validation of single values, shared by all formats. An error continues a sentence that starts with the name of the field.

use crate::provider::quote::quote;

/// Ids are numbers, words or, in JSON-LD, URLs.
const MAX_ID_CHARACTERS: usize = 255;
/// The longest title seen in a real feed has about 200 characters.
const MAX_NAME_CHARACTERS: usize = 1_000;
/// More seats than any venue has.
const MAX_CAPACITY: i64 = 10_000_000;

/// Errors listed for one item: enough to fix a feed, and a reject stays small.
const MAX_LISTED_ERRORS: usize = 8;
/// Length of a listed error, which may quote an id as long as an attribute.
const MAX_ERROR_CHARACTERS: usize = 300;

/// The validation errors of one item, and the warnings about its optional details. An item with errors is rejected.
#[derive(Default)]
pub(super) struct ItemErrors {
    listed: Vec<String>,
    unlisted: usize,
    /// Reasons of the warnings.
    pub(super) warnings: Vec<String>,
}

impl ItemErrors {
    /// The value, or `None` after recording the error.
    pub(super) fn record<T>(&mut self, value: Result<T, String>) -> Option<T> {
        value.map_err(|error| self.push(error)).ok()
    }

    /// The value of an optional detail, or `None` after recording a warning.
    pub(super) fn tolerate<T>(&mut self, value: Result<Option<T>, String>) -> Option<T> {
        value.unwrap_or_else(|error| {
            self.warn(format!("{error}; ignored"));
            None
        })
    }

    /// Records a warning.
    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(sanitize(warning));
    }

    /// Records an error.
    pub(super) fn push(&mut self, error: String) {
        if self.listed.len() < MAX_LISTED_ERRORS {
            self.listed.push(sanitize(error));
        } else {
            self.unlisted += 1;
        }
    }

    /// All errors in one line; `None` if there are none.
    pub(super) fn describe(&self) -> Option<String> {
        let more = (self.unlisted > 0).then(|| format!("and {} more", self.unlisted));
        let errors: Vec<&str> = self.listed.iter().chain(&more).map(String::as_str).collect();
        (!errors.is_empty()).then(|| errors.join("; "))
    }
}

/// Errors quote the provider's values. A terminal would interpret control characters, and PostgreSQL rejects a NUL.
fn sanitize(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_ERROR_CHARACTERS) {
        text.truncate(end);
        text.push('…');
    }
    text.replace(char::is_control, "\u{fffd}")
}

/// Adds the name of the field to an error.
pub(super) fn name_field<T>(field: &str, value: Result<T, String>) -> Result<T, String> {
    value.map_err(|error| format!("`{field}` {error}"))
}

/// The error for a required field; any of the names would have been accepted.
pub(super) fn describe_missing(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => format!("{last} is missing"),
        Some((last, others)) => format!("{} or {last} is missing", others.join(", ")),
        None => "a value is missing".to_owned(),
    }
}

/// Parses an id of a provider.
pub(super) fn parse_id(value: &str) -> Result<String, String> {
    parse_text(value, MAX_ID_CHARACTERS)
}

/// Parses a title or a name.
pub(super) fn parse_name(value: &str) -> Result<String, String> {
    parse_text(value, MAX_NAME_CHARACTERS)
}

/// Parses `true` or `false`, or `1` and `0` as in XML Schema.
pub(super) fn parse_boolean(value: &str) -> Result<bool, String> {
    match value.trim() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("must be `true` or `false`, got {}", quote(value))),
    }
}

/// Parses a number of tickets.
pub(super) fn parse_capacity(value: &str) -> Result<i64, String> {
    match value.trim().parse() {
        Ok(capacity @ 0..=MAX_CAPACITY) => Ok(capacity),
        _ => Err(format!("must be an integer from 0 to {MAX_CAPACITY}, got {}", quote(value))),
    }
}

/// Parses a latitude in degrees.
pub(super) fn parse_latitude(value: &str) -> Result<f64, String> {
    parse_degrees(value, 90.0)
}

/// Parses a longitude in degrees.
pub(super) fn parse_longitude(value: &str) -> Result<f64, String> {
    parse_degrees(value, 180.0)
}

fn parse_degrees(value: &str, limit: f64) -> Result<f64, String> {
    match value.trim().parse::<f64>() {
        // Adding zero turns a negative zero into a positive one: they are the same coordinate, but hash differently.
        Ok(degrees) if (-limit..=limit).contains(&degrees) => Ok(degrees + 0.0),
        _ => Err(format!("must be a number from -{limit} to {limit}, got {}", quote(value))),
    }
}

fn parse_text(value: &str, max_characters: usize) -> Result<String, String> {
    let value = value.trim();
    // Most texts are short and ASCII, and a feed has millions of them.
    let is_plain = value.len() <= max_characters && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_plain {
        Ok(value.to_owned())
    } else if value.chars().any(char::is_control) {
        Err(format!("must not contain control characters, got {}", quote(value)))
    } else if value.chars().nth(max_characters).is_some() {
        Err(format!("must have at most {max_characters} characters, got {}", value.chars().count()))
    } else {
        Ok(value.to_owned())
    }
}
