//! `providers.toml`: the providers, their schedules, and how their feeds are fetched and parsed.

mod error;
mod fields;
mod file;

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    time::Duration,
};

use chrono_tz::Tz;
use entity::Schedule;
use serde::Deserialize;

pub use self::{error::ProvidersError, file::ProvidersFile};
use super::{
    category::CategoryMap, currency::Currency, feed_headers::FeedHeaders, feed_url::FeedUrl, fetch, format::FeedFormat,
    id_from::IdFrom, pages,
};

/// The channels of the scheduler are sized for this many providers.
const MAX_PROVIDERS: usize = 1_000;
/// The default share of rejected items above which the whole feed is rejected.
const MAX_REJECTS_SHARE: f64 = 0.2;
/// The default share of events that a feed may lose: seasons end, but half a catalogue in one step is an error.
const MAX_SHRINK_SHARE: f64 = 0.5;
/// The default share of events that may have new ids while as many known ones are gone: the same, seen from both sides.
const MAX_CHURN_SHARE: f64 = 0.5;
/// The default factor by which a price may change: discounts and demand change it by two or three, a wrong unit by a hundred.
const MAX_PRICE_JUMP_FACTOR: f64 = 5.0;
/// The default share of events with prices that change by more: one organizer may correct its prices, but not all do so at the same time.
const MAX_PRICE_JUMP_SHARE: f64 = 0.2;

/// One `[[provider]]`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ProviderEntry {
    /// Its name in paths, ids and logs: lower-case letters, digits and hyphens. Never reuse it for another company.
    #[serde(deserialize_with = "fields::parse_slug")]
    pub slug: String,
    /// Slugs that it had before. Its copy and the ids of its events remain.
    #[serde(default, deserialize_with = "fields::parse_slugs")]
    pub previous_slugs: Vec<String>,
    /// The name for people.
    #[serde(default, deserialize_with = "fields::parse_line")]
    pub name: Option<String>,
    /// Its web page.
    #[serde(default, deserialize_with = "fields::parse_link")]
    pub home_page: Option<String>,
    /// The licence of its data: a name or a URL.
    #[serde(default, deserialize_with = "fields::parse_line")]
    pub licence: Option<String>,
    /// The text with which its data must be shown.
    #[serde(default, deserialize_with = "fields::parse_line")]
    pub attribution: Option<String>,
    /// The parameters that its ticket links get, by which it recognizes our readers.
    #[serde(default, deserialize_with = "fields::parse_affiliate")]
    pub affiliate: BTreeMap<String, String>,
    /// The URL of its feed, `http` or `https`.
    #[serde(deserialize_with = "fields::parse_url")]
    pub url: FeedUrl,
    /// Additional headers of the requests for its feed.
    #[serde(default, deserialize_with = "fields::parse_headers")]
    pub headers: FeedHeaders,
    /// The feed's format.
    #[serde(deserialize_with = "fields::parse_format")]
    pub format: FeedFormat,
    /// The property from which the ids of its events are read, if they are not the format's own.
    #[serde(default, deserialize_with = "fields::parse_id_from")]
    pub id_from: Option<IdFrom>,
    /// When it is polled: cron with seconds, in UTC.
    #[serde(deserialize_with = "fields::parse_schedule")]
    pub schedule: Schedule,
    /// The IANA time zone of its dates without an offset.
    #[serde(default = "default_time_zone", deserialize_with = "fields::parse_time_zone")]
    pub time_zone: Tz,
    /// The ISO 4217 currency of its prices.
    #[serde(deserialize_with = "fields::parse_currency")]
    pub currency: Currency,
    /// The categories of the provider's words.
    #[serde(default, deserialize_with = "fields::parse_category_map")]
    pub category_map: CategoryMap,
    /// Largest document in bytes, before and after decompression.
    #[serde(default = "fetch::default_max_body_bytes", deserialize_with = "fields::parse_bytes")]
    pub max_body_bytes: u64,
    /// Whether its feed may be at an address outside of the public internet.
    #[serde(default)]
    pub allow_private_addresses: bool,
    /// How long a whole response may take.
    #[serde(
        default = "fetch::default_response_timeout",
        rename = "answer_timeout_seconds",
        deserialize_with = "fields::parse_timeout"
    )]
    pub response_timeout: Duration,
    /// Pages of its feed, including sitemaps.
    #[serde(default = "pages::default_max_pages", deserialize_with = "fields::parse_pages")]
    pub max_pages: usize,
    /// Requests for pages to one host in a second.
    #[serde(default = "pages::default_max_requests_per_second", deserialize_with = "fields::parse_rate")]
    pub max_requests_per_second: f64,
    /// How long all pages may take.
    #[serde(
        default = "pages::default_pages_timeout",
        rename = "pages_timeout_seconds",
        deserialize_with = "fields::parse_pages_timeout"
    )]
    pub pages_timeout: Duration,
    /// The share of rejected items, 0 to 1, above which the whole feed is rejected.
    #[serde(default = "default_max_rejects_share", deserialize_with = "fields::parse_share")]
    pub max_rejects_share: f64,
    /// The share of events, 0 to 1, that a feed may lose compared with the copy.
    #[serde(default = "default_max_shrink_share", deserialize_with = "fields::parse_share")]
    pub max_shrink_share: f64,
    /// The share of new events in a feed, 0 to 1, while more than this share of the known ones is gone.
    #[serde(default = "default_max_churn_share", deserialize_with = "fields::parse_share")]
    pub max_churn_share: f64,
    /// The factor, 1 or more, by which the lowest price of an event may change.
    #[serde(default = "default_max_price_jump_factor", deserialize_with = "fields::parse_factor")]
    pub max_price_jump_factor: f64,
    /// The share of events, 0 to 1, with a lowest price that changes by more than the factor.
    #[serde(default = "default_max_price_jump_share", deserialize_with = "fields::parse_share")]
    pub max_price_jump_share: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvidersDocument {
    #[serde(default, rename = "provider")]
    providers: Vec<ProviderEntry>,
}

/// Reads and validates the whole file.
///
/// # Errors
///
/// When it cannot be read, has no providers, or anything in it is invalid, including an unknown key.
pub fn read_providers(path: &Path) -> Result<Vec<ProviderEntry>, ProvidersError> {
    parse_providers(path, &read_text(path)?)
}

fn read_text(path: &Path) -> Result<String, ProvidersError> {
    std::fs::read_to_string(path).map_err(|source| ProvidersError::Unreadable { path: path.display().to_string(), source })
}

fn parse_providers(path: &Path, text: &str) -> Result<Vec<ProviderEntry>, ProvidersError> {
    let name = || path.display().to_string();
    let mut file: ProvidersDocument = toml::from_str(text).map_err(|error| ProvidersError::invalid(name(), text, &error))?;
    if file.providers.is_empty() {
        return Err(ProvidersError::Empty { path: name() });
    }
    let mut slugs = HashSet::new();
    let all_slugs = file.providers.iter().flat_map(|entry| std::iter::once(&entry.slug).chain(&entry.previous_slugs));
    if let Some(duplicate) = all_slugs.into_iter().find(|slug| !slugs.insert(*slug)) {
        return Err(ProvidersError::DuplicateSlug { path: name(), slug: duplicate.clone() });
    }
    if file.providers.len() > MAX_PROVIDERS {
        return Err(ProvidersError::TooMany { path: name(), count: file.providers.len() });
    }
    for entry in &mut file.providers {
        let id_from = entry.id_from.as_ref().map(|id_from| entry.format.accept_id_from(id_from)).transpose();
        let slug = &entry.slug;
        entry.id_from = id_from.map_err(|detail| ProvidersError::IdFrom { path: name(), slug: slug.clone(), detail })?.flatten();
    }
    Ok(file.providers)
}

/// Finds the entry with this slug.
///
/// # Errors
///
/// When there is none. The error lists the slugs that exist.
pub fn find<'a>(providers: &'a [ProviderEntry], slug: &str) -> Result<&'a ProviderEntry, ProvidersError> {
    providers.iter().find(|entry| entry.slug == slug).ok_or_else(|| ProvidersError::Unknown {
        slug: slug.to_owned(),
        known: providers.iter().map(|entry| entry.slug.as_str()).collect::<Vec<_>>().join(", "),
    })
}

fn default_time_zone() -> Tz {
    Tz::UTC
}

fn default_max_rejects_share() -> f64 {
    MAX_REJECTS_SHARE
}

fn default_max_shrink_share() -> f64 {
    MAX_SHRINK_SHARE
}

fn default_max_churn_share() -> f64 {
    MAX_CHURN_SHARE
}

fn default_max_price_jump_factor() -> f64 {
    MAX_PRICE_JUMP_FACTOR
}

fn default_max_price_jump_share() -> f64 {
    MAX_PRICE_JUMP_SHARE
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "[[provider]]\nslug = \"northstage\"\nurl = \"https://user:swordfish@provider.example/feed\"\n\
                         format = \"event-list-xml\"\nschedule = \"0 0 * * * *\"\ncurrency = \"EUR\"\n";

    fn parse_error(text: &str) -> String {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("a writable file");
        let error = read_providers(file.path()).expect_err(text).to_string();
        error.replace(&file.path().display().to_string(), "FILE")
    }

    #[test]
    fn names_the_provider_the_setting_and_the_position() {
        let second = VALID.replace("northstage", "southstage").replace("\"EUR\"", "\"euro\"");
        assert_eq!(
            parse_error(&format!("{VALID}\n{second}")),
            "the providers file FILE is invalid: provider `southstage`: `currency` must be an ISO 4217 currency code such as EUR, \
             got `euro` (line 13, column 12)"
        );
        assert_eq!(
            parse_error(&format!("{VALID}{}", VALID.replace("slug = \"northstage\"\n", ""))),
            "the providers file FILE is invalid: provider 2: missing field `slug` (line 7, column 1)"
        );
    }

    #[test]
    fn a_category_map_must_name_known_categories() {
        for (map, detail) in [
            (r#"{ "Conciertos" = "musik" }"#, "must be a known category such as music or music/jazz, got `musik`"),
            (r#"{ "Conciertos" = 7 }"#, "must be a known category such as music or music/jazz, got `7`"),
            (r#"{ " " = "music" }"#, "must map words to categories, got an empty word"),
        ] {
            let error = parse_error(&format!("{VALID}category_map = {map}\n"));
            assert!(error.contains(&format!("provider `northstage`: `category_map` {detail} (line 7, column ")), "{error}");
        }
    }

    #[test]
    fn ids_are_read_from_a_property_that_the_format_has() {
        for (format, id_from, detail) in [
            (
                "event-list-xml",
                "url",
                "is not possible with the format event-list-xml; it is with icalendar, schema-org-html, schema-org-json",
            ),
            ("icalendar", "offers.sku", "must be a property of VEVENT such as URL or X-EVENT-ID, got `offers.sku`"),
            (
                "schema-org-json",
                "the id",
                "must be a property such as identifier, or a path such as offers.sku, got `the id` (line 7, column 11)",
            ),
        ] {
            let error = parse_error(&format!("{}id_from = \"{id_from}\"\n", VALID.replace("event-list-xml", format)));
            assert_eq!(error, format!("the providers file FILE is invalid: provider `northstage`: `id_from` {detail}"));
        }
    }

    #[test]
    fn never_quotes_the_credentials_of_a_url() {
        for (from, to) in [("https://user", "ftp://user"), ("https://user", "user"), ("url = \"", "url = "), ("/feed\"", "/feed")]
        {
            let error = parse_error(&VALID.replacen(from, to, 1));
            assert!(!error.contains("swordfish"), "{error}");
        }
    }
}
