//! `GET /`: the search page.

use std::sync::Arc;

use askama::Template;
use chrono::{NaiveDate, Utc};
use chrono_tz::Tz;
use poem::{Request, Response};

use super::{
    Frame, Policy,
    assets::{AssetPaths, PATHS},
    event_text::EventText,
    follow::FollowLinks,
    language::{Language, PageLanguage},
    loosen::{self, LooserSearch},
    month_grid::MonthGrid,
    news_page,
    search_form::{SearchForm, SearchLink},
    search_map::SearchMap,
};
use crate::{
    cache::Freshness,
    map_tiles::MapTiles,
    query::{Canonical, Parameters},
    resources::events::{EventPage, EventsQuery},
    state::State,
};

/// From this number on, events are not counted.
const MAX_COUNTED: u64 = 10_000;

#[derive(Debug, Template)]
#[template(path = "search.html")]
struct SearchPage<'a> {
    frame: Frame,
    assets: &'static AssetPaths,
    /// The file of map tiles, if there is one.
    tiles: Option<Arc<MapTiles>>,
    form: SearchForm,
    events: Vec<EventText<'a>>,
    /// The number of events on all pages.
    total: String,
    next: Option<String>,
    days: Vec<SearchLink>,
    active: Vec<SearchLink>,
    /// Searches with results, if this one has none.
    looser: Vec<LooserSearch>,
    month: Option<MonthGrid>,
    map: Option<SearchMap>,
    /// The words that were searched instead of those of the reader.
    corrected: Option<&'a str>,
    follow: FollowLinks,
    /// What is new, with the same filters.
    news: String,
    is_stale: bool,
}

/// Responds with the events of the query string, which the cache has as JSON or reads.
pub(super) async fn respond(state: State, request: Request) -> poem::Result<Response> {
    let chosen = PageLanguage::of_request(&request)?;
    let language = chosen.language;
    let form = SearchForm::of(request.uri().query().unwrap_or_default()).in_language(language);
    let query = EventsQuery::parse(Parameters::parse(&form.query()))?;
    let json = query.canonical();
    let (EventPage { data, meta, .. }, found) = state.cache.read(query).await?;
    let first = data.events.first();
    let today = today(first.map_or("UTC", |event| event.time_zone.as_str()));
    // The grid shows the month in which a list begins that is in the order of its dates.
    let day = first.filter(|_| !form.has("sort")).and_then(|event| event.start_date.0.parse().ok());
    let month = MonthGrid::read(&state, &form, day.map_or(today, |day| Ord::max(day, today)), today);
    let (month, map) = tokio::join!(month, SearchMap::read(&state, &form));
    let month = month?;
    let active = form.active(&data.events);
    let is_loosened = data.events.is_empty() && !form.has("cursor") && !form.has("ids");
    let looser = if is_loosened { loosen::suggest(&state, &form, &active).await? } else { Vec::new() };
    let page = SearchPage {
        frame: Frame::of("/", chosen).with_images(state.images).at(state.public_url.as_ref(), &form.address()),
        assets: &PATHS,
        tiles: state.map_tiles.clone(),
        days: form.days(today),
        active,
        looser,
        month,
        map,
        corrected: meta.corrected.0.as_deref(),
        follow: FollowLinks::new(state.public_url.as_ref(), "", &form, &json),
        news: news_page::address_of(&form, chosen),
        form,
        events: data.events.iter().map(|event| EventText(event, language)).collect(),
        total: describe_total(language, meta.total.0.unwrap_or_default()),
        next: meta.next.0.as_ref().map(|next| format!("{next}{}", chosen.pair())),
        is_stale: matches!(found.freshness, Freshness::DatabaseUnavailable(_)),
    };
    let mut response = super::respond(&request, chosen, Policy { images: state.images, has_script: true }, &page).await?;
    found.set_headers(response.headers_mut());
    Ok(response)
}

/// The date where the first event takes place.
fn today(zone: &str) -> NaiveDate {
    Utc::now().with_timezone(&zone.parse().unwrap_or(Tz::UTC)).date_naive()
}

/// A number of events in words.
pub(super) fn describe_total(language: Language, total: u64) -> String {
    language.count(if total < MAX_COUNTED { "event-count" } else { "event-count-limit" }, total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_a_number_with_its_noun() {
        for (total, expected) in
            [(0, "0 events"), (1, "1 event"), (999, "999 events"), (1_005, "1,005 events"), (10_000, "10,000 events or more")]
        {
            assert_eq!(describe_total(Language::English, total), expected);
        }
    }
}
