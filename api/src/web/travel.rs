//! What it costs to travel to an event from a place that the reader chooses, as `/events/{id}/rates` returns it.

use form_urlencoded::Serializer;

use super::{Found, event_text::format_day, language::PageLanguage};
use crate::{
    error::{ApiError, ErrorCode},
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
    let query = Serializer::new(String::new()).append_pair("q", &from).append_pair("limit", MAX_PLACES).finish();
    let (Found { data }, _) =
        state.cache.read::<_, Found<PlacesDocument>>(PlacesQuery::parse(Parameters::parse(&query))?).await?;
    let mut places = list(data);
    if let Some(exact) = places.iter().position(|(code, _)| *code == from) {
        places = vec![places.swap_remove(exact)];
    }
    let [(code, name)] = &*places else {
        let choices = places.into_iter().map(|(code, name)| (name, query_from(&code, language))).collect();
        return Ok(Some(Travel { from, choices, ..Travel::default() }));
    };
    let prices = read_prices(state, event, code, language).await?;
    Ok(Some(Travel { origin: Some(name.clone()), from, prices, choices: Vec::new() }))
}

async fn read_prices(
    state: &State,
    event: &Event,
    code: &str,
    PageLanguage { language, .. }: PageLanguage,
) -> Result<Vec<(String, String)>, ApiError> {
    let query = Serializer::new(String::new()).append_pair("orig_code", code).finish();
    let query = EventRatesFilters::parse(&event.id.0, Parameters::parse(&query))?;
    let rates = match state.cache.read::<_, RateList>(query).await {
        Ok((RateList { rates }, _)) => rates,
        // The place of the venue is not in the list of places.
        Err(error) if error.code() == ErrorCode::UnknownPlace => Vec::new(),
        Err(error) => return Err(error),
    };
    let price = |rate: &DailyRate| Some((format_day(language, &rate.day), language.amount(rate.price.0?)));
    Ok(rates.iter().rev().filter_map(price).collect())
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
