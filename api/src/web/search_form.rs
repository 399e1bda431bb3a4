//! The form of the search page: its controls show the query string of the request, and each of its links is one with other parameters.
//!
//! The parameters are those of `/events`, except that the page sets `limit` and `total` itself.

use std::fmt::Write;

use chrono::{Datelike, Days, NaiveDate};
use entity::Category;
use form_urlencoded::Serializer;

use super::{
    event_text::name_of_category,
    language::{self, Language},
};
use crate::{error::ValidationError, query::is_ignored};

/// Events of one page.
const PAGE_LIMIT: u64 = 24;
/// Parameters that describe the response and not the search. The page ignores those of a request.
const OF_RESPONSE: [&str; 3] = ["limit", "total", "fields"];
/// Parameters with a control.
const CONTROLS: [&str; 11] =
    ["q", "starts_at", "ends_at", "city", "category", "min_price", "max_price", "currency", "status", "availability", "sort"];
/// The length of a date: `2026-11-28`.
const DATE_LENGTH: usize = 10;
/// How the page reads dates: as days at the venue, of which an event takes place on some part.
const DATE_PARAMETERS: [(&str, &str); 2] = [("time_zone", "venue"), ("range", "overlaps")];

const STATUSES: [(&str, &str); 7] = [
    ("", "status-default"),
    ("any", "status-any"),
    ("scheduled", "status-scheduled"),
    ("rescheduled", "status-rescheduled"),
    ("postponed", "status-postponed"),
    ("moved_online", "status-moved-online"),
    ("cancelled", "status-cancelled"),
];
const AVAILABILITIES: [(&str, &str); 6] = [
    ("", "availability-any"),
    ("on_sale", "availability-on-sale"),
    ("not_yet", "availability-not-yet"),
    ("sold_out", "availability-sold-out"),
    ("ended", "availability-ended"),
    ("unknown", "availability-unknown"),
];
/// Orders that another parameter must accompany.
const DEPENDENT_SORTS: [(&str, &str, &str); 2] =
    [("relevance", "sort-relevance", "q"), ("distance", "sort-distance", "latitude")];
const SORTS: [(&str, &str); 6] = [
    ("", "sort-starts-at"),
    ("-starts_at", "sort-starts-at-descending"),
    ("price", "sort-price"),
    ("-price", "sort-price-descending"),
    ("-first_seen_at", "sort-first-seen-at"),
    ("-updated_at", "sort-updated-at"),
];

/// The parameters of a request.
#[derive(Clone, Debug)]
pub(super) struct SearchForm {
    /// As they are in the URL.
    raw: Vec<String>,
    /// Names and values that are not empty.
    pub(super) pairs: Vec<(String, String)>,
    /// The language of its texts. Its links have the one of the URL.
    pub(super) language: Language,
}

/// A value of a control.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) is_selected: bool,
}

/// A link to another search.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SearchLink {
    pub(super) label: String,
    pub(super) href: String,
    pub(super) is_current: bool,
}

impl SearchForm {
    /// Reads a query string. What is wrong with it is for the query of the events to find out.
    pub(super) fn of(query: &str) -> Self {
        let (mut raw, mut pairs) = (Vec::new(), Vec::new());
        for pair in query.split('&') {
            let decoded = form_urlencoded::parse(pair.as_bytes()).into_owned().next();
            if decoded.as_ref().is_some_and(|(name, _)| OF_RESPONSE.contains(&name.as_str()) || is_ignored(name)) {
                continue;
            }
            if decoded.as_ref().is_none_or(|(name, _)| name != language::PARAMETER) {
                raw.push(pair.to_owned());
            }
            pairs.extend(decoded.filter(|(_, value)| !value.is_empty()));
        }
        let mut form = Self { raw, pairs, language: Language::default() };
        // The form sends the order even after the reader has removed the words from which it results.
        for (sort, _, parameter) in DEPENDENT_SORTS {
            if form.value("sort") == sort && !form.has(parameter) {
                form.raw.retain(|pair| !pair.starts_with("sort="));
                form.pairs.retain(|(name, _)| name != "sort");
            }
        }
        form
    }

    /// The form with texts in a language.
    pub(super) fn in_language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// The form without the invalid parameters that it has no control to correct.
    pub(super) fn without_invalid(mut self, errors: &[ValidationError]) -> Self {
        let is_invalid = |name: &str| errors.iter().any(|error| error.parameter.as_deref() == Some(name));
        self.pairs.retain(|(name, _)| CONTROLS.contains(&name.as_str()) || !is_invalid(name));
        self
    }

    /// The query string of the events of the page.
    pub(super) fn query(&self) -> String {
        let mut query = self.raw.join("&");
        // Writing to a string cannot fail.
        let _infallible = write!(query, "&limit={PAGE_LIMIT}&total=true");
        query
    }

    /// The values of a parameter, as a control shows them.
    pub(super) fn value(&self, name: &str) -> String {
        self.values(name).collect::<Vec<_>>().join(", ")
    }

    /// The kind of control for a date: one for text if the URL has a time, which a control for dates would lose.
    pub(super) fn kind_of_date(&self, name: &str) -> &'static str {
        let value = self.value(name);
        if value.is_empty() || value.parse::<NaiveDate>().is_ok() { "date" } else { "text" }
    }

    /// Whether the URL has a parameter.
    pub(super) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The day of a bound.
    pub(super) fn date(&self, name: &str) -> Option<NaiveDate> {
        self.value(name).get(..DATE_LENGTH)?.parse().ok()
    }

    /// Whether a day is in the range of the search.
    pub(super) fn includes(&self, day: NaiveDate) -> bool {
        let (first, last) = (self.date("starts_at"), self.date("ends_at"));
        (first.is_some() || last.is_some()) && first.is_none_or(|first| first <= day) && last.is_none_or(|last| day <= last)
    }

    /// The parameters without a control, which the form sends unchanged.
    pub(super) fn hidden(&self) -> Vec<(&str, &str)> {
        let given = self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let given = given.filter(|(name, _)| !CONTROLS.contains(name) && *name != "cursor");
        let absent = DATE_PARAMETERS.into_iter().filter(|(name, _)| !self.has(name));
        given.chain(absent).collect()
    }

    /// The first level of the categories, and the selected ones of the second level.
    pub(super) fn categories(&self) -> Vec<Choice> {
        let selected: Vec<&str> = self.values("category").flat_map(|value| value.split(',')).map(str::trim).collect();
        let first_level = Category::all().map(Category::slug).filter(|slug| !slug.contains('/'));
        let mut slugs: Vec<&str> = first_level.collect();
        slugs.extend(selected.iter().filter(|slug| Category::find(slug).is_none_or(|category| category.slug().contains('/'))));
        let choice = |slug: &str| Choice {
            value: slug.to_owned(),
            label: name_of_category(self.language, slug),
            is_selected: selected.contains(&slug),
        };
        slugs.into_iter().map(choice).collect()
    }

    /// The choices of `status`.
    pub(super) fn statuses(&self) -> Vec<Choice> {
        self.choices("status", &STATUSES)
    }

    /// The choices of `availability`.
    pub(super) fn availabilities(&self) -> Vec<Choice> {
        self.choices("availability", &AVAILABILITIES)
    }

    /// The choices of `sort`.
    pub(super) fn sorts(&self) -> Vec<Choice> {
        let dependent = DEPENDENT_SORTS.into_iter().filter(|(_, _, parameter)| self.has(parameter));
        let sorts: Vec<_> = SORTS.into_iter().chain(dependent.map(|(sort, label, _)| (sort, label))).collect();
        self.choices("sort", &sorts)
    }

    /// Whether a filter is set that the form shows on request only.
    pub(super) fn has_more_filters(&self) -> bool {
        ["category", "min_price", "max_price", "currency", "status", "availability"].into_iter().any(|name| self.has(name))
    }

    /// The days of a week, in short and in full.
    pub(super) fn weekdays(&self) -> [(String, String); 7] {
        ["1", "2", "3", "4", "5", "6", "7"].map(|day| {
            let text = |name: &str| self.language.text(&format!("{name}-{day}"));
            (text("weekday-short"), text("weekday-name"))
        })
    }

    /// Links to the days of most searches.
    pub(super) fn days(&self, today: NaiveDate) -> Vec<SearchLink> {
        let after = |days: u64| today + Days::new(days);
        let sunday = after(6 - u64::from(today.weekday().num_days_from_monday()));
        let ranges = [
            ("any-day", None),
            ("today", Some((today, today))),
            ("tomorrow", Some((after(1), after(1)))),
            ("this-weekend", Some((Ord::max(today, sunday - Days::new(1)), sunday))),
            ("next-7-days", Some((today, after(6)))),
        ];
        let given = ["starts_at", "ends_at"].map(|name| self.value(name));
        let link = |(label, range): (&str, Option<(NaiveDate, NaiveDate)>)| {
            let bounds = range.map(|(first, last)| [first.to_string(), last.to_string()]);
            let dates = bounds.iter().flat_map(|[first, last]| [("starts_at", first.as_str()), ("ends_at", last)]);
            let added = dates.chain(DATE_PARAMETERS).filter(|_| bounds.is_some()).collect::<Vec<_>>();
            let href = self.link(&["starts_at", "ends_at", "time_zone", "range"], &added);
            SearchLink { label: self.language.text(label), href, is_current: given == bounds.clone().unwrap_or_default() }
        };
        ranges.map(link).into()
    }

    /// The filters as a query string, without some and with other parameters.
    pub(super) fn filters(&self, removed: &[&str], added: &[(&str, &str)]) -> String {
        let removed = [removed, &["sort", language::PARAMETER]].concat();
        self.link(&removed, added).strip_prefix('?').unwrap_or_default().to_owned()
    }

    /// The same search in a format of other programs, relative to the page.
    pub(super) fn export(&self, format: &str, sort: &str) -> String {
        let added = [("sort", sort)];
        let query = self.filters(&[], if sort.is_empty() { &[] } else { &added });
        if query.is_empty() { format!("events.{format}") } else { format!("events.{format}?{query}") }
    }

    /// The same search on its first page.
    pub(super) fn first_page(&self) -> String {
        self.link(&[], &[])
    }

    /// The page of the search that the URL identifies, in any language.
    pub(super) fn address(&self) -> String {
        let cursor = self.value("cursor");
        let cursor = [("cursor", cursor.as_str())];
        self.link(&[language::PARAMETER], if self.has("cursor") { &cursor } else { &[] })
    }

    /// The search without some parameters and with others, from its first page.
    pub(super) fn link(&self, removed: &[&str], added: &[(&str, &str)]) -> String {
        let remains = |(name, _): &&(String, String)| name != "cursor" && !removed.contains(&name.as_str());
        let mut query = Serializer::for_suffix("?".to_owned(), 1);
        query.extend_pairs(self.pairs.iter().filter(remains)).extend_pairs(added);
        let href = query.finish();
        if href == "?" { "./".to_owned() } else { href }
    }

    /// The values of a parameter.
    pub(super) fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The choices of a control. What the URL has is one of them.
    fn choices(&self, name: &str, known: &[(&str, &str)]) -> Vec<Choice> {
        let given = self.value(name);
        let choice = |value: &str, label: String| Choice { value: value.to_owned(), label, is_selected: value == given };
        let other = known.iter().all(|(value, _)| *value != given).then(|| choice(&given, given.clone()));
        known.iter().map(|(value, key)| choice(value, self.language.text(key))).chain(other).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(query: &str, today: (i32, u32, u32)) -> Vec<SearchLink> {
        let (year, month, day) = today;
        SearchForm::of(query).days(NaiveDate::from_ymd_opt(year, month, day).unwrap())
    }

    #[test]
    fn the_weekend_is_the_rest_of_the_next_one() {
        for (day, first) in [(23, 28), (27, 28), (28, 28), (29, 29)] {
            let weekend = &days("city=Madrid&cursor=x", (2026, 11, day))[3];
            let expected = format!("?city=Madrid&starts_at=2026-11-{first}&ends_at=2026-11-29&time_zone=venue&range=overlaps");
            assert_eq!(weekend.href, expected, "{day}");
        }
    }

    #[test]
    fn the_days_of_the_url_are_marked() {
        let current = |query: &str| {
            let links = days(query, (2026, 11, 27)).into_iter().filter(|link| link.is_current);
            links.map(|link| link.label).collect::<Vec<_>>()
        };
        assert_eq!(current(""), ["Any day"]);
        assert_eq!(current("starts_at=2026-11-27&ends_at=2026-11-27"), ["Today"]);
        assert_eq!(current("starts_at=2026-11-27"), [""; 0]);
    }

    #[test]
    fn parameters_without_a_control_are_hidden_and_those_of_the_response_ignored() {
        let form = SearchForm::of("country=ES&limit=0&fields=id&total=x&city=&time_zone=UTC&cursor=x");
        assert_eq!(form.hidden(), [("country", "ES"), ("time_zone", "UTC"), ("range", "overlaps")]);
        assert_eq!(form.query(), "country=ES&city=&time_zone=UTC&cursor=x&limit=24&total=true");
    }

    #[test]
    fn an_order_ends_with_the_parameter_from_which_it_results() {
        for (query, expected) in [
            ("q=jazz&sort=relevance", "q=jazz&sort=relevance&limit=24&total=true"),
            ("q=&sort=relevance", "q=&limit=24&total=true"),
            ("sort=distance&city=Madrid", "city=Madrid&limit=24&total=true"),
        ] {
            let form = SearchForm::of(query);
            assert_eq!(form.query(), expected);
            assert_eq!(form.sorts().len(), SORTS.len() + usize::from(form.has("q")), "{query}");
        }
    }

    #[test]
    fn exports_have_the_filters_of_the_search() {
        let form = SearchForm::of("q=jazz&sort=relevance&cursor=x&city=Madrid");
        assert_eq!(form.export("ics", ""), "events.ics?q=jazz&city=Madrid");
        assert_eq!(form.export("atom", "-first_seen_at"), "events.atom?q=jazz&city=Madrid&sort=-first_seen_at");
        assert_eq!(SearchForm::of("").export("ics", ""), "events.ics");
    }

    #[test]
    fn values_that_the_controls_do_not_offer_are_offered() {
        let form = SearchForm::of("category=music/jazz,film&status=scheduled,postponed&latitude=1&sort=distance");
        let selected = |choices: Vec<Choice>| {
            choices.into_iter().filter(|choice| choice.is_selected).map(|choice| choice.value).collect::<Vec<_>>()
        };
        assert_eq!(selected(form.categories()), ["film", "music/jazz"]);
        assert_eq!(selected(form.statuses()), ["scheduled,postponed"]);
        assert_eq!(selected(form.sorts()), ["distance"]);
        assert_eq!(selected(form.availabilities()), [""]);
        assert_eq!(form.kind_of_date("starts_at"), "date");
        assert_eq!(SearchForm::of("starts_at=2026-11-27T20:00Z").kind_of_date("starts_at"), "text");
    }
}
