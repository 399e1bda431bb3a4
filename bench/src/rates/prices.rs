//! The imported prices: deterministic, in an order in which consecutive prices have different routes.

use std::fmt::Write;

use bytes::Bytes;
use entity::UtcInstant;
use serde_json::json;

use crate::feed::split_mix;

/// Places: the port, which is in no region, the places of the large region, and the others, each in its own region.
const PLACES: u64 = 200;
const PORT: u64 = 0;
pub(super) const REGION_PLACES: u64 = 60;
const OTHER_REGION_PLACES: u64 = 35;
/// Slug of the large region.
const REGION: &str = "wide-coast";
/// Prices per route and day.
pub(super) const PER_DAY: u64 = 3;
/// 2026-01-01, in days since 1970.
const FIRST_DAY: u64 = 20_454;
const DAY_MICROS: u64 = 86_400_000_000;
/// A prime above the length of any batch, so that each price occurs once.
const SPREAD: u64 = 15_485_863;
/// The number of routes between places other than the port, and a prime that does not divide it.
const OTHER_ROUTES: u64 = (PLACES - 1) * (PLACES - 2);
const ROUTE_SPREAD: u64 = 7_919;
/// The size of a `COPY` message.
const MESSAGE_BYTES: usize = 64 * 1024;

/// A batch with three prices per route and day. The first sixty routes are from the port to the places of the large region.
#[derive(Clone, Copy, Debug)]
pub(super) struct PriceBatch {
    pub(super) prices: u64,
    pub(super) days: u64,
}

/// A price; places and days are numbered from 0.
struct BatchPrice {
    orig: u64,
    dest: u64,
    day: u64,
    hundredths: u64,
}

impl PriceBatch {
    fn prices(self) -> impl Iterator<Item = BatchPrice> {
        (0..self.prices).map(move |number| {
            let at = number * SPREAD % self.prices;
            let (orig, dest) = route(at / (PER_DAY * self.days));
            BatchPrice { orig, dest, day: at / PER_DAY % self.days, hundredths: 20_000 + split_mix(number) % 200_000 }
        })
    }

    /// The number of routes with all prices.
    pub(super) fn routes(self) -> u64 {
        self.prices / (PER_DAY * self.days)
    }

    /// The body of a request.
    pub(super) fn csv(self) -> Bytes {
        let days: Vec<String> = (0..self.days).map(day).collect();
        let mut body = "orig_code,dest_code,day,price\n".to_owned();
        for BatchPrice { orig, dest, day, hundredths } in self.prices() {
            let (whole, rest) = (hundredths / 100, hundredths % 100);
            // Writing to a String cannot fail.
            let _written = writeln!(body, "{},{},{},{whole}.{rest:02}", code(orig), code(dest), days[day as usize]);
        }
        body.into()
    }

    /// The rows of the batch as `COPY` messages.
    pub(super) fn messages(self, batch_id: u64) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let mut message = String::new();
        for (position, BatchPrice { orig, dest, day, hundredths }) in (1_u64..).zip(self.prices()) {
            let (orig, dest, day) = (orig + 1, dest + 1, FIRST_DAY + day);
            let _written = writeln!(message, "{batch_id},{position},{orig},{dest},{day},{hundredths}");
            if message.len() >= MESSAGE_BYTES {
                messages.push(std::mem::take(&mut message).into_bytes());
            }
        }
        messages.push(message.into_bytes());
        messages
    }
}

/// The ends of a route, by its number.
fn route(number: u64) -> (u64, u64) {
    let Some(other) = number.checked_sub(REGION_PLACES) else { return (PORT, 1 + number) };
    let other = other * ROUTE_SPREAD % OTHER_ROUTES;
    let (orig, dest) = (other / (PLACES - 2), other % (PLACES - 2));
    (1 + orig, 1 + dest + u64::from(dest >= orig))
}

fn code(place: u64) -> String {
    format!("BN{place:03}")
}

/// A day such as 2026-01-01, by its number.
fn day(number: u64) -> String {
    let instant = UtcInstant(((FIRST_DAY + number) * DAY_MICROS).cast_signed());
    instant.to_utc().map(|utc| utc.format("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// The document of places and regions.
pub(super) fn places() -> Bytes {
    let region = |place: u64| match place {
        PORT => None,
        1..=REGION_PLACES => Some(REGION.to_owned()),
        _ => Some(format!("coast-{}", (place - REGION_PLACES - 1) / OTHER_REGION_PLACES)),
    };
    let mut slugs: Vec<String> = (0..PLACES).filter_map(region).collect();
    slugs.dedup();
    let regions = slugs.iter().map(|slug| json!({ "slug": slug, "name": slug, "parent_slug": "world" }));
    let regions: Vec<_> = regions.chain([json!({ "slug": "world", "name": "World" })]).collect();
    let place = |place| json!({ "code": code(place), "name": format!("Place {place}"), "region_slug": region(place) });
    json!({ "regions": regions, "places": (0..PLACES).map(place).collect::<Vec<_>>() }).to_string().into()
}

/// A query: places and days.
#[derive(Clone, Debug)]
pub(super) struct RatesQuery {
    pub(super) orig: String,
    pub(super) dest: String,
    first: u64,
    last: u64,
    /// Prices per day in one batch.
    pub(super) per_day: u64,
}

impl RatesQuery {
    /// A query for one route.
    pub(super) fn for_route(number: u64, first: u64, last: u64) -> Self {
        let (orig, dest) = route(number);
        Self { orig: code(orig), dest: code(dest), first, last, per_day: PER_DAY }
    }

    /// A query from the port to the large region.
    pub(super) fn for_region(first: u64, last: u64) -> Self {
        Self { orig: code(PORT), dest: REGION.to_owned(), first, last, per_day: PER_DAY * REGION_PLACES }
    }

    pub(super) fn path(&self) -> String {
        let Self { orig, dest, first, last, .. } = self;
        format!("/rates?date_from={}&date_to={}&orig_code={orig}&dest_code={dest}", day(*first), day(*last))
    }

    pub(super) fn day_count(&self) -> u64 {
        self.last - self.first + 1
    }

    /// The first and the last day since 1970.
    pub(super) fn days(&self) -> (i32, i32) {
        let [first, last] = [self.first, self.last].map(|day| i32::try_from(FIRST_DAY + day).unwrap_or(i32::MAX));
        (first, last)
    }
}
