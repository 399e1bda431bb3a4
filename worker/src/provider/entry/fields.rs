//! Validation of single settings. An error continues a sentence that starts with the name of the setting.

use std::{collections::BTreeMap, fmt::Display, str::FromStr, time::Duration};

use chrono_tz::Tz;
use entity::{Category, Schedule};
use reqwest::Url;
use serde::{Deserialize, Deserializer, de::Error};
use toml::Value;

use crate::provider::{
    category::CategoryMap,
    currency::Currency,
    feed_headers::FeedHeaders,
    feed_url::FeedUrl,
    format::{self, FeedFormat},
    id_from::IdFrom,
    quote::quote,
};

/// A slug is part of paths and log lines.
const MAX_SLUG_CHARACTERS: usize = 64;
/// A name, a licence or an attribution.
const MAX_LINE_CHARACTERS: usize = 300;
/// Parameters of ticket links: more than any programme of a seller needs.
const MAX_AFFILIATE_PARAMETERS: usize = 20;
/// A run that lasts much longer than this is considered dead.
const MAX_TIMEOUT_SECONDS: u64 = 600;
/// A day: the pages of a feed that is polled less often than that.
const MAX_PAGES_TIMEOUT_SECONDS: u64 = 86_400;
/// The URLs that one sitemap may have.
const MAX_PAGES: u64 = 50_000;
/// Requests in a second: from one in a quarter of an hour to what only the provider's own servers accept.
const MIN_RATE: f64 = 0.001;
const MAX_RATE: f64 = 1_000.0;

pub(super) fn parse_slug<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    check_slug(String::deserialize(deserializer)?).map_err(Error::custom)
}

pub(super) fn parse_slugs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let slugs = Vec::<String>::deserialize(deserializer)?;
    slugs.into_iter().map(check_slug).collect::<Result<_, _>>().map_err(Error::custom)
}

fn check_slug(slug: String) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=MAX_SLUG_CHARACTERS).contains(&slug.len()) && slug.bytes().all(is_allowed) {
        return Ok(slug);
    }
    let slug = quote(&slug);
    Err(format!("must have 1 to {MAX_SLUG_CHARACTERS} characters of a-z, 0-9 and -, got {slug}"))
}

/// Parses a text of one line; an empty one is absent.
pub(super) fn parse_line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.chars().count() > MAX_LINE_CHARACTERS || text.contains(char::is_control) {
        let message = format!("must be one line of at most {MAX_LINE_CHARACTERS} characters, got {}", quote(&text));
        return Err(Error::custom(message));
    }
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// Parses a URL that is shown to people.
pub(super) fn parse_link<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let link = parse_line(deserializer)?;
    let is_web = |link: &String| link.parse::<Url>().is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
    match link {
        Some(link) if !is_web(&link) => Err(Error::custom(format!("must be an http or https URL, got {}", quote(&link)))),
        link => Ok(link),
    }
}

/// Parses the parameters of ticket links.
pub(super) fn parse_affiliate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let requirement = format!(
        "must be a table of at most {MAX_AFFILIATE_PARAMETERS} names and texts of at most {MAX_LINE_CHARACTERS} characters, such as \
         {{ utm_source = \"marquee\" }}"
    );
    let is_line =
        |text: &str| !text.is_empty() && text.chars().count() <= MAX_LINE_CHARACTERS && !text.contains(char::is_control);
    let Value::Table(table) = Value::deserialize(deserializer)? else { return Err(Error::custom(requirement)) };
    let is_short = table.len() <= MAX_AFFILIATE_PARAMETERS;
    let parameters = table.into_iter().map(|(name, value)| match value {
        Value::String(value) if is_line(&name) && is_line(&value) => Ok((name, value)),
        _ => Err(Error::custom(format!("{requirement}, got {}", quote(&name)))),
    });
    if is_short { parameters.collect() } else { Err(Error::custom(requirement)) }
}

pub(super) fn parse_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FeedUrl, D::Error> {
    parse_text(deserializer, |_, error: &String| error.clone())
}

pub(super) fn parse_headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FeedHeaders, D::Error> {
    let Value::Table(headers) = Value::deserialize(deserializer)? else {
        return Err(Error::custom("must be a table of names and values"));
    };
    FeedHeaders::parse(headers, |name| std::env::var(name).ok()).map_err(Error::custom)
}

pub(super) fn parse_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FeedFormat, D::Error> {
    let name = String::deserialize(deserializer)?;
    format::find(&name).ok_or_else(|| Error::custom(format!("must be one of {}, got {}", format::list_names(), quote(&name))))
}

pub(super) fn parse_id_from<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IdFrom>, D::Error> {
    parse_text(deserializer, |_, error: &String| error.clone()).map(Some)
}

pub(super) fn parse_schedule<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Schedule, D::Error> {
    parse_text(deserializer, |_, error: &String| error.clone())
}

pub(super) fn parse_time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    parse_text(deserializer, |text, _| format!("must be an IANA time zone such as Europe/Madrid, got {}", quote(text)))
}

pub(super) fn parse_currency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
    parse_text(deserializer, |_, error: &String| error.clone())
}

pub(super) fn parse_category_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CategoryMap, D::Error> {
    let entries = BTreeMap::<String, Value>::deserialize(deserializer)?;
    entries.iter().try_fold(CategoryMap::default(), |map, (word, value)| {
        let category = value.as_str().and_then(Category::find).ok_or_else(|| {
            let actual = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Error::custom(format!("must be a known category such as music or music/jazz, got {}", quote(&actual)))
        })?;
        match word.trim() {
            "" => Err(Error::custom("must map words to categories, got an empty word")),
            word => Ok(map.with(word, category)),
        }
    })
}

pub(super) fn parse_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let bytes = value.as_integer().and_then(|bytes| u64::try_from(bytes).ok());
    bytes.ok_or_else(|| Error::custom(format!("must be an integer of 0 or more, got {}", quote(&value.to_string()))))
}

pub(super) fn parse_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_integer(deserializer, MAX_TIMEOUT_SECONDS).map(Duration::from_secs)
}

pub(super) fn parse_pages_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_integer(deserializer, MAX_PAGES_TIMEOUT_SECONDS).map(Duration::from_secs)
}

pub(super) fn parse_pages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    parse_integer(deserializer, MAX_PAGES).map(|pages| usize::try_from(pages).unwrap_or(usize::MAX))
}

/// Parses an integer from 1 to a maximum.
fn parse_integer<'de, D: Deserializer<'de>>(deserializer: D, max: u64) -> Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let integer = value.as_integer().and_then(|integer| u64::try_from(integer).ok());
    integer
        .filter(|integer| (1..=max).contains(integer))
        .ok_or_else(|| Error::custom(format!("must be an integer between 1 and {max}, got {}", quote(&value.to_string()))))
}

pub(super) fn parse_rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let rate = match value {
        Value::Float(rate) => Some(rate),
        Value::Integer(rate) => u32::try_from(rate).ok().map(f64::from),
        _ => None,
    };
    rate.filter(|rate| (MIN_RATE..=MAX_RATE).contains(rate)).ok_or_else(|| {
        Error::custom(format!("must be a number between {MIN_RATE} and {MAX_RATE}, got {}", quote(&value.to_string())))
    })
}

pub(super) fn parse_share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let share = match value {
        Value::Float(share) => Some(share),
        Value::Integer(0) => Some(0.0),
        Value::Integer(1) => Some(1.0),
        _ => None,
    };
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| Error::custom(format!("must be a number between 0 and 1, got {}", quote(&value.to_string()))))
}

pub(super) fn parse_factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let factor = match value {
        Value::Float(factor) => Some(factor),
        Value::Integer(factor) => u32::try_from(factor).ok().map(f64::from),
        _ => None,
    };
    factor
        .filter(|factor| factor.is_finite() && *factor >= 1.0)
        .ok_or_else(|| Error::custom(format!("must be a number of 1 or more, got {}", quote(&value.to_string()))))
}

/// Parses a string setting; `describe` gets the text and the error.
fn parse_text<'de, D, T>(deserializer: D, describe: impl FnOnce(&str, &T::Err) -> String) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error| Error::custom(describe(&text, &error)))
}
