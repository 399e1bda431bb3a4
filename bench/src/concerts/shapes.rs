//! The searches: bands and places with many and with few concerts. Requests differ, if there are enough bands or places.

use super::{
    ROWS,
    copy::{BIG_CITY, CITIES, HOT_BANDS, Size, city_point},
};

/// A kind of search.
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// The path of a request, by its number and round.
    pub(super) path: fn(Size, u64, u32) -> String,
}

pub(super) const SHAPES: [Shape; 8] = [
    Shape { name: "a rare band", path: |size, number, round| path(&[bands(&[band(size, number, round)])]) },
    Shape { name: "a hot band", path: |_, number, _| path(&[bands(&[number % HOT_BANDS]), not_before(number)]) },
    Shape {
        name: "ten bands",
        path: |size, number, round| {
            let rare = (0..9).map(|more| band(size, number * 9 + more, round));
            path(&[bands(&rare.chain([number % HOT_BANDS]).collect::<Vec<_>>())])
        },
    },
    Shape { name: "a quiet place (100 venues)", path: |_, number, round| path(&[place(small_city(number, round), 8.0, number)]) },
    Shape { name: "a busy place (100 venues)", path: |_, number, _| path(&[place(BIG_CITY, 8.0, number)]) },
    Shape {
        name: "a wide place (over 500 venues)",
        path: |_, number, round| path(&[place(small_city(number, round), 4_500.0, number)]),
    },
    Shape {
        name: "a popular band in a busy place",
        path: |_, number, _| path(&[bands(&[number % HOT_BANDS]), place(BIG_CITY, 8.0, number)]),
    },
    Shape {
        name: "popular bands in a wide place",
        path: |_, number, _| path(&[bands(&[0, 1, 2, 3, 4]), place(number % CITIES, 4_500.0, number)]),
    },
];

fn path(filters: &[String]) -> String {
    format!("/concerts?{}&limit={ROWS}", filters.join("&"))
}

fn bands(numbers: &[u64]) -> String {
    format!("bandIds={}", numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(","))
}

/// A band with few concerts.
pub(super) fn band(size: Size, number: u64, round: u32) -> u64 {
    HOT_BANDS + crate::feed::split_mix(number + (u64::from(round) << 40)) % (size.bands() - HOT_BANDS)
}

fn small_city(number: u64, round: u32) -> u64 {
    1 + (number + u64::from(round)) % (CITIES - 1)
}

/// A point near a city, different for each request.
fn place(number: u64, radius: f64, request: u64) -> String {
    let (latitude, longitude) = city_point(number);
    format!("latitude={:.6}&longitude={longitude}&radius={radius}", latitude + request as f64 * 1e-6 % 0.005)
}

/// A day long before the concerts, different for each request.
fn not_before(request: u64) -> String {
    format!(
        "starts_at=19{:02}-{:02}-{:02}T{:02}:{:02}:00Z",
        10 + request / 483_840 % 80,
        1 + request / 40_320 % 12,
        1 + request / 1_440 % 28,
        request / 60 % 24,
        request % 60
    )
}
