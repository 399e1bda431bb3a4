//! Validation of single values, shared by all formats. An error continues a sentence that starts with the name of the field.

use std::borrow::Cow;

use chrono_tz::Tz;
use entity::EventStatus;
use reqwest::Url;

use super::clean_text::{clean_line, clean_paragraphs, may_have_markup};
use crate::provider::{currency::Currency, id_from::IdFrom, quote::quote};

/// Ids are numbers, words or, in JSON-LD, URLs.
const MAX_ID_CHARACTERS: usize = 255;
/// The longest title seen in a real feed has about 200 characters.
const MAX_NAME_CHARACTERS: usize = 1_000;
/// A few pages of text. A longer description is cut.
const MAX_DESCRIPTION_CHARACTERS: usize = 10_000;
/// Browsers accept longer ones, but links with more are cut or refused on their way.
const MAX_URL_CHARACTERS: usize = 2_000;
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

/// The error for an item without the property of the setting `id_from`.
pub(super) fn describe_missing_id(id_from: &IdFrom) -> String {
    format!("`{id_from}` is missing, which is the `id_from` of the provider")
}

/// Parses an id of a provider.
pub(super) fn parse_id(value: &str) -> Result<String, String> {
    parse_text(value, MAX_ID_CHARACTERS)
}

/// Parses a title or a name: a text of one line, without markup and control characters.
pub(super) fn parse_name(value: &str) -> Result<String, String> {
    // Most names are clean and ASCII, and a feed has millions of them.
    let is_clean = is_clean_ascii(value) && !may_have_markup(value);
    let name = if is_clean { Cow::Borrowed(value) } else { clean_line(value) };
    if name.is_empty() { Err(format!("must have a text, got {}", quote(value))) } else { parse_text(&name, MAX_NAME_CHARACTERS) }
}

/// Parses a description: a text of several lines, without markup and control characters.
pub(super) fn parse_description(value: &str) -> Result<String, String> {
    let mut description = clean_paragraphs(value);
    if let Some((end, _)) = description.char_indices().nth(MAX_DESCRIPTION_CHARACTERS) {
        description.truncate(end);
        description.push('…');
    }
    if description.is_empty() { Err(format!("must have a text, got {}", quote(value))) } else { Ok(description) }
}

/// Whether a text has only printable ASCII characters and single spaces.
fn is_clean_ascii(text: &str) -> bool {
    let mut previous = 0;
    text.bytes().all(|byte| {
        let is_second_space = byte == b' ' && previous == b' ';
        previous = byte;
        matches!(byte, b' '..=b'~') && !is_second_space
    })
}

/// Parses `true` or `false`, `yes` or `no`, `1` or `0`, in any case.
pub(super) fn parse_boolean(value: &str) -> Result<bool, String> {
    let is_any_of = |words: &[&str]| words.iter().any(|word| value.trim().eq_ignore_ascii_case(word));
    if is_any_of(&["true", "1", "yes", "y"]) {
        Ok(true)
    } else if is_any_of(&["false", "0", "no", "n"]) {
        Ok(false)
    } else {
        Err(format!("must be `true` or `false`, got {}", quote(value)))
    }
}

/// Parses the status of an event: our names and those of schema.org, such as `https://schema.org/EventCancelled`, in any case.
pub(super) fn parse_status(value: &str) -> Result<EventStatus, String> {
    let word = value.trim().trim_end_matches('/').rsplit(['/', ':', '#']).next().unwrap_or_default();
    let word: String = word.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()).collect();
    match word.strip_prefix("event").unwrap_or(&word) {
        "scheduled" => Ok(EventStatus::Scheduled),
        "cancelled" | "canceled" => Ok(EventStatus::Cancelled),
        "postponed" => Ok(EventStatus::Postponed),
        "rescheduled" => Ok(EventStatus::Rescheduled),
        "movedonline" => Ok(EventStatus::MovedOnline),
        _ => {
            let names = EventStatus::ALL.map(EventStatus::name).join(", ");
            Err(format!("must be one of {names}, got {}", quote(value)))
        }
    }
}

/// Parses the URL of a page or a picture. One that begins with `/` is resolved against the origin.
pub(super) fn parse_url(value: &str, origin: Option<&Url>) -> Result<String, String> {
    let value = value.trim();
    let resolved = origin.filter(|_| value.starts_with('/')).and_then(|origin| origin.join(value).ok());
    let url = resolved.as_ref().map_or(value, Url::as_str);
    let is_absolute = url.parse::<Url>().is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !is_absolute || value.contains(|character: char| character.is_whitespace() || character.is_control()) {
        let or_path = if origin.is_some() { ", or begin with `/`" } else { "" };
        return Err(format!("must be an http:// or https:// URL without white space{or_path}, got {}", quote(value)));
    }
    parse_text(url, MAX_URL_CHARACTERS)
}

/// Parses the code of a currency; `None` if it is this one.
pub(super) fn parse_other_currency(value: &str, known: &Currency) -> Result<Option<Currency>, String> {
    let code = value.trim();
    if code.eq_ignore_ascii_case(known.code()) { Ok(None) } else { code.to_ascii_uppercase().parse().map(Some) }
}

/// Parses the name of a time zone.
pub(super) fn parse_time_zone(value: &str) -> Result<Tz, String> {
    value.trim().parse().map_err(|_| format!("must be an IANA time zone such as Europe/Madrid, got {}", quote(value)))
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
