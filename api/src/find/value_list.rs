//! Filters with several values, of which an event has any.

use entity::{Category, fold_name};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::{Serialize, Serializer};

use crate::query::{ParameterKind, Parameters, WITHOUT_CONTROLS, parse_provider_slug};

/// Values of one filter: each is a range of an index, and more than any page of a service offers.
const MAX_VALUES: usize = 32;
/// Characters of a city: more than any name has.
const MAX_CITY_CHARACTERS: usize = 200;

/// The values of a filter; sorted and distinct, empty for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueList(Vec<String>);

/// Slugs of providers.
#[derive(Debug)]
pub(crate) struct ProviderSlugs;

/// Slugs of categories.
#[derive(Debug)]
pub(crate) struct CategorySlugs;

/// Names of cities.
#[derive(Debug)]
pub(crate) struct CityNames;

/// Codes of countries.
#[derive(Debug)]
pub(crate) struct CountryCodes;

/// Codes of places, and slugs of regions.
#[derive(Debug)]
pub(crate) struct PlaceCodes;

impl ValueList {
    pub(super) fn providers(parameters: &mut Parameters<'_>) -> Self {
        Self::read(parameters, "provider", parse_provider_slug)
    }

    pub(super) fn categories(parameters: &mut Parameters<'_>) -> Self {
        Self::read(parameters, "category", |text| {
            let category = Category::find(text).map(|category| category.slug().to_owned());
            category.ok_or_else(|| "must be categories such as music or music/jazz".to_owned())
        })
    }

    pub(super) fn cities(parameters: &mut Parameters<'_>) -> Self {
        Self::read(parameters, "city", |text| {
            let folded = fold_name(text);
            let is_valid = !folded.is_empty() && text.chars().count() <= MAX_CITY_CHARACTERS;
            is_valid.then_some(folded).ok_or_else(|| format!("must be names of at most {MAX_CITY_CHARACTERS} characters"))
        })
    }

    pub(super) fn countries(parameters: &mut Parameters<'_>) -> Self {
        Self::read(parameters, "country", |text| {
            let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
            is_code.then(|| text.to_ascii_uppercase()).ok_or_else(|| "must be ISO 3166-1 alpha-2 codes such as ES".to_owned())
        })
    }

    pub(super) fn places(parameters: &mut Parameters<'_>) -> Self {
        Self::read(parameters, "place", |text| {
            let is_code = !text.is_empty() && text.len() <= MAX_CITY_CHARACTERS && !text.contains(char::is_control);
            is_code
                .then(|| text.to_owned())
                .ok_or_else(|| "must be codes of places or slugs of regions as in `/places`".to_owned())
        })
    }

    fn read(parameters: &mut Parameters<'_>, name: &'static str, parse: impl Fn(&str) -> Result<String, String>) -> Self {
        let mut values = parameters.list_of(name, |text| parse(text.trim()));
        values.sort_unstable();
        values.dedup();
        if values.len() > MAX_VALUES {
            parameters.add_error(name, format!("must have at most {MAX_VALUES} values, got {}", values.len()));
        }
        Self(values)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// The slugs of these categories and of their second levels.
    pub(super) fn with_second_levels(&self) -> Vec<String> {
        let is_within = |category: &Category| {
            let first_level = category.slug().split_once('/').map(|(first_level, _)| first_level);
            self.0.iter().any(|slug| *slug == category.slug() || Some(slug.as_str()) == first_level)
        };
        Category::all().filter(is_within).map(|category| category.slug().to_owned()).collect()
    }
}

impl Serialize for ValueList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.join(","))
    }
}

fn list_of(value: MetaSchema) -> MetaSchema {
    MetaSchema {
        items: Some(Box::new(MetaSchemaRef::Inline(Box::new(value)))),
        max_items: Some(MAX_VALUES),
        ..MetaSchema::new("array")
    }
}

fn text(pattern: &str) -> MetaSchema {
    MetaSchema { pattern: Some(pattern.to_owned()), ..MetaSchema::new("string") }
}

impl ParameterKind for ProviderSlugs {
    fn schema() -> MetaSchema {
        list_of(text("^[a-z0-9-]+$"))
    }
}

impl ParameterKind for CategorySlugs {
    fn schema() -> MetaSchema {
        let slugs = Category::all().map(|category| category.slug().into()).collect();
        list_of(MetaSchema { enum_items: slugs, ..MetaSchema::new("string") })
    }
}

impl ParameterKind for CityNames {
    fn schema() -> MetaSchema {
        list_of(MetaSchema { max_length: Some(MAX_CITY_CHARACTERS), ..text(WITHOUT_CONTROLS) })
    }
}

impl ParameterKind for CountryCodes {
    fn schema() -> MetaSchema {
        list_of(MetaSchema { example: Some("ES".into()), ..text("^[A-Za-z]{2}$") })
    }
}

impl ParameterKind for PlaceCodes {
    fn schema() -> MetaSchema {
        list_of(text("^[A-Za-z0-9-]+$"))
    }
}
