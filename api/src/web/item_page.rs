//! `GET /p/{id}` and `GET /v/{id}`: a performer or a venue with its upcoming events.

use askama::Template;
use poem::{Request, Response};
use serde::de::DeserializeOwned;

use super::{
    Found, Frame, Policy,
    event_text::EventText,
    follow::FollowLinks,
    language::{self, PageLanguage},
    place_text::{PointMap, address_lines},
    search_form::SearchForm,
    search_page::describe_total,
};
use crate::{
    cache::Freshness,
    query::{Canonical, Parameters},
    resources::{
        events::{EventPage, EventsQuery},
        item::{Item, ItemQuery},
        performers::PerformerDetails,
        venues::VenueDetails,
    },
    state::State,
};

/// What a page shows of a performer or a venue.
#[derive(Debug)]
pub(super) struct ItemText {
    /// The folder of its page: `p` or `v`.
    folder: &'static str,
    /// The filter of its events, which is also the name of its kind.
    filter: &'static str,
    uuid: String,
    name: String,
    address: Vec<String>,
    coordinates: Option<(f64, f64)>,
    time_zone: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "item.html")]
struct ItemPage<'a> {
    frame: Frame,
    item: &'a ItemText,
    events: Vec<EventText<'a>>,
    total: String,
    /// The next page, and whether this is not the first one.
    next: Option<String>,
    is_continued: bool,
    follow: FollowLinks,
    is_stale: bool,
}

impl ItemPage<'_> {
    /// What it is and where, for services that show links.
    fn summary(&self) -> String {
        let parts = [self.frame.text(self.item.filter), self.total.clone()].into_iter().chain(self.item.address.iter().cloned());
        parts.collect::<Vec<_>>().join(" · ")
    }

    fn map(&self) -> Option<PointMap> {
        self.item.coordinates.map(PointMap::at)
    }
}

/// Responds with an item, which is read as the API reads it, and a page of its events, which `/events` has.
pub(super) async fn respond<I>(state: State, request: Request) -> poem::Result<Response>
where
    I: Item<Body: DeserializeOwned>,
    ItemText: From<I::Body>,
{
    let mut parameters = Parameters::of(&request);
    let cursor = parameters.get("cursor", |text| Ok(text.to_owned()));
    // `PageLanguage` reads it.
    let _language = parameters.get(language::PARAMETER, |_| Ok(()));
    let cursor = parameters.finish(cursor)?;
    let chosen = PageLanguage::of_request(&request)?;
    let query = ItemQuery::<I>::parse(request.raw_path_param("id").unwrap_or_default())?;
    let (Found { data }, _) = state.cache.read::<_, Found<I::Body>>(query).await?;
    let item = ItemText::from(data);

    let of_item = format!("{}={}", item.filter, item.uuid);
    let page = cursor.as_ref().map_or_else(|| of_item.clone(), |cursor| format!("{of_item}&{}", cursor_query(cursor)));
    let form = SearchForm::of(&page);
    let events = EventsQuery::parse(Parameters::parse(&form.query()))?;
    let json = events.canonical();
    let (EventPage { data, meta, .. }, found) = state.cache.read(events).await?;
    let address = format!("{}/{}", item.folder, item.uuid);
    let address = cursor.as_ref().map_or_else(|| address.clone(), |cursor| format!("{address}?{}", cursor_query(cursor)));
    let public_url = state.public_url_for(&request);
    let frame = Frame::of(request.uri().path(), chosen).with_images(state.images).at(public_url.as_ref(), &address);
    let page = ItemPage {
        events: data.events.iter().map(|event| EventText(event, chosen.language)).collect(),
        total: describe_total(chosen.language, meta.total.0.unwrap_or_default()),
        next: meta.next.0.as_deref().and_then(cursor_of).map(|cursor| format!("?{}{}", cursor_query(&cursor), chosen.pair())),
        is_continued: cursor.is_some(),
        follow: FollowLinks::new(public_url.as_ref(), frame.root, &form, &json),
        frame,
        is_stale: matches!(found.freshness, Freshness::DatabaseUnavailable(_)),
        item: &item,
    };
    let mut response = super::respond(&request, chosen, Policy { images: state.images, has_script: false }, &page).await?;
    found.set_headers(response.headers_mut());
    Ok(response)
}

fn cursor_query(cursor: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("cursor", cursor).finish()
}

/// The cursor of a reference to the next page of `/events`.
fn cursor_of(reference: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(reference.trim_start_matches('?').as_bytes());
    pairs.into_owned().find(|(name, _)| name == "cursor").map(|(_, value)| value)
}

impl From<PerformerDetails> for ItemText {
    fn from(details: PerformerDetails) -> Self {
        Self {
            folder: "p",
            filter: "performer",
            uuid: details.uuid.0,
            name: details.performer.name,
            address: Vec::new(),
            coordinates: None,
            time_zone: None,
        }
    }
}

impl From<VenueDetails> for ItemText {
    fn from(details: VenueDetails) -> Self {
        let VenueDetails { venue, uuid, address, postal_code, region, time_zone, .. } = details;
        Self {
            folder: "v",
            filter: "venue",
            uuid: uuid.0,
            address: address_lines([&address, &postal_code, &venue.city, &region, &venue.country]),
            name: venue.name,
            coordinates: venue.latitude.0.zip(venue.longitude.0),
            time_zone: Some(time_zone),
        }
    }
}
