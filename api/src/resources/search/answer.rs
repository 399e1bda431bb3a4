//! What a search answers.

use poem_openapi::{Object, types::Example};
use serde::Serialize;
use uuid::{Uuid, uuid};

use super::rows::SearchRow;
use crate::response::Nullable;

/// What an event takes in an answer, about, and what stands around them all.
const EVENT_BYTES: usize = 240;
const BYTES_BESIDE: usize = 48;

/// The answer to a search.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct SearchAnswer {
    /// What was found.
    pub data: FoundEvents,
    /// Always null: errors have their own shape.
    pub error: Nullable<bool>,
}

/// The events of a page.
#[derive(Debug, Object, Serialize)]
pub struct FoundEvents {
    /// Earliest first; those that start at the same time in the order of their ids.
    pub events: Vec<FoundEvent>,
}

/// An event in a list.
#[derive(Debug, Object, Serialize)]
pub struct FoundEvent {
    /// Its id, for ever.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// The day it starts, by the clock at the venue.
    pub start_date: String,
    /// The time it starts, by the clock at the venue, if it is known.
    pub start_time: Nullable<String>,
    /// The day it ends, if it is known.
    pub end_date: Nullable<String>,
    /// The time it ends, if it is known.
    pub end_time: Nullable<String>,
    /// The lowest price of all its zones, if it has any.
    pub min_price: Nullable<f64>,
    /// The highest price of all its zones, if it has any.
    pub max_price: Nullable<f64>,
}

/// Writes a [`SearchAnswer`] event by event, as its rows come.
#[derive(Debug)]
pub(super) struct SearchWriter {
    body: Vec<u8>,
    is_first: bool,
}

impl SearchWriter {
    /// An answer without events; `events` is how many are expected.
    pub(super) fn new(events: usize) -> Self {
        let mut body = Vec::with_capacity(BYTES_BESIDE + events * EVENT_BYTES);
        body.extend_from_slice(br#"{"data":{"events":["#);
        Self { body, is_first: true }
    }

    pub(super) fn push(&mut self, row: SearchRow) -> Result<(), serde_json::Error> {
        if !std::mem::take(&mut self.is_first) {
            self.body.push(b',');
        }
        serde_json::to_writer(&mut self.body, &FoundEvent::from(row))
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.body.extend_from_slice(br#"]},"error":null}"#);
        self.body.shrink_to_fit();
        self.body
    }
}

impl From<SearchRow> for FoundEvent {
    fn from(row: SearchRow) -> Self {
        let SearchRow { id, title, local_start, local_end, min_price, max_price, currency_digits, .. } = row;
        Self::new(id, title, (&local_start, local_end.as_deref()), (min_price, max_price), currency_digits)
    }
}

impl FoundEvent {
    /// Of an event's wall-clock start and end, and its lowest and highest price in minor units.
    pub(crate) fn new(
        id: Uuid,
        title: String,
        (start, end): (&str, Option<&str>),
        (min_price, max_price): (Option<i64>, Option<i64>),
        currency_digits: i16,
    ) -> Self {
        let (start_date, start_time) = date_and_time(start);
        let (end_date, end_time) = end.map(date_and_time).unzip();
        let price = |minor_units: Option<i64>| Nullable(minor_units.map(|units| price(units, currency_digits)));
        Self {
            id: id.to_string(),
            title,
            start_date,
            start_time: start_time.into(),
            end_date: end_date.into(),
            end_time: end_time.flatten().into(),
            min_price: price(min_price),
            max_price: price(max_price),
        }
    }
}

/// Splits a wall-clock date; one without a time of day has none.
fn date_and_time(wall_clock: &str) -> (String, Option<String>) {
    match wall_clock.split_once('T') {
        Some((date, time)) => (date.to_owned(), Some(time.to_owned())),
        None => (wall_clock.to_owned(), None),
    }
}

/// Minor units as the number that a client reads: the float nearest to the exact decimal, which prints as that decimal.
#[expect(clippy::cast_precision_loss, reason = "prices stay far below 2^53 minor units")]
pub(crate) fn price(minor_units: i64, currency_digits: i16) -> f64 {
    minor_units as f64 / 10f64.powi(i32::from(currency_digits))
}

impl Example for SearchAnswer {
    fn example() -> Self {
        Self { data: FoundEvents { events: vec![FoundEvent::example()] }, error: Nullable(None) }
    }
}

impl Example for FoundEvent {
    fn example() -> Self {
        Self::new(
            uuid!("c4a626ff-9f25-5533-a0a8-2b67472b5ee3"),
            "Pantomima Full".to_owned(),
            ("2021-02-10T20:00:00", Some("2021-02-10T21:30:00")),
            (Some(5500), Some(5500)),
            2,
        )
    }
}
