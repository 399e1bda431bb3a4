//! `GET /`: the search page.

use std::sync::Arc;

use askama::Template;
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
    rendered_pages::{PageDay, RenderedPage},
    search_form::{SearchForm, SearchLink},
    search_map::SearchMap,
};
use crate::{
    cache::{CacheSource, Freshness},
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
    let public_url = state.public_url_for(&request);
    let query = EventsQuery::parse(Parameters::parse(&form.query()))?;
    let json = query.canonical();
    let (EventPage { data, meta, .. }, source) = state.cache.read_source(query).await?;
    let found = source.response.clone();
    let first = data.events.first();
    let zone = first.map_or(Tz::UTC, |event| event.time_zone.parse().unwrap_or(Tz::UTC));
    let day = PageDay::now(zone);
    let today = day.date;
    // The grid shows the month in which a list begins that is in the order of its dates.
    let first_day = first.filter(|_| !form.has("sort")).and_then(|event| event.start_date.0.parse().ok());
    let month = MonthGrid::read(&state, &form, first_day.map_or(today, |day| Ord::max(day, today)), today);
    let (month, map) = tokio::join!(month, SearchMap::read(&state, &form));
    let (month, of_month) = month?.unzip();
    let (map, of_map) = map.unzip();
    let active = form.active(&data.events);
    let is_loosened = data.events.is_empty() && !form.has("cursor") && !form.has("ids");
    let looser = if is_loosened { loosen::suggest(&state, &form, &active).await? } else { Vec::new() };
    let sources = of_month.zip(of_map).map(|(month, map)| [source, month, map]);
    // Words may be corrected differently later, and what is suggested has other sources.
    let sources = sources.filter(|sources| !form.has("q") && !is_loosened && sources.iter().all(CacheSource::is_fresh));
    let page = SearchPage {
        frame: Frame::of("/", chosen).with_images(state.images).at(public_url.as_ref(), &form.address()),
        assets: &PATHS,
        tiles: state.map_tiles.clone(),
        days: form.days(today),
        active: active.into_iter().map(|filter| filter.without).collect(),
        looser,
        month,
        map: map.flatten(),
        corrected: meta.corrected.0.as_deref(),
        follow: FollowLinks::new(public_url.as_ref(), "", &form, &json),
        news: news_page::address_of(&form, chosen),
        form,
        events: data.events.iter().map(|event| EventText(event, language)).collect(),
        total: describe_total(language, meta.total.0.unwrap_or_default()),
        next: meta.next.0.as_ref().map(|next| format!("{next}{}", chosen.pair())),
        is_stale: matches!(found.freshness, Freshness::DatabaseUnavailable(_)),
    };
    let policy = Policy { images: state.images, has_script: true };
    let representation = super::render(&request, &page).await?;
    let mut response = super::send(&request, language, policy, representation.clone());
    found.set_headers(response.headers_mut());
    if let Some(sources) = sources {
        state.pages.store(&request, state.public_url.as_ref(), RenderedPage { sources, day, language, policy, representation });
    }
    Ok(response)
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
