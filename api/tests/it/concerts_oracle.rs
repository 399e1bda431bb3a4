//! `GET /concerts` beside a search of all rows: whatever is asked, the same concerts in the same order, in pages of any size.

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
    catalogue::{Catalogue, NewEvent},
    service::Service,
};

on_every_backend!(what_is_asked_is_what_a_search_of_all_rows_finds);

/// Catalogues, and what is asked of each.
const CASES: u32 = 6;
const QUESTIONS: usize = 20;
/// More than one statement merges, so that wide places are asked for as well.
const VENUES: usize = 160;
/// The mean radius of the Earth in kilometres.
const RADIUS_KM: f64 = 6_371.008_8;
/// Where the two formulas may round to different sides.
const A_HAIR_KM: f64 = 1e-6;
const BANDS: [&str; 6] = ["1", "2", "3", "4", "5", "6"];

type Point = (f64, f64);

/// The bands (twice the same is one), the venue and the day of an event.
type Drawn = (usize, usize, usize, u32);

#[derive(Clone, Debug)]
struct Asked {
    /// By its number; those that are not among [`BANDS`] are unknown.
    bands: Vec<usize>,
    /// A venue, degrees beside it, and kilometres.
    near: Option<(usize, Point, f64)>,
    starts_on: Option<u32>,
    limit: usize,
}

/// What the oracle knows of a concert.
#[derive(Clone, Debug)]
struct Known {
    key: (UtcInstant, Uuid, i32),
    day: u32,
    band: usize,
    venue: usize,
}

fn point() -> impl Strategy<Value = Point> {
    let latitude = prop_oneof![4 => -90.0..90.0, 1 => Just(90.0), 1 => Just(-90.0), 2 => 89.0..90.0];
    let longitude = prop_oneof![4 => -180.0..180.0, 1 => Just(180.0), 1 => Just(-180.0), 2 => 179.0..180.0, 2 => -180.0..-179.0];
    // Few digits: the test's reader of JSON reads long ones to the last bit but one.
    let short = |degrees: f64| (degrees * 1e4).round() / 1e4;
    (latitude, longitude).prop_map(move |(latitude, longitude)| (short(latitude), short(longitude)))
}

fn asked() -> impl Strategy<Value = Asked> {
    let beside = prop_oneof![1 => Just((0.0, 0.0)), 2 => (-1.0..1.0, -1.0..1.0)];
    let radius = prop_oneof![2 => Just(0.0), 3 => 0.0..2_000.0, 2 => 2_000.0..20_038.0, 1 => Just(20_038.0)];
    let near = option::weighted(0.7, (0..VENUES, beside, radius));
    (vec(0..BANDS.len() + 2, 0..4), near, option::weighted(0.3, 0..50_u32), 1..40_usize)
        .prop_map(|(bands, near, starts_on, limit)| Asked { bands, near, starts_on, limit })
        .prop_filter("bands or a place", |asked| !asked.bands.is_empty() || asked.near.is_some())
}

async fn what_is_asked_is_what_a_search_of_all_rows_finds(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let service = Service::on(&database).await;
    let drawn = vec((0..BANDS.len(), 0..BANDS.len(), 0..VENUES, 0..50_u32), 1..400);
    let world = (vec(point(), VENUES), drawn, vec(asked(), QUESTIONS));
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let handle = Handle::current();
    block_in_place(|| {
        runner.run(&world, |(points, drawn, questions)| {
            handle.block_on(async {
                let known = fill(&catalogue, &points, &drawn).await;
                for asked in questions {
                    compare(&service, &points, &known, &asked).await?;
                }
                Ok(())
            })
        })
    })
    .unwrap();
}

/// Writes the events, and says which concerts they are, latest first.
async fn fill(catalogue: &Catalogue, points: &[Point], drawn: &[Drawn]) -> Vec<Known> {
    catalogue.clear().await;
    let mut known = Vec::new();
    let mut events = Vec::new();
    for (number, &(one, other, venue, day)) in drawn.iter().enumerate() {
        let bill = if one == other { vec![one] } else { vec![one, other] };
        let performers: Vec<&str> = bill.iter().map(|&band| BANDS[band]).collect();
        let event = NewEvent::titled(&format!("event {number}"))
            .starts(&format!("{}T20:00:00", date(day)))
            .performers(&performers)
            .venue(&format!("venue {venue}"), points[venue], None);
        known.extend((0..).zip(&bill).map(|(position, &band)| {
            let key = (event.row.starts_at, event.row.id, position);
            Known { key, day, band, venue }
        }));
        events.push(event);
    }
    catalogue.insert(events).await;
    known.sort_by_key(|concert| Reverse(concert.key));
    known
}

fn date(day: u32) -> String {
    format!("2021-{:02}-{:02}", 1 + day / 28, 1 + day % 28)
}

async fn compare(service: &Service, points: &[Point], known: &[Known], asked: &Asked) -> Result<(), TestCaseError> {
    let mut filters = Vec::new();
    if !asked.bands.is_empty() {
        let ids: Vec<String> = asked.bands.iter().map(|band| (band + 1).to_string()).collect();
        filters.push(format!("bandIds={}", ids.join(",")));
    }
    let near = asked.near.map(|(venue, (up, across), radius)| {
        let (latitude, longitude) = points[venue];
        (((latitude + up).clamp(-90.0, 90.0), (longitude + across).clamp(-180.0, 180.0)), radius)
    });
    if let Some(((latitude, longitude), radius)) = near {
        // At the edge the oracle's formula and ours may differ in the last digit.
        let is_at_edge = |point: &Point| radius > 0.0 && (km_between(*point, (latitude, longitude)) - radius).abs() < A_HAIR_KM;
        prop_assume!(!points.iter().any(is_at_edge));
        filters.push(format!("latitude={latitude}&longitude={longitude}&radius={radius}"));
    }
    filters.extend(asked.starts_on.map(|day| format!("starts_at={}", date(day))));

    let wanted: Vec<Value> = known
        .iter()
        .filter(|concert| asked.bands.is_empty() || asked.bands.contains(&concert.band))
        .filter(|concert| near.is_none_or(|(centre, radius)| km_between(points[concert.venue], centre) <= radius + A_HAIR_KM))
        .filter(|concert| asked.starts_on.is_none_or(|day| concert.day >= day))
        .map(|Known { key: (starts_at, ..), band, venue, .. }| {
            let (latitude, longitude) = points[*venue];
            json!({
                "band": format!("Performer {}", BANDS[*band]),
                "location": format!("venue {venue}"),
                "date": starts_at.0 / 1_000,
                "latitude": latitude,
                "longitude": longitude,
            })
        })
        .collect();

    let query = filters.join("&");
    let whole = service.get(&format!("/concerts?{query}")).await.json();
    prop_assert_eq!(whole.as_array(), Some(&wanted), "{}", query);
    let mut pages = Vec::new();
    let mut next = Some(format!("/concerts?{query}&limit={}", asked.limit));
    while let Some(path) = next {
        let answer = service.get(&path).await;
        pages.extend(answer.json().as_array().unwrap().clone());
        next = answer.next();
    }
    prop_assert_eq!(pages, wanted, "{} in pages of {}", query, asked.limit);
    Ok(())
}

/// By the haversine formula as it stands in textbooks.
fn km_between((latitude, longitude): Point, (other_latitude, other_longitude): Point) -> f64 {
    let [latitude, longitude, other_latitude, other_longitude] =
        [latitude, longitude, other_latitude, other_longitude].map(f64::to_radians);
    let hav = |angle: f64| (angle / 2.0).sin().powi(2);
    let share = hav(other_latitude - latitude) + latitude.cos() * other_latitude.cos() * hav(other_longitude - longitude);
    2.0 * RADIUS_KM * share.sqrt().min(1.0).asin()
}
