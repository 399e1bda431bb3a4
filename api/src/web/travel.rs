//! What it costs to travel to an event from a place that the reader chooses, as `/events/{id}/rates` returns it.

use form_urlencoded::Serializer;

use super::{Found, event_text::format_day, language::PageLanguage};
use crate::{
    error::{ApiError, ErrorCode, ValidationError},
    query::Parameters,
    resources::{
        events::Event,
        places::{PlacesDocument, PlacesQuery},
        rates::{DailyRate, EventRatesFilters, RateList},
    },
    state::State,
};

/// Places with a name that begins with what the reader typed.
const MAX_PLACES: &str = "10";

/// The form, and what it found.
#[derive(Debug, Default)]
pub(super) struct Travel {
    /// What the reader typed.
    pub(super) from: String,
    /// The place with these prices.
    pub(super) origin: Option<String>,
    /// Days with an average price, the earliest first.
    pub(super) prices: Vec<(String, String)>,
    /// Places to choose from, and the query string of each.
    pub(super) choices: Vec<(String, String)>,
    /// Whether the database could not be read.
    pub(super) has_failed: bool,
}

/// The prices; `None` if the place of the venue is not known.
pub(super) async fn read(
    state: &State,
    event: &Event,
    from: Option<String>,
    language: PageLanguage,
) -> Result<Option<Travel>, ApiError> {
    let has_place = event.venue.0.as_ref().is_some_and(|venue| venue.place_code.0.is_some());
    let Some(from) = from else { return Ok(has_place.then(Travel::default)) };
    if !has_place {
        return Ok(None);
    }
    let travel = match find(state, event, &from, language).await {
        // The page can do without the prices.
        Err(error) if error.status().is_server_error() => {
            super::log_unexpected("travel", &error);
            Travel { has_failed: true, ..Travel::default() }
        }
        found => found?,
    };
    Ok(Some(Travel { from, ..travel }))
}

/// The prices from the place with this code, else from the only place with this name.
async fn find(state: &State, event: &Event, from: &str, language: PageLanguage) -> Result<Travel, ApiError> {
    let prices = read_prices(state, event, from, language).await?;
    let places = read_places(state, from).await?;
    if let Some(prices) = prices {
        // Other names that begin with the code may precede the place.
        let name = places.into_iter().find(|(code, _)| code == from).map_or_else(|| from.to_owned(), |(_, name)| name);
        return Ok(Travel { origin: Some(name), prices, ..Travel::default() });
    }
    let [(code, name)] = &*places else {
        let choices = places.into_iter().map(|(code, name)| (name, query_from(&code, language))).collect();
        return Ok(Travel { choices, ..Travel::default() });
    };
    let prices = read_prices(state, event, code, language).await?.unwrap_or_default();
    Ok(Travel { origin: Some(name.clone()), prices, ..Travel::default() })
}

/// The codes and names of the places with a name or code that begins with a text.
async fn read_places(state: &State, text: &str) -> Result<Vec<(String, String)>, ApiError> {
    let query = Serializer::new(String::new()).append_pair("q", text).append_pair("limit", MAX_PLACES).finish();
    let query = PlacesQuery::parse(Parameters::parse(&query))?;
    let (Found { data }, _) = state.cache.read::<_, Found<PlacesDocument>>(query).await?;
    Ok(list(data))
}

/// The prices from a place; `None` if no place has this code.
async fn read_prices(
    state: &State,
    event: &Event,
    code: &str,
    PageLanguage { language, .. }: PageLanguage,
) -> Result<Option<Vec<(String, String)>>, ApiError> {
    let query = Serializer::new(String::new()).append_pair("orig_code", code).finish();
    let Ok(query) = EventRatesFilters::parse(&event.id.0, Parameters::parse(&query)) else { return Ok(None) };
    let is_of_code = |error: &ValidationError| error.parameter.as_deref() == Some("orig_code");
    let rates = match state.cache.read::<_, RateList>(query).await {
        Ok((RateList { rates }, _)) => rates,
        Err(error) if error.code() == ErrorCode::UnknownPlace && error.errors().iter().any(is_of_code) => return Ok(None),
        // The place of the venue is not in the list of places.
        Err(error) if error.code() == ErrorCode::UnknownPlace => Vec::new(),
        Err(error) => return Err(error),
    };
    let price = |rate: &DailyRate| Some((format_day(language, &rate.day), language.amount(rate.price.0?)));
    Ok(Some(rates.iter().rev().filter_map(price).collect()))
}

/// The codes and names of places and regions. Several may have the same name, so it is shown with the code.
fn list(PlacesDocument { regions, places }: PlacesDocument) -> Vec<(String, String)> {
    let regions = regions.into_iter().map(|region| (region.slug, region.name));
    let places = places.into_iter().map(|place| {
        let name = format!("{} ({})", place.name, place.code.0);
        (place.code.0, name)
    });
    regions.chain(places).collect()
}

/// The query string of the page with the prices from a place.
fn query_from(code: &str, language: PageLanguage) -> String {
    Serializer::for_suffix("?".to_owned(), 1).append_pair("from", code).finish() + &language.pair()
}
