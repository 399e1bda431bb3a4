//! The languages of the pages: which one a request prefers, and its texts, dates and numbers.
//!
//! The texts are in `api/locales`, in the format of [Fluent](https://projectfluent.org).

use std::{str::FromStr, sync::LazyLock};

use chrono::{Datelike, NaiveDate};
use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use poem::{Request, http::HeaderValue};
use unic_langid::LanguageIdentifier;

use crate::error::ApiError;

/// The parameter by which a reader chooses a language.
pub(super) const PARAMETER: &str = "lang";
const REQUIREMENT: &str = "must be `en` or `es`";
const ENGLISH: &str = include_str!("../../locales/en.ftl");
const SPANISH: &str = include_str!("../../locales/es.ftl");
/// Stands for an argument in a message that is split there. No text contains it.
const PLACEHOLDER: &str = "\u{0}";

static BUNDLES: LazyLock<[FluentBundle<FluentResource>; 2]> =
    LazyLock::new(|| [create_bundle(Language::English, ENGLISH), create_bundle(Language::Spanish, SPANISH)]);

/// A language of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    Spanish,
}

/// The language of a page, and whether its URL contains it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PageLanguage {
    pub(super) language: Language,
    pub(super) is_chosen: bool,
}

impl PageLanguage {
    /// The language of the query string, else the one that the browser prefers, else English.
    pub(crate) fn of(query: Option<&str>, accepted: Option<&HeaderValue>) -> Self {
        let chosen = value_of(query.unwrap_or_default()).and_then(|value| value.parse().ok());
        let accepted = accepted.and_then(|accepted| accepted.to_str().ok()).and_then(Language::preferred);
        Self { language: chosen.or(accepted).unwrap_or_default(), is_chosen: chosen.is_some() }
    }

    /// The same of a request.
    ///
    /// # Errors
    ///
    /// When the query string has another language.
    pub(super) fn of_request(request: &Request) -> Result<Self, ApiError> {
        let query = request.uri().query();
        match value_of(query.unwrap_or_default()) {
            Some(value) if value.parse::<Language>().is_err() => {
                Err(ApiError::parameter(PARAMETER, crate::query::describe_invalid(REQUIREMENT, &value)))
            }
            _ => Ok(Self::of(query, request.headers().get("accept-language"))),
        }
    }

    /// A link to a page in the same language.
    pub(super) fn append_to(self, address: String) -> String {
        let end = if address.contains('?') { self.pair() } else { self.query() };
        address + &end
    }

    /// The end of a link without a query string to a page in the same language.
    pub(super) fn query(self) -> String {
        if self.is_chosen { format!("?{PARAMETER}={}", self.language.tag()) } else { String::new() }
    }

    /// The end of a link with a query string.
    pub(super) fn pair(self) -> String {
        if self.is_chosen { format!("&{PARAMETER}={}", self.language.tag()) } else { String::new() }
    }
}

impl Language {
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Spanish];

    /// Its tag in HTML and HTTP.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    /// The language that a header `Accept-Language` prefers, if it accepts one of the pages.
    fn preferred(accepted: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for item in accepted.split(',') {
            let (tag, weight) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.parse::<f32>().ok()).unwrap_or(0.0);
            let primary = tag.trim().split('-').next().unwrap_or_default();
            if let Ok(language) = primary.parse()
                && weight > best.map_or(0.0, |(best, _)| best)
            {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// A text.
    pub(super) fn text(self, key: &str) -> String {
        self.format(key, &FluentArgs::new())
    }

    /// A text, if there is one with this key.
    pub(super) fn find(self, key: &str) -> Option<String> {
        BUNDLES[self as usize].has_message(key).then(|| self.text(key))
    }

    /// A text with arguments.
    pub(super) fn with(self, key: &str, arguments: &[(&str, &str)]) -> String {
        let arguments = arguments.iter().map(|(name, value)| (*name, FluentValue::from(*value)));
        self.format(key, &arguments.collect())
    }

    /// A text with a number, in the form of that number.
    pub(super) fn count(self, key: &str, number: u64) -> String {
        let grouped = self.group(number);
        let arguments = [("count", FluentValue::from(number)), ("number", grouped.into())];
        self.format(key, &arguments.into_iter().collect())
    }

    /// The parts of a text before and after its argument.
    pub(super) fn around(self, key: &str, argument: &str) -> (String, String) {
        let text = self.with(key, &[(argument, PLACEHOLDER)]);
        let (before, after) = text.split_once(PLACEHOLDER).unwrap_or((&text, ""));
        (before.to_owned(), after.to_owned())
    }

    /// A day such as `Sat 28 Nov 2026`.
    pub(super) fn day(self, date: NaiveDate) -> String {
        let weekday = self.text(&format!("weekday-{}", date.weekday().number_from_monday()));
        let month = self.text(&format!("month-{}", date.month()));
        let [day, year] = [date.day().to_string(), date.year().to_string()];
        self.with("date", &[("weekday", &weekday), ("day", &day), ("month", &month), ("year", &year)])
    }

    /// A month and its year.
    pub(super) fn month(self, date: NaiveDate) -> String {
        let month = self.text(&format!("month-name-{}", date.month()));
        self.with("month-and-year", &[("month", &month), ("year", &date.year().to_string())])
    }

    /// An amount: without decimals if it is whole, else with two.
    pub(super) fn amount(self, amount: f64) -> String {
        if amount.fract() == 0.0 { format!("{amount:.0}") } else { self.decimal(amount, 2) }
    }

    /// A number with this many decimals.
    pub(super) fn decimal(self, number: f64, decimals: usize) -> String {
        format!("{number:.decimals$}").replace('.', &self.text("decimal-separator"))
    }

    fn group(self, number: u64) -> String {
        if number < 1_000 {
            return number.to_string();
        }
        format!("{}{}{:03}", self.group(number / 1_000), self.text("group-separator"), number % 1_000)
    }

    fn format(self, key: &str, arguments: &FluentArgs<'_>) -> String {
        let bundle = &BUNDLES[self as usize];
        let pattern = bundle.get_message(key).and_then(|message| message.value());
        // A test checks that every key that the page uses has a message.
        pattern.map_or_else(
            || key.to_owned(),
            |pattern| bundle.format_pattern(pattern, Some(arguments), &mut Vec::new()).into_owned(),
        )
    }
}

impl FromStr for Language {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(text)).ok_or(())
    }
}

/// The texts of a file. Those of a line that cannot be parsed are absent, which a test would detect.
fn create_bundle(language: Language, texts: &str) -> FluentBundle<FluentResource> {
    let resource = FluentResource::try_new(texts.to_owned()).unwrap_or_else(|(resource, _)| resource);
    let mut bundle = FluentBundle::new_concurrent(vec![language.tag().parse::<LanguageIdentifier>().unwrap_or_default()]);
    // Templates isolate texts by elements.
    bundle.set_use_isolating(false);
    bundle.add_resource_overriding(resource);
    bundle
}

/// The value of the parameter that is not empty.
fn value_of(query: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, value)| name == PARAMETER && !value.is_empty()).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use entity::Category;

    use super::*;
    use crate::{error::ErrorCode, web::error_page::key_of};

    /// The keys of the messages of a file.
    fn keys(texts: &str) -> BTreeSet<&str> {
        assert!(FluentResource::try_new(texts.to_owned()).is_ok());
        let messages = texts.lines().filter_map(|line| line.split_once(" = "));
        messages.map(|(key, _)| key).filter(|key| !key.starts_with([' ', '#'])).collect()
    }

    /// The texts between quotes in the templates and the code of the pages.
    fn literals() -> BTreeSet<String> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = ["templates", "src/web"].into_iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
        let texts = files.map(|file| file.unwrap().path()).filter(|path| path.is_file() && !path.ends_with("language.rs"));
        let own = include_str!("language.rs").split_once("#[cfg(test)]").unwrap().0.to_owned();
        let texts = texts.map(|path| std::fs::read_to_string(path).unwrap()).chain([own]);
        texts.flat_map(|text| text.split('"').map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn both_files_have_the_same_messages_and_each_is_used() {
        let english = keys(ENGLISH);
        assert_eq!(english, keys(SPANISH));
        let numbered = [("weekday", 7), ("weekday-name", 7), ("weekday-short", 7), ("month", 12), ("month-name", 12)];
        let numbered = numbered.into_iter().flat_map(|(name, last)| (1..=last).map(move |number| format!("{name}-{number}")));
        let categories = Category::all().map(|category| format!("category-{}", category.slug().replace('/', "-")));
        let errors = ErrorCode::ALL.iter().map(|code| key_of(*code));
        let used: BTreeSet<String> = literals().into_iter().chain(numbered).chain(categories).chain(errors).collect();
        let unused: Vec<_> = english.iter().filter(|key| !used.contains(**key)).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }

    #[test]
    fn every_key_of_a_template_has_a_message() {
        let english = keys(ENGLISH);
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        for file in files.filter(|path| path.is_file()) {
            let template = std::fs::read_to_string(file).unwrap();
            for call in ["text(\"", "count(\"", "with(\"", "around(\"", "between(\""] {
                for (_, rest) in template.match_indices(call).map(|(at, _)| template[at..].split_once('"').unwrap()) {
                    let key = rest.split('"').next().unwrap();
                    assert!(english.contains(key), "{key}");
                }
            }
        }
    }

    #[test]
    fn the_language_is_chosen_or_accepted() {
        let of = |query: &str, accepted: &'static str| {
            let PageLanguage { language, is_chosen } = PageLanguage::of(Some(query), Some(&HeaderValue::from_static(accepted)));
            (language.tag(), is_chosen)
        };
        for (accepted, expected) in [
            ("", "en"),
            ("es", "es"),
            ("es-MX,en;q=0.9", "es"),
            ("fr, es;q=0.4, en;q=0.5", "en"),
            ("de;q=1, ES;q=0.1", "es"),
            ("es;q=0, fr", "en"),
            ("es;q=x", "en"),
            ("*, zz", "en"),
        ] {
            assert_eq!(of("", accepted), (expected, false), "{accepted}");
        }
        assert_eq!(of("q=a&lang=es", "en"), ("es", true));
        assert_eq!(of("lang=en", "es"), ("en", true));
        assert_eq!(of("lang=xx", "es"), ("es", false));
    }

    #[test]
    fn texts_have_the_form_of_their_language() {
        let date = NaiveDate::from_ymd_opt(2026, 11, 28).unwrap();
        for (language, texts) in [
            (Language::English, ["Sat 28 Nov 2026", "November 2026", "27.50", "30", "1 event", "1,005 events"]),
            (Language::Spanish, ["sáb, 28 nov 2026", "noviembre de 2026", "27,50", "30", "1 evento", "1.005 eventos"]),
        ] {
            assert_eq!([language.day(date), language.month(date)], texts[..2]);
            assert_eq!([language.amount(27.5), language.amount(30.0)], texts[2..4]);
            assert_eq!([language.count("event-count", 1), language.count("event-count", 1_005)], texts[4..]);
        }
        let (before, after) = Language::English.around("no-place", "name");
        assert_eq!(format!("{before}X{after}"), "No place has a name that begins with “X”.");
    }
}
