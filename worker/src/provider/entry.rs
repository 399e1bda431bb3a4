//! `providers.toml`: who is polled, when, and how its feed is to be read.

use std::{collections::HashSet, path::Path, str::FromStr, time::Duration};

use chrono_tz::Tz;
use entity::Schedule;
use reqwest::Url;
use serde::{Deserialize, Deserializer, de};

use super::{
    currency::Currency,
    fetch,
    format::{self, FeedFormat},
};

/// More providers than this in one file would outgrow the scheduler's channels.
const PROVIDERS_PER_FILE: usize = 1_000;
/// The ledger takes a run that lasts much longer than this for dead.
const MAX_ANSWER_SECONDS: u64 = 600;
/// A slug is part of paths and log lines.
const SLUG_CHARACTERS: usize = 64;
/// Up to this share of a feed's items may be rejects before the feed as a whole is not believed.
const MAX_REJECTS_SHARE: f64 = 0.2;
/// A feed may be smaller than the one before by up to this share: seasons end, but half a catalogue at once is a fault.
const MAX_SHRINK_SHARE: f64 = 0.5;

/// One `[[provider]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderEntry {
    /// Its name in paths, ids and logs: lower-case letters, digits and hyphens. It must never be given to another company.
    #[serde(deserialize_with = "slug")]
    pub slug: String,
    /// Where its feed is fetched, `http` or `https`.
    #[serde(deserialize_with = "feed_url")]
    pub url: Url,
    /// The name of the feed's format.
    #[serde(deserialize_with = "known_format")]
    pub format: FeedFormat,
    /// When it is polled: cron with seconds, in UTC.
    #[serde(deserialize_with = "from_text")]
    pub schedule: Schedule,
    /// IANA name of the zone in which its wall-clock dates are meant.
    #[serde(default = "utc", deserialize_with = "from_text")]
    pub time_zone: Tz,
    /// ISO 4217 code of its prices.
    #[serde(deserialize_with = "from_text")]
    pub currency: Currency,
    /// Largest document that is taken, in bytes, before and after decompression.
    #[serde(default = "fetch::default_max_body_bytes")]
    pub max_body_bytes: u64,
    /// Whether its feed may come from an address that is none of the public internet.
    #[serde(default)]
    pub allow_private_addresses: bool,
    /// How long a whole answer may take, in seconds.
    #[serde(default = "fetch::default_response_timeout", rename = "answer_timeout_seconds", deserialize_with = "seconds")]
    pub response_timeout: Duration,
    /// Which share of the items, 0 to 1, may be rejects before the whole feed is refused.
    #[serde(default = "max_rejects_share", deserialize_with = "share")]
    pub max_rejects_share: f64,
    /// By which share of the events of the copy before, 0 to 1, a feed may be smaller before it is refused.
    #[serde(default = "max_shrink_share", deserialize_with = "share")]
    pub max_shrink_share: f64,
}

/// What is wrong with the file of providers.
#[derive(Debug, thiserror::Error)]
pub enum ProvidersError {
    /// It cannot be read.
    #[error("{path} cannot be read (PROVIDERS_FILE names it)")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It does not say what it should; the cause shows the line.
    #[error("{path} is not a list of providers")]
    Malformed {
        /// The file.
        path: String,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// Two entries have the same slug.
    #[error("{path}: two providers have the slug `{slug}`")]
    DoubleSlug {
        /// The file.
        path: String,
        /// The slug.
        slug: String,
    },
    /// There are too many entries.
    #[error("{path}: {count} providers are over the limit of {PROVIDERS_PER_FILE}")]
    TooMany {
        /// The file.
        path: String,
        /// How many there are.
        count: usize,
    },
    /// The command names a provider that the file does not hold.
    #[error("no provider `{slug}`; known are: {known}")]
    Unknown {
        /// The name that was given.
        slug: String,
        /// The names that the file holds.
        known: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvidersFile {
    #[serde(default, rename = "provider")]
    providers: Vec<ProviderEntry>,
}

/// Reads and checks the whole file.
///
/// # Errors
///
/// When it cannot be read or anything in it is not understood, an unknown key included.
pub fn read_providers(path: &Path) -> Result<Vec<ProviderEntry>, ProvidersError> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| ProvidersError::Unreadable { path: name(), source })?;
    let file: ProvidersFile =
        toml::from_str(&text).map_err(|source| ProvidersError::Malformed { path: name(), source: Box::new(source) })?;
    let mut slugs = HashSet::new();
    if let Some(double) = file.providers.iter().find(|entry| !slugs.insert(&entry.slug)) {
        return Err(ProvidersError::DoubleSlug { path: name(), slug: double.slug.clone() });
    }
    if file.providers.len() > PROVIDERS_PER_FILE {
        return Err(ProvidersError::TooMany { path: name(), count: file.providers.len() });
    }
    Ok(file.providers)
}

/// The entry with this slug.
///
/// # Errors
///
/// When there is none; the error lists those that there are.
pub fn find<'a>(providers: &'a [ProviderEntry], slug: &str) -> Result<&'a ProviderEntry, ProvidersError> {
    providers.iter().find(|entry| entry.slug == slug).ok_or_else(|| ProvidersError::Unknown {
        slug: slug.to_owned(),
        known: providers.iter().map(|entry| entry.slug.as_str()).collect::<Vec<_>>().join(", "),
    })
}

fn utc() -> Tz {
    Tz::UTC
}

fn max_rejects_share() -> f64 {
    MAX_REJECTS_SHARE
}

fn max_shrink_share() -> f64 {
    MAX_SHRINK_SHARE
}

fn slug<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let slug = String::deserialize(deserializer)?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=SLUG_CHARACTERS).contains(&slug.len()) && slug.bytes().all(allowed) {
        Ok(slug)
    } else {
        Err(de::Error::custom(format!("slug `{slug}`: want 1 to {SLUG_CHARACTERS} of a-z, 0-9 and -")))
    }
}

fn feed_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let url: Url = from_text(deserializer)?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err(de::Error::custom(format!("url `{url}`: want http:// or https://")))
    }
}

fn known_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FeedFormat, D::Error> {
    let name = String::deserialize(deserializer)?;
    format::find(&name).ok_or_else(|| de::Error::custom(format!("format `{name}` is unknown; known are: {}", format::names())))
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = u64::deserialize(deserializer)?;
    if (1..=MAX_ANSWER_SECONDS).contains(&seconds) {
        Ok(Duration::from_secs(seconds))
    } else {
        Err(de::Error::custom(format!("{seconds} is not between 1 and {MAX_ANSWER_SECONDS}")))
    }
}

fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(de::Error::custom(format!("{share} is not between 0 and 1"))) }
}

fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}
