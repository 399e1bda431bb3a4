//! The form of the search page: its controls show the query string of the request, and each of its links is one with other parameters.
//!
//! The parameters are those of `/events`, except that the page sets `limit` and `total` itself.

use std::fmt::Write;

use chrono::{Datelike, Days, NaiveDate};
use entity::Category;
use form_urlencoded::Serializer;

use super::event_text::{capitalize, name_of_category};
use crate::error::ValidationError;

/// Events of one page.
const PAGE_LIMIT: u64 = 24;
/// Parameters that describe the response and not the search. The page ignores those of a request.
const OF_RESPONSE: [&str; 3] = ["limit", "total", "fields"];
/// Parameters with a control of their own.
const CONTROLS: [&str; 10] =
    ["starts_at", "ends_at", "city", "category", "min_price", "max_price", "currency", "status", "availability", "sort"];
/// Parameters that do not restrict the search by themselves.
const MODIFIERS: [&str; 4] = ["sort", "time_zone", "range", "cursor"];
/// Parameters that only have a meaning together.
const POINT: [&str; 3] = ["latitude", "longitude", "radius"];
/// How the page reads dates: as days at the venue, of which an event takes place on some part.
const DATE_PARAMETERS: [(&str, &str); 2] = [("time_zone", "venue"), ("range", "overlaps")];

const STATUSES: [(&str, &str); 7] = [
    ("", "All but cancelled"),
    ("any", "All"),
    ("scheduled", "As announced"),
    ("rescheduled", "Rescheduled"),
    ("postponed", "Postponed"),
    ("moved_online", "Moved online"),
    ("cancelled", "Cancelled"),
];
const AVAILABILITIES: [(&str, &str); 6] = [
    ("", "All"),
    ("on_sale", "On sale"),
    ("not_yet", "Not on sale yet"),
    ("sold_out", "Sold out"),
    ("ended", "Sale ended"),
    ("unknown", "Not known"),
];
const SORTS: [(&str, &str); 6] = [
    ("", "Soonest first"),
    ("-starts_at", "Latest first"),
    ("price", "Lowest price"),
    ("-price", "Highest price"),
    ("-first_seen_at", "Newly added"),
    ("-updated_at", "Recently changed"),
];

/// The parameters of a request.
#[derive(Clone, Debug)]
pub(super) struct SearchForm {
    /// As they are in the URL.
    raw: Vec<String>,
    /// Names and values that are not empty.
    pairs: Vec<(String, String)>,
}

/// A value of a control.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) is_selected: bool,
}

/// A link to another search.
#[derive(Debug, PartialEq)]
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
            if decoded.as_ref().is_some_and(|(name, _)| OF_RESPONSE.contains(&name.as_str())) {
                continue;
            }
            raw.push(pair.to_owned());
            pairs.extend(decoded.filter(|(_, value)| !value.is_empty()));
        }
        Self { raw, pairs }
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

    /// Whether the page is not the first one.
    pub(super) fn has_cursor(&self) -> bool {
        self.values("cursor").next().is_some()
    }

    /// The parameters without a control, which the form sends unchanged.
    pub(super) fn hidden(&self) -> Vec<(&str, &str)> {
        let given = self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let given = given.filter(|(name, _)| !CONTROLS.contains(name) && *name != "cursor");
        let absent = DATE_PARAMETERS.into_iter().filter(|(name, _)| self.values(name).next().is_none());
        given.chain(absent).collect()
    }

    /// The first level of the categories, and the selected ones of the second level.
    pub(super) fn categories(&self) -> Vec<Choice> {
        let selected: Vec<&str> = self.values("category").flat_map(|value| value.split(',')).map(str::trim).collect();
        let first_level = Category::all().map(Category::slug).filter(|slug| !slug.contains('/'));
        let mut slugs: Vec<&str> = first_level.collect();
        slugs.extend(selected.iter().filter(|slug| Category::find(slug).is_none_or(|category| category.slug().contains('/'))));
        let choice =
            |slug: &str| Choice { value: slug.to_owned(), label: name_of_category(slug), is_selected: selected.contains(&slug) };
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
        self.choices("sort", &SORTS)
    }

    /// Whether a filter is set that the form shows on request only.
    pub(super) fn has_more_filters(&self) -> bool {
        ["category", "min_price", "max_price", "currency", "status", "availability"]
            .into_iter()
            .any(|name| self.values(name).next().is_some())
    }

    /// Links to the days of most searches.
    pub(super) fn days(&self, today: NaiveDate) -> Vec<SearchLink> {
        let after = |days: u64| today + Days::new(days);
        let sunday = after(6 - u64::from(today.weekday().num_days_from_monday()));
        let ranges = [
            ("Any day", None),
            ("Today", Some((today, today))),
            ("Tomorrow", Some((after(1), after(1)))),
            ("This weekend", Some((Ord::max(today, sunday - Days::new(1)), sunday))),
            ("Next 7 days", Some((today, after(6)))),
        ];
        let given = ["starts_at", "ends_at"].map(|name| self.value(name));
        let link = |(label, range): (&str, Option<(NaiveDate, NaiveDate)>)| {
            let bounds = range.map(|(first, last)| [first.to_string(), last.to_string()]);
            let dates = bounds.iter().flat_map(|[first, last]| [("starts_at", first.as_str()), ("ends_at", last)]);
            let added = dates.chain(DATE_PARAMETERS).filter(|_| bounds.is_some()).collect::<Vec<_>>();
            let href = self.link(&["starts_at", "ends_at", "time_zone", "range"], &added);
            SearchLink { label: label.to_owned(), href, is_current: given == bounds.clone().unwrap_or_default() }
        };
        ranges.map(link).into()
    }

    /// The filters of the search, each with a link to the same search without it.
    pub(super) fn active(&self) -> Vec<SearchLink> {
        let mut names: Vec<&str> = Vec::new();
        for (name, value) in &self.pairs {
            let restricts = !MODIFIERS.contains(&name.as_str()) || name == "range" && value == "all";
            if restricts && !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let link = |name: &str| {
            let removed = if POINT.contains(&name) { POINT.to_vec() } else { vec![name] };
            let label = format!("{}: {}", capitalize(&name.replace('_', " ")), self.value(name));
            SearchLink { label, href: self.link(&removed, &[]), is_current: false }
        };
        names.into_iter().map(link).collect()
    }

    /// The same search on its first page.
    pub(super) fn first_page(&self) -> String {
        self.link(&[], &[])
    }

    /// The search without some parameters and with others, from its first page.
    fn link(&self, removed: &[&str], added: &[(&str, &str)]) -> String {
        let remains = |(name, _): &&(String, String)| name != "cursor" && !removed.contains(&name.as_str());
        let mut query = Serializer::for_suffix("?".to_owned(), 1);
        query.extend_pairs(self.pairs.iter().filter(remains)).extend_pairs(added);
        let href = query.finish();
        if href == "?" { "./".to_owned() } else { href }
    }

    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The choices of a control. What the URL has is one of them.
    fn choices(&self, name: &str, known: &[(&str, &str)]) -> Vec<Choice> {
        let given = self.value(name);
        let choice =
            |value: &str, label: &str| Choice { value: value.to_owned(), label: label.to_owned(), is_selected: value == given };
        let other = known.iter().all(|(value, _)| *value != given).then(|| choice(&given, &given));
        known.iter().map(|(value, label)| choice(value, label)).chain(other).collect()
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
    fn each_filter_can_be_removed() {
        let form =
            SearchForm::of("city=Alcal%C3%A1&category=music&category=film&latitude=1&longitude=2&radius=3&sort=price&cursor=x");
        let active = form.active();
        let labels: Vec<&str> = active.iter().map(|link| link.label.as_str()).collect();
        assert_eq!(labels, ["City: Alcalá", "Category: music, film", "Latitude: 1", "Longitude: 2", "Radius: 3"]);
        assert_eq!(active[0].href, "?category=music&category=film&latitude=1&longitude=2&radius=3&sort=price");
        assert_eq!(active[2].href, "?city=Alcal%C3%A1&category=music&category=film&sort=price");
        assert_eq!(SearchForm::of("city=Madrid").active()[0].href, "./");
    }

    #[test]
    fn parameters_without_a_control_are_hidden_and_those_of_the_response_ignored() {
        let form = SearchForm::of("country=ES&limit=0&fields=id&total=x&city=&time_zone=UTC&cursor=x");
        assert_eq!(form.hidden(), [("country", "ES"), ("time_zone", "UTC"), ("range", "overlaps")]);
        assert_eq!(form.query(), "country=ES&city=&time_zone=UTC&cursor=x&limit=24&total=true");
    }

    #[test]
    fn values_that_the_controls_do_not_offer_are_offered() {
        let form = SearchForm::of("category=music/jazz,film&status=scheduled,postponed&sort=distance");
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
