//! The filters of a search in words, each with a link to the same search without it.

use super::{
    event_text::{capitalize, name_of_category},
    language::{self, Language},
    search_form::{SearchForm, SearchLink},
};
use crate::resources::events::Event;

/// Parameters that do not restrict the search by themselves.
const MODIFIERS: [&str; 5] = ["sort", "time_zone", "range", "cursor", language::PARAMETER];
/// Parameters that only have a meaning together.
const POINT: [&str; 3] = ["latitude", "longitude", "radius"];
/// The names of filters.
const LABELS: [(&str, &str); 20] = [
    ("q", "words"),
    ("starts_at", "from-day"),
    ("ends_at", "until-day"),
    ("min_price", "lowest-price"),
    ("max_price", "highest-price"),
    ("availability", "tickets"),
    ("city", "city"),
    ("category", "category"),
    ("country", "filter-country"),
    ("place", "filter-place"),
    ("performer", "filter-performer"),
    ("venue", "filter-venue"),
    ("organizer", "filter-organizer"),
    ("provider", "filter-provider"),
    ("status", "status"),
    ("currency", "currency"),
    ("range", "filter-range"),
    ("listed", "filter-listed"),
    ("ids", "filter-ids"),
    ("updated_since", "filter-updated-since"),
];
/// Values that are words of the API, and their names.
const VALUES: [((&str, &str), &str); 4] = [
    (("range", "all"), "range-all"),
    (("listed", "true"), "listed-true"),
    (("listed", "false"), "listed-false"),
    (("listed", "any"), "listed-any"),
];

/// A filter of a search.
#[derive(Debug)]
pub(super) struct ActiveFilter<'a> {
    /// The parameters that are removed together.
    pub(super) names: Vec<&'a str>,
    /// The filter in words, with a link to the same search without it.
    pub(super) without: SearchLink,
}

impl SearchForm {
    /// The parameters of each filter of the search.
    fn active_names(&self) -> Vec<Vec<&str>> {
        let mut filters: Vec<Vec<&str>> = Vec::new();
        for (name, value) in &self.pairs {
            let restricts = !MODIFIERS.contains(&name.as_str()) || name == "range" && value == "all";
            let names = if POINT.contains(&name.as_str()) { POINT.to_vec() } else { vec![name.as_str()] };
            if restricts && !filters.contains(&names) {
                filters.push(names);
            }
        }
        filters
    }

    /// The filters of the search. `events` have the names of what the URL identifies.
    pub(super) fn active(&self, events: &[Event]) -> Vec<ActiveFilter<'_>> {
        let filter = |names: Vec<_>| ActiveFilter {
            without: SearchLink {
                label: self.label_of(names.first().copied().unwrap_or_default(), events),
                href: self.link(&names, &[]),
                is_current: false,
            },
            names,
        };
        self.active_names().into_iter().map(filter).collect()
    }

    /// A filter in words.
    fn label_of(&self, name: &str, events: &[Event]) -> String {
        let value = self.value(name);
        if name == "bbox" {
            return self.language.text("filter-area");
        }
        if name == "latitude" {
            let (radius, longitude) = (self.value("radius"), self.value("longitude"));
            let arguments = [("radius", radius.as_str()), ("latitude", &value), ("longitude", &longitude)];
            return self.language.with("filter-near", &arguments);
        }
        let found = match name {
            "venue" => events
                .iter()
                .filter_map(|event| event.venue.0.as_ref())
                .find(|venue| venue.uuid.0 == value)
                .map(|venue| &venue.name),
            "performer" => {
                let mut performers = events.iter().flat_map(|event| &event.performers);
                performers.find(|performer| performer.uuid.0 == value).map(|performer| &performer.name)
            }
            _ => None,
        };
        let label =
            LABELS.iter().find(|(known, _)| *known == name).map_or_else(|| sentence_of(name), |(_, key)| self.language.text(key));
        let value = found.map_or_else(
            || self.values(name).map(|value| label_of_value(self.language, name, value)).collect::<Vec<_>>().join(", "),
            Clone::clone,
        );
        format!("{label}: {value}")
    }
}

/// A value of a filter in words.
pub(super) fn label_of_value(language: Language, name: &str, value: &str) -> String {
    let name_of = |value: &str| match name {
        "category" => name_of_category(language, value),
        _ => language.find(&format!("{name}-{}", value.replace('_', "-"))).unwrap_or_else(|| sentence_of(value)),
    };
    match name {
        "category" | "status" | "availability" => {
            value.split(',').map(|value| name_of(value.trim())).collect::<Vec<_>>().join(", ")
        }
        _ => {
            let key = VALUES.iter().find(|(known, _)| *known == (name, value)).map(|(_, key)| *key);
            key.map_or_else(|| value.to_owned(), |key| language.text(key))
        }
    }
}

/// A name of the API in words.
fn sentence_of(name: &str) -> String {
    capitalize(&name.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_can_be_removed() {
        let form = SearchForm::of(
            "city=Alcal%C3%A1&category=music&category=film/short&latitude=1&longitude=2&radius=3&sort=price&cursor=x",
        );
        let active = form.active(&[]);
        let labels: Vec<&str> = active.iter().map(|link| link.without.label.as_str()).collect();
        assert_eq!(labels, ["City: Alcalá", "Category: Music, Film: short", "Within 3 km of 1, 2"]);
        assert_eq!(active[0].without.href, "?category=music&category=film%2Fshort&latitude=1&longitude=2&radius=3&sort=price");
        assert_eq!(active[2].without.href, "?city=Alcal%C3%A1&category=music&category=film%2Fshort&sort=price");
        assert_eq!(SearchForm::of("city=Madrid").active(&[])[0].without.href, "./");
    }

    #[test]
    fn filters_are_in_the_language_of_the_page() {
        let form =
            SearchForm::of("range=all&listed=any&ids=1&updated_since=2021-01-01&currency=EUR").in_language(Language::Spanish);
        let labels: Vec<String> = form.active(&[]).into_iter().map(|filter| filter.without.label).collect();
        let expected =
            ["Fechas: todas", "En la fuente: sí o no", "Identificadores: 1", "Modificado desde: 2021-01-01", "Moneda: EUR"];
        assert_eq!(labels, expected);
    }
}
