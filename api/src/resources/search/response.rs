//! The response of a search.

use entity::to_decimal;
use poem_openapi::{Object, types::Example};
use serde::Serialize;
use uuid::{Uuid, uuid};

use super::rows::SearchRow;
use crate::{
    find::EventView,
    response::{EventId, LocalDate, LocalTime, Nullable},
};

/// Bytes of a typical event in a response, and of the envelope.
const EVENT_BYTES: usize = 240;
const ENVELOPE_BYTES: usize = 48;

/// A page of events.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct EventList {
    /// The events, earliest first; those that start at the same time are sorted by id.
    pub events: Vec<EventSummary>,
}

/// An event in a list.
#[derive(Clone, Debug, Object, Serialize)]
pub struct EventSummary {
    /// The permanent id.
    pub id: EventId,
    /// The title.
    pub title: String,
    /// The start date in the venue's local time.
    pub start_date: LocalDate,
    /// The start time in the venue's local time, if known.
    pub start_time: Nullable<LocalTime>,
    /// The end date in the venue's local time, if known.
    pub end_date: Nullable<LocalDate>,
    /// The end time in the venue's local time, if known.
    pub end_time: Nullable<LocalTime>,
    /// The lowest price of all zones, if there are zones.
    #[oai(validator(minimum(value = "0")))]
    pub min_price: Nullable<f64>,
    /// The highest price of all zones, if there are zones.
    #[oai(validator(minimum(value = "0")))]
    pub max_price: Nullable<f64>,
}

/// Writes an envelope of an [`EventList`] event by event, as the rows arrive.
#[derive(Debug)]
pub(super) struct EventListWriter {
    body: Vec<u8>,
    is_first: bool,
}

impl EventListWriter {
    /// Begins a list of about this many events.
    pub(super) fn new(expected_events: usize) -> Self {
        let mut body = Vec::with_capacity(ENVELOPE_BYTES + expected_events * EVENT_BYTES);
        body.extend_from_slice(br#"{"data":{"events":["#);
        Self { body, is_first: true }
    }

    pub(super) fn push(&mut self, event: impl Into<EventSummary>) -> Result<(), serde_json::Error> {
        if !std::mem::take(&mut self.is_first) {
            self.body.push(b',');
        }
        serde_json::to_writer(&mut self.body, &event.into())
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.body.extend_from_slice(br#"]},"error":null}"#);
        self.body.shrink_to_fit();
        self.body
    }
}

impl From<SearchRow> for EventSummary {
    fn from(row: SearchRow) -> Self {
        let SearchRow { id, title, local_start, local_end, min_price, max_price, currency_digits, .. } = row;
        Self::new(id, title, (&local_start, local_end.as_deref()), (min_price, max_price), currency_digits)
    }
}

impl From<EventView> for EventSummary {
    fn from(view: EventView) -> Self {
        let EventView { id, title, local_start, local_end, min_price, max_price, currency_digits, .. } = view;
        Self::new(id, title, (&local_start, local_end.as_deref()), (min_price, max_price), currency_digits)
    }
}

impl EventSummary {
    /// An event with its local start and end, and its lowest and highest price in minor units.
    pub(crate) fn new(
        id: Uuid,
        title: String,
        (start, end): (&str, Option<&str>),
        (min_price, max_price): (Option<i64>, Option<i64>),
        currency_digits: i16,
    ) -> Self {
        let (start_date, start_time) = split_date_and_time(start);
        let (end_date, end_time) = end.map(split_date_and_time).unzip();
        let price = |minor_units: Option<i64>| Nullable(minor_units.map(|units| to_decimal(units, currency_digits)));
        Self {
            id: id.to_string().into(),
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

/// Splits a local date and time, or a date.
pub(crate) fn split_date_and_time(local: &str) -> (LocalDate, Option<LocalTime>) {
    match local.split_once('T') {
        Some((date, time)) => (date.into(), Some(time.into())),
        None => (local.into(), None),
    }
}

impl Example for EventList {
    fn example() -> Self {
        Self { events: vec![EventSummary::example()] }
    }
}

impl Example for EventSummary {
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
