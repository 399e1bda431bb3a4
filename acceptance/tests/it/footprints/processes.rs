//! Processes of the API, and their responses.

use std::{io::Read, sync::Arc};

use api::{
    State,
    cache::{
        Cache, CacheRequest, CacheResponse, CachedQuery,
        redis::{Redis, RedisSettings},
    },
    error::ApiError,
    query::Parameters,
    resources::{
        concerts::ConcertsQuery,
        events::{CalendarQuery, EventPageQuery, EventsQuery, FacetsQuery},
        performers::PerformersQuery,
        places::PlacesQuery,
        search::SearchQuery,
        venues::VenuesQuery,
    },
    response::ContentCoding,
};
use entity::ConnectionRole;
use flate2::read::GzDecoder;
use migration::testing::TestDatabase;
use worker::sync::identity;

use super::{CACHE_BYTES, REVALIDATE_WITHIN};
use crate::wait::eventually;

pub(super) async fn start_process(database: &TestDatabase, namespace: &str) -> State {
    let url = std::env::var("TEST_REDIS_URL").expect("TEST_REDIS_URL is not set: run `make test`, or set it to a Redis server");
    let settings = RedisSettings { redis_url: Some(url.parse().unwrap()), redis_ca_file: None };
    let redis = Redis::new(&settings, namespace).unwrap().unwrap();
    eventually("Redis is up", async || redis.is_up().then_some(())).await;
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = State::new(reads, watch, CACHE_BYTES, None);
    let (version, availability, reader) = (state.version.clone(), state.availability.clone(), state.reader.clone());
    let cache = Cache::new(CACHE_BYTES, REVALIDATE_WITHIN, Some(redis), version, availability, reader);
    State { cache: Arc::new(cache), ..state }
}

pub(super) async fn respond(state: &State, query: &str, coding: ContentCoding) -> Result<CacheResponse, ApiError> {
    let (path, parameters) = query.split_once('?').unwrap_or((query, ""));
    let parameters = Parameters::parse(parameters);
    match path {
        "/search" => get(state, SearchQuery::parse(parameters), coding).await,
        "/events" => get(state, EventsQuery::parse(parameters), coding).await,
        "/events/facets" => get(state, FacetsQuery::parse(parameters), coding).await,
        "/events/calendar" => get(state, CalendarQuery::parse(parameters), coding).await,
        "/concerts" => get(state, ConcertsQuery::parse(parameters), coding).await,
        "/performers" => get(state, PerformersQuery::parse(parameters), coding).await,
        "/venues" => get(state, VenuesQuery::parse(parameters), coding).await,
        "/places" => get(state, PlacesQuery::parse(parameters), coding).await,
        _ => get(state, EventPageQuery::parse(&id_of(path), None), coding).await,
    }
}

/// The id of the event with this page.
fn id_of(path: &str) -> String {
    let (_, ids) = path.split_once("/e/").unwrap_or_else(|| panic!("{path} is not cached"));
    let [provider, show, date] = ids.splitn(3, ':').collect::<Vec<_>>()[..] else { panic!("{path}") };
    identity::event_id(&format!("provider{provider}"), show, date).to_string()
}

async fn get<Q: CachedQuery>(
    state: &State,
    query: Result<Q, ApiError>,
    coding: ContentCoding,
) -> Result<CacheResponse, ApiError> {
    state.cache.get(&CacheRequest::new(query.unwrap(), coding)).await
}

/// The decoded body and the link to the next page, or why there is none.
pub(super) fn content(response: &Result<CacheResponse, ApiError>) -> String {
    let response = match response {
        Ok(response) => response,
        Err(error) => return error.to_string(),
    };
    let bytes = response.body.representation.body.bytes();
    let mut text = String::new();
    match response.body.representation.coding {
        ContentCoding::Identity => text.push_str(std::str::from_utf8(bytes).unwrap()),
        _ => drop(GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap()),
    }
    // When it was read.
    let text = text.split("\"now\":").map(|part| part.trim_start_matches(|character: char| character.is_ascii_digit()));
    text.collect::<String>() + &format!("{:?}", response.body.link)
}
