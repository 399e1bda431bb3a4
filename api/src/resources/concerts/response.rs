//! The response of a request for concerts.

use entity::{UtcInstant, to_decimal};
use poem_openapi::{Object, types::Example};
use sea_orm::{FromQueryResult, prelude::Uuid};
use serde::{Serialize, Serializer};
use uuid::uuid;

use crate::{
    resources::events::EventStatus,
    response::{CurrencyCode, EventId, Nullable},
};

const MICROS_PER_MILLI: i64 = 1_000;
/// Bytes of a typical concert in a response.
const CONCERT_BYTES: usize = 260;

/// A performer at a venue on a day.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Concert {
    /// The name of the performer.
    pub band: String,
    /// The name of the venue.
    pub location: String,
    /// The start in milliseconds since 1970-01-01T00:00:00Z.
    pub date: i64,
    /// The latitude of the venue (WGS 84).
    #[oai(validator(minimum(value = "-90"), maximum(value = "90")))]
    pub latitude: f64,
    /// The longitude of the venue (WGS 84).
    #[oai(validator(minimum(value = "-180"), maximum(value = "180")))]
    pub longitude: f64,
    /// The permanent id of the event.
    pub event_id: EventId,
    /// The title of the event.
    pub title: String,
    /// The lowest price of all zones, if there are zones.
    #[oai(validator(minimum(value = "0")))]
    pub min_price: Nullable<f64>,
    /// The currency of the prices (ISO 4217).
    pub currency: CurrencyCode,
    /// Whether the event takes place as announced.
    pub status: EventStatus,
}

/// The columns of a concert.
#[derive(Debug, FromQueryResult)]
pub(super) struct ConcertRow {
    pub(super) starts_at: UtcInstant,
    pub(super) event_id: Uuid,
    pub(super) position: i32,
    band: String,
    location: String,
    latitude: f64,
    longitude: f64,
    title: String,
    min_price: Option<i64>,
    currency: String,
    currency_digits: i16,
    status: entity::EventStatus,
    pub(super) version: i64,
    pub(super) raised_at: UtcInstant,
}

impl ConcertRow {
    /// Encodes the response, a bare array.
    pub(super) fn encode(rows: Vec<Self>) -> Result<Vec<u8>, serde_json::Error> {
        let mut body = Vec::with_capacity(rows.len() * CONCERT_BYTES);
        // Row by row, so that there is no second list.
        serde_json::Serializer::new(&mut body).collect_seq(rows.into_iter().map(Concert::from))?;
        body.shrink_to_fit();
        Ok(body)
    }
}

impl From<ConcertRow> for Concert {
    fn from(row: ConcertRow) -> Self {
        let price = |minor_units| to_decimal(minor_units, row.currency_digits);
        Self {
            band: row.band,
            location: row.location,
            date: row.starts_at.0.div_euclid(MICROS_PER_MILLI),
            latitude: row.latitude,
            longitude: row.longitude,
            event_id: row.event_id.to_string().into(),
            title: row.title,
            min_price: row.min_price.map(price).into(),
            currency: row.currency.into(),
            status: row.status.into(),
        }
    }
}

impl Example for Concert {
    fn example() -> Self {
        Self {
            band: "Pantomima Full".to_owned(),
            location: "Sala Apolo".to_owned(),
            date: 1_612_983_600_000,
            latitude: 41.374,
            longitude: 2.169,
            event_id: uuid!("c4a626ff-9f25-5533-a0a8-2b67472b5ee3").to_string().into(),
            title: "Pantomima Full".to_owned(),
            min_price: Nullable(Some(55.0)),
            currency: "EUR".into(),
            status: EventStatus::Scheduled,
        }
    }
}
