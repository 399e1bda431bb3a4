//! `GET /concerts` compared with a full scan: any query returns the same concerts in the same order, in pages of any size.

use std::{cmp::Reverse, sync::Arc};

use entity::UtcInstant;
use migration::{on_every_backend, testing::TestDatabase};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(responses_match_a_full_scan);

const CASES: u32 = 6;
const QUERIES_PER_CASE: usize = 20;
/// More than one statement merges, so that large areas take the other code path.
const VENUES: usize = 160;
/// The mean radius of the Earth in kilometres.
const RADIUS_KM: f64 = 6_371.008_8;
/// Both formulas may round differently by this much.
const TOLERANCE_KM: f64 = 1e-6;
const BANDS: [&str; 6] = ["1", "2", "3", "4", "5", "6"];

type Point = (f64, f64);

/// Two bands (or twice the same one), the venue and the day of an event.
type GeneratedEvent = (usize, usize, usize, u32);

#[derive(Clone, Debug)]
struct ConcertQuery {
    /// Indexes into [`BANDS`]; larger ones are unknown bands.
    bands: Vec<usize>,
    /// A venue, an offset from it in degrees, and a radius in kilometres.
    near: Option<(usize, Point, f64)>,
    starts_on: Option<u32>,
    is_ascending: bool,
    limit: usize,
}

/// A concert as the full scan sees it.
#[derive(Clone, Debug)]
struct ExpectedConcert {
    key: (UtcInstant, Uuid, i32),
    day: u32,
    band: usize,
    venue: usize,
    title: String,
}

fn point() -> impl Strategy<Value = Point> {
    let latitude = prop_oneof![4 => -90.0..90.0, 1 => Just(90.0), 1 => Just(-90.0), 2 => 89.0..90.0];
    let longitude = prop_oneof![4 => -180.0..180.0, 1 => Just(180.0), 1 => Just(-180.0), 2 => 179.0..180.0, 2 => -180.0..-179.0];
    // Few digits, because JSON parsing may lose the last bit of long ones.
    let short = |degrees: f64| (degrees * 1e4).round() / 1e4;
    (latitude, longitude).prop_map(move |(latitude, longitude)| (short(latitude), short(longitude)))
}

fn concert_queries() -> impl Strategy<Value = ConcertQuery> {
    let beside = prop_oneof![1 => Just((0.0, 0.0)), 2 => (-1.0..1.0, -1.0..1.0)];
    let radius = prop_oneof![2 => Just(0.0), 3 => 0.0..2_000.0, 2 => 2_000.0..20_038.0, 1 => Just(20_038.0)];
    let near = option::weighted(0.7, (0..VENUES, beside, radius));
    (vec(0..BANDS.len() + 2, 0..4), near, option::weighted(0.3, 0..50_u32), any::<bool>(), 1..40_usize)
        .prop_map(|(bands, near, starts_on, is_ascending, limit)| ConcertQuery { bands, near, starts_on, is_ascending, limit })
        .prop_filter("bands or a place", |query| !query.bands.is_empty() || query.near.is_some())
}

async fn responses_match_a_full_scan(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let app = TestApp::new(&database).await;
    let drawn = vec((0..BANDS.len(), 0..BANDS.len(), 0..VENUES, 0..50_u32), 1..400);
    let world = (vec(point(), VENUES), drawn, vec(concert_queries(), QUERIES_PER_CASE));
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let handle = Handle::current();
    block_in_place(|| {
        runner.run(&world, |(points, drawn, queries)| {
            handle.block_on(async {
                let concerts = insert_events(&catalogue, &points, &drawn).await;
                for query in queries {
                    compare(&app, &points, &concerts, &query).await?;
                }
                Ok(())
            })
        })
    })
    .unwrap();
}

/// Inserts the events, and returns their concerts, latest first.
async fn insert_events(catalogue: &CatalogueFixture, points: &[Point], drawn: &[GeneratedEvent]) -> Vec<ExpectedConcert> {
    catalogue.clear().await;
    let mut concerts = Vec::new();
    let mut events = Vec::new();
    for (number, &(one, other, venue, day)) in drawn.iter().enumerate() {
        let bill = if one == other { vec![one] } else { vec![one, other] };
        let performers: Vec<&str> = bill.iter().map(|&band| BANDS[band]).collect();
        let event = NewEvent::titled(&format!("event {number}"))
            .starts(&format!("{}T20:00:00", date(day)))
            .performers(&performers)
            .venue(&format!("venue {venue}"), points[venue], None);
        concerts.extend((0..).zip(&bill).map(|(position, &band)| {
            let key = (event.row.starts_at, event.row.id, position);
            ExpectedConcert { key, day, band, venue, title: format!("event {number}") }
        }));
        events.push(event);
    }
    catalogue.insert(events).await;
    concerts.sort_by_key(|concert| Reverse(concert.key));
    concerts
}

fn date(day: u32) -> String {
    format!("2021-{:02}-{:02}", 1 + day / 28, 1 + day % 28)
}

async fn compare(
    app: &TestApp,
    points: &[Point],
    concerts: &[ExpectedConcert],
    query: &ConcertQuery,
) -> Result<(), TestCaseError> {
    let mut filters = Vec::new();
    if !query.bands.is_empty() {
        let ids: Vec<String> = query.bands.iter().map(|band| (band + 1).to_string()).collect();
        filters.push(format!("bandIds={}", ids.join(",")));
    }
    let near = query.near.map(|(venue, (up, across), radius)| {
        let (latitude, longitude) = points[venue];
        (((latitude + up).clamp(-90.0, 90.0), (longitude + across).clamp(-180.0, 180.0)), radius)
    });
    if let Some(((latitude, longitude), radius)) = near {
        // Both formulas may differ in the last digit at the edge of the circle.
        let is_at_edge =
            |point: &Point| radius > 0.0 && (km_between(*point, (latitude, longitude)) - radius).abs() < TOLERANCE_KM;
        prop_assume!(!points.iter().any(is_at_edge));
        filters.push(format!("latitude={latitude}&longitude={longitude}&radius={radius}"));
    }
    filters.extend(query.starts_on.map(|day| format!("starts_at={}", date(day))));

    if query.is_ascending {
        filters.push("sort=starts_at".to_owned());
    }

    let mut expected: Vec<Value> = concerts
        .iter()
        .filter(|concert| query.bands.is_empty() || query.bands.contains(&concert.band))
        .filter(|concert| near.is_none_or(|(centre, radius)| km_between(points[concert.venue], centre) <= radius + TOLERANCE_KM))
        .filter(|concert| query.starts_on.is_none_or(|day| concert.day >= day))
        .map(|ExpectedConcert { key: (starts_at, id, _), band, venue, title, .. }| {
            let (latitude, longitude) = points[*venue];
            json!({
                "band": format!("Performer {}", BANDS[*band]),
                "location": format!("venue {venue}"),
                "date": starts_at.0 / 1_000,
                "latitude": latitude,
                "longitude": longitude,
                "event_id": id,
                "title": title,
                "min_price": null,
                "currency": "EUR",
                "status": "scheduled",
            })
        })
        .collect();
    if query.is_ascending {
        expected.reverse();
    }

    let filters = filters.join("&");
    let all = app.get(&format!("/concerts?{filters}")).await.json();
    prop_assert_eq!(all.as_array(), Some(&expected), "{}", filters);
    let pages = app.get_pages(&format!("/concerts?{filters}&limit={}", query.limit)).await;
    let pages: Vec<Value> = pages.iter().flat_map(|page| page.json().as_array().unwrap().clone()).collect();
    prop_assert_eq!(pages, expected, "{} in pages of {}", filters, query.limit);
    Ok(())
}

/// The haversine formula.
fn km_between((latitude, longitude): Point, (other_latitude, other_longitude): Point) -> f64 {
    let [latitude, longitude, other_latitude, other_longitude] =
        [latitude, longitude, other_latitude, other_longitude].map(f64::to_radians);
    let hav = |angle: f64| (angle / 2.0).sin().powi(2);
    let share = hav(other_latitude - latitude) + latitude.cos() * other_latitude.cos() * hav(other_longitude - longitude);
    2.0 * RADIUS_KM * share.sqrt().min(1.0).asin()
}
