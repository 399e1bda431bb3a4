//! `GET /e/{id}`: the page of an event.

use askama::Template;
use poem::{Request, Response};

use super::{
    Frame, Policy,
    event_text::{EventText, format_instant, format_price, format_wall_clock, is_web_address, name_of_category},
    language::{self, PageLanguage},
    nearby,
    place_text::{PointMap, address_lines},
    price_plot::PricePlot,
    travel::{self, Travel},
};
use crate::{
    cache::Freshness,
    query::Parameters,
    resources::events::{Event, EventPageContent, EventZone, read_cached_events, read_event_page},
    response::{Instant, LocalDateTime},
    state::State,
};

/// Characters of the summary that other services show of a link.
const SUMMARY_CHARACTERS: usize = 200;

/// Characters of the name of a place that a reader may type.
const MAX_FROM_CHARACTERS: usize = 100;

#[derive(Debug, Template)]
#[template(path = "event.html")]
struct EventPage<'a> {
    frame: Frame,
    event: &'a Event,
    zones: &'a [EventZone],
    text: EventText<'a>,
    other_dates: Vec<EventText<'a>>,
    /// Other events on the same day.
    events: Vec<EventText<'a>>,
    prices: Option<PricePlot>,
    travel: Option<Travel>,
    summary: String,
    /// As the content of a script element, which it cannot end.
    json_ld: &'a str,
    is_stale: bool,
}

impl EventPage<'_> {
    fn price_of(&self, zone: &EventZone) -> String {
        format_price(self.text.1, zone.price, &zone.currency.0)
    }

    fn instant(&self, instant: &Instant) -> String {
        format_instant(self.text.1, instant)
    }

    fn wall_clock(&self, text: &LocalDateTime) -> String {
        format_wall_clock(self.text.1, text)
    }

    /// The lines of the address of the venue that are known.
    fn address(&self) -> Vec<String> {
        let Some(venue) = &self.event.venue.0 else { return Vec::new() };
        address_lines([&venue.address, &venue.postal_code, &venue.city, &venue.region, &venue.country])
    }

    fn map(&self) -> Option<PointMap> {
        let venue = self.event.venue.0.as_ref()?;
        venue.latitude.0.zip(venue.longitude.0).map(PointMap::at)
    }

    fn category(&self) -> Option<(&str, String)> {
        let slug = self.event.category.0.as_deref()?;
        Some((slug, name_of_category(self.text.1, slug)))
    }

    fn paragraphs(&self) -> Vec<&str> {
        let lines = self.event.description.0.as_deref().unwrap_or_default().lines();
        lines.map(str::trim).filter(|line| !line.is_empty()).collect()
    }

    fn provider_name(&self) -> &str {
        self.event.provider.name.0.as_deref().unwrap_or(&self.event.provider.slug.0)
    }

    fn provider_page(&self) -> Option<&str> {
        self.event.provider.home_page.0.as_deref().filter(|url| is_web_address(url))
    }
}

/// Responds with an event. Other events that cannot be read are omitted: the page can do without them.
pub(super) async fn respond(state: State, request: Request) -> poem::Result<Response> {
    let id = request.raw_path_param("id").unwrap_or_default();
    let mut parameters = Parameters::of(&request);
    let from = parameters.get("from", parse_from);
    // `PageLanguage` reads it.
    let _language = parameters.get(language::PARAMETER, |_| Ok(()));
    let from = parameters.finish(from)?.filter(|from| !from.is_empty());
    let chosen = PageLanguage::of_request(&request)?;
    let public_url = state.public_url_for(&request);
    let (content, found) = read_event_page(&state, id, public_url.clone()).await?;
    let EventPageContent { event, zones, json_ld, other_dates, prices, .. } = &content;
    let (other_dates, nearby, travel) = tokio::join!(
        read_cached_events(&state, other_dates),
        nearby::read(&state, event),
        travel::read(&state, event, from.clone(), chosen),
    );
    let other_dates = other_dates.unwrap_or_else(|error| {
        super::log_unexpected("other dates", &error);
        Vec::new()
    });
    let frame = Frame::of(request.uri().path(), chosen)
        .with_images(state.images)
        .at(public_url.as_ref(), &format!("e/{}", event.id.0))
        .with_parameter("from", from.as_deref());
    let text = EventText(event, chosen.language);
    let page = EventPage {
        frame,
        event,
        zones,
        text,
        other_dates: other_dates.iter().map(|event| EventText(event, chosen.language)).collect(),
        events: nearby.iter().map(|event| EventText(event, chosen.language)).collect(),
        prices: prices.as_ref().and_then(|history| PricePlot::new(history, &event.currency.0, chosen.language)),
        travel: travel?,
        summary: summarize(text),
        json_ld,
        is_stale: matches!(found.freshness, Freshness::DatabaseUnavailable(_)),
    };
    let mut response = super::respond(&request, chosen, Policy { images: state.images, has_script: false }, &page).await?;
    found.set_headers(response.headers_mut());
    Ok(response)
}

/// What a reader may type as the name of a place.
fn parse_from(text: &str) -> Result<String, String> {
    let is_short = text.chars().count() <= MAX_FROM_CHARACTERS;
    is_short.then(|| text.trim().to_owned()).ok_or_else(|| format!("must have at most {MAX_FROM_CHARACTERS} characters"))
}

/// When, where and for how much, and the beginning of the description.
fn summarize(text: EventText<'_>) -> String {
    let description = text.0.description.0.as_deref().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let parts = [Some(text.start()), text.place(), text.price(), description];
    let summary = parts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    match summary.char_indices().nth(SUMMARY_CHARACTERS) {
        Some((end, _)) => format!("{}…", &summary[..end]),
        None => summary,
    }
}
