//! Other events near an event on the same day, as `/events` finds them.

use form_urlencoded::Serializer;

use crate::{
    error::ApiError,
    query::Parameters,
    resources::events::{Event, EventPage, EventsQuery},
    state::State,
};

/// What is still near: a way within a city.
const RADIUS_KM: &str = "25";
/// Events that are read, and how many of them are shown: some may be other dates of the same show.
const MAX_READ: &str = "24";
const MAX_SHOWN: usize = 6;

/// The events, the nearest first. None if they cannot be read: the page can do without them.
pub(super) async fn read(state: &State, event: &Event) -> Vec<Event> {
    let Some(query) = query_of(event) else { return Vec::new() };
    let events = find(state, &query).await.unwrap_or_else(|error| {
        super::log_unexpected("nearby", &error);
        Vec::new()
    });
    events.into_iter().filter(|other| other.base_event_id != event.base_event_id).take(MAX_SHOWN).collect()
}

async fn find(state: &State, query: &str) -> Result<Vec<Event>, ApiError> {
    let query = EventsQuery::parse(Parameters::parse(query))?;
    let (page, _) = state.cache.read::<_, EventPage>(query).await?;
    Ok(page.data.events)
}

/// The events that start within a distance of the venue, or else in its city. A name with a comma would be a list of cities.
fn query_of(event: &Event) -> Option<String> {
    let venue = event.venue.0.as_ref()?;
    let mut query = Serializer::new(String::new());
    match (venue.latitude.0.zip(venue.longitude.0), &venue.city.0) {
        (Some((latitude, longitude)), _) => query
            .append_pair("latitude", &latitude.to_string())
            .append_pair("longitude", &longitude.to_string())
            .append_pair("radius", RADIUS_KM)
            .append_pair("sort", "distance"),
        (None, Some(city)) if !city.contains(',') => query.append_pair("city", city),
        (None, _) => return None,
    };
    let day = &event.start_date.0;
    query.extend_pairs([("starts_at", day.as_str()), ("ends_at", day), ("time_zone", "venue"), ("range", "starts")]);
    Some(query.append_pair("limit", MAX_READ).finish())
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::Example;

    use super::*;
    use crate::response::Nullable;

    #[test]
    fn a_venue_without_a_point_is_in_its_city() {
        let mut event = Event::example();
        let days = "starts_at=2021-02-10&ends_at=2021-02-10&time_zone=venue&range=starts&limit=24";
        let near = format!("latitude=41.374&longitude=2.169&radius=25&sort=distance&{days}");
        assert_eq!(query_of(&event), Some(near));
        let venue = event.venue.0.as_mut().unwrap();
        (venue.latitude, venue.city) = (Nullable(None), Nullable(Some("Alcalá".to_owned())));
        assert_eq!(query_of(&event), Some(format!("city=Alcal%C3%A1&{days}")));
        for city in [None, Some("Palma, Mallorca".to_owned())] {
            event.venue.0.as_mut().unwrap().city = Nullable(city);
            assert_eq!(query_of(&event), None);
        }
    }
}
