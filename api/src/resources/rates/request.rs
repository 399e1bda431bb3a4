//! Which rates are asked for, and how they are found.

use std::sync::Arc;

use chrono::NaiveDate;
use entity::{event, venue};
use rates::Day;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, prelude::Uuid};

use super::{
    answer::{RateRow, RatesAnswer},
    statement::statement,
};
use crate::{
    cache::{Found, Question},
    database::{reader::Reader, sql::snapshot},
    error::ApiError,
    query::{Parameters, ValidationErrors},
    response::ValidationError,
};

/// Days of one request: two years. Between two large regions more could not be added up in the time that a statement has.
const MAX_DAYS: i32 = 732;
/// Days around an event: whoever travels far comes before and leaves after it.
const DAYS_AROUND: i32 = 3;
/// Characters of a code or slug: as many as a slug may have.
const MAX_CODE_BYTES: usize = 200;

/// The parameters, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatesRequest {
    days: (Day, Day),
    orig: String,
    dest: String,
}

/// Rates to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRatesRequest {
    event_id: Uuid,
    orig: String,
}

impl RatesRequest {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// When anything in it is unknown, repeated, malformed or missing; the error names all of it.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let mut errors = ValidationErrors::default();
        let parameters = Parameters::read(query, &["date_from", "date_to", "orig_code", "dest_code"], &mut errors);
        let day = |text: &str| Day::parse(text.as_bytes());
        let first = required(&parameters, "date_from", &mut errors, day);
        let last = required(&parameters, "date_to", &mut errors, day);
        let orig = required(&parameters, "orig_code", &mut errors, code);
        let dest = required(&parameters, "dest_code", &mut errors, code);
        if let (Some(first), Some(last)) = (first, last) {
            if last < first {
                errors.add("date_to", format!("must not be before date_from, which is {first}"));
            } else if last.0 - first.0 >= MAX_DAYS {
                errors.add("date_to", format!("must be {} days after date_from at most", MAX_DAYS - 1));
            }
        }
        // Whatever is missing is a mistake.
        let days = (first.unwrap_or_default(), last.unwrap_or_default());
        errors.or(Self { days, orig: orig.unwrap_or_default(), dest: dest.unwrap_or_default() })
    }

    async fn find_in(&self, database: &impl ConnectionTrait) -> Result<Found, ApiError> {
        let statement = statement(database.get_database_backend(), (&self.orig, &self.dest), self.days);
        let rows = RateRow::find_by_statement(statement).all(database).await?;
        let mut unknown = Vec::new();
        for (parameter, code, is_known) in [
            ("orig_code", &self.orig, rows.iter().all(|row| row.is_orig_known)),
            ("dest_code", &self.dest, rows.iter().all(|row| row.is_dest_known)),
        ] {
            if !is_known {
                unknown.push(ValidationError::for_parameter(
                    parameter,
                    format!("there is no place or region `{code}`; /places lists them"),
                ));
            }
        }
        if !unknown.is_empty() {
            return Err(ApiError::UnknownPlaces(unknown));
        }
        let snapshot = rows.first().map(|row| (row.version, row.raised_at));
        let body = serde_json::to_vec(&RatesAnswer::new(self.days, &rows)).map_err(ApiError::Encoding)?;
        Ok(Found::page(snapshot, body, None))
    }
}

impl EventRatesRequest {
    /// Reads an event's id and a query string.
    ///
    /// # Errors
    ///
    /// When anything in them is unknown, repeated, malformed or missing; the error names all of it.
    pub fn parse(id: &str, query: &str) -> Result<Self, ApiError> {
        let mut errors = ValidationErrors::default();
        let event_id = id.parse().map_err(|_| errors.add("id", "want a UUID as a search gives it")).unwrap_or_default();
        let parameters = Parameters::read(query, &["orig_code"], &mut errors);
        let orig = required(&parameters, "orig_code", &mut errors, code).unwrap_or_default();
        errors.or(Self { event_id, orig })
    }

    async fn find_in(self, reader: &Reader) -> Result<Found, ApiError> {
        let snapshot = snapshot(&reader.database).await?;
        let event = event::Entity::find_by_id(self.event_id).filter(event::Column::Shown.eq(true));
        let found = event.find_also_related(venue::Entity).one(&snapshot).await?;
        let (event, venue) = found.ok_or(ApiError::NotFound { what: "event" })?;
        let nowhere = |why: String| ApiError::UnknownPlaces(vec![ValidationError::for_parameter("id", why)]);
        let dest = venue.and_then(|venue| venue.place_code);
        let dest = dest.ok_or_else(|| nowhere("the event has no venue with a place code".to_owned()))?;
        let request = RatesRequest { days: days_around(&event), orig: self.orig, dest };
        let found = request.find_in(&snapshot).await.map_err(|error| match error {
            ApiError::UnknownPlaces(mut errors) => {
                // The caller gave no dest_code.
                for mistake in errors.iter_mut().filter(|mistake| mistake.parameter.as_deref() == Some("dest_code")) {
                    *mistake = ValidationError::for_parameter(
                        "id",
                        format!("the place `{}` of the event's venue is not known", request.dest),
                    );
                }
                ApiError::UnknownPlaces(errors)
            }
            other => other,
        })?;
        snapshot.commit().await?;
        Ok(found)
    }
}

/// The days of an event by the clock at its venue, and some around them.
fn days_around(event: &event::Model) -> (Day, Day) {
    let day = |local: &str| local.get(..10).and_then(|date| date.parse::<NaiveDate>().ok()).map(Day::from_date);
    let first = day(&event.local_start).unwrap_or(Day(0));
    let last = event.local_end.as_deref().and_then(day).unwrap_or(first).max(first);
    let from = first.0 - DAYS_AROUND;
    (Day(from), Day((last.0 + DAYS_AROUND).min(from + MAX_DAYS - 1)))
}

fn required<T>(
    parameters: &Parameters<'_>,
    name: &str,
    errors: &mut ValidationErrors,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    if !parameters.has(name) {
        errors.add(name, "is missing");
    }
    parameters.get(name, errors, read)
}

fn code(text: &str) -> Result<String, String> {
    let is_shaped = (1..=MAX_CODE_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
    if is_shaped {
        Ok(text.to_owned())
    } else {
        Err("want the code of a place or the slug of a region; /places lists them".to_owned())
    }
}

impl Question for RatesRequest {
    const MAY_LAG: bool = false;

    fn key(&self) -> String {
        // A code holds no control character, so each question has one key.
        format!("rates {} {} {}\n{}", self.days.0, self.days.1, self.orig, self.dest)
    }

    async fn find(self, reader: Arc<Reader>) -> Result<Found, ApiError> {
        reader.read(self.find_in(&reader.database)).await
    }
}

impl Question for EventRatesRequest {
    const MAY_LAG: bool = false;

    fn key(&self) -> String {
        format!("event-rates {} {}", self.event_id, self.orig)
    }

    async fn find(self, reader: Arc<Reader>) -> Result<Found, ApiError> {
        reader.read(self.find_in(&reader)).await
    }
}
