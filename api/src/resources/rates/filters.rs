//! The filters of rates.

use std::borrow::Cow;

use chrono::NaiveDate;
use entity::{
    event,
    footprint::{Scope, Selection},
    venue,
};
use poem_openapi::registry::MetaSchema;
use rates::Day;
use sea_orm::{ConnectionTrait, FromQueryResult, prelude::Uuid};
use serde::Serialize;

use super::{
    response::{RateList, RateRow},
    statement::statement,
};
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{
        reader::ReadSize,
        sql::{ReadConnection, begin_snapshot},
    },
    error::{ApiError, ValidationError},
    query::{Canonical, Filters, ParameterKind, Parameters, WITHOUT_CONTROLS, parse_path, serialize_text},
    resources::events::{explain_missing, select_visible},
};

/// Days of one request: two years. Between two large regions, more could not be summed within the time of one statement.
const MAX_DAYS: i32 = 732;
/// Days before and after an event, for guests who travel far.
const DAYS_AROUND: i32 = 3;
/// Characters of a code or slug: the maximum length of a slug.
const MAX_CODE_CHARACTERS: usize = 200;

/// Which rates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RatesFilters {
    #[serde(serialize_with = "serialize_text")]
    date_from: Day,
    #[serde(serialize_with = "serialize_text")]
    date_to: Day,
    orig_code: String,
    dest_code: String,
}

/// Which rates to an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventRatesFilters {
    /// Part of the path.
    #[serde(skip)]
    event_id: Uuid,
    orig_code: String,
}

/// A day of travel.
#[derive(Debug)]
pub(super) struct TravelDay;

/// The code of a place, or the slug of a region.
#[derive(Debug)]
pub(super) struct PlaceOrRegion;

impl ParameterKind for TravelDay {
    fn schema() -> MetaSchema {
        MetaSchema::new_with_format("string", "date")
    }
}

impl ParameterKind for PlaceOrRegion {
    fn schema() -> MetaSchema {
        MetaSchema {
            min_length: Some(1),
            max_length: Some(MAX_CODE_CHARACTERS),
            pattern: Some(WITHOUT_CONTROLS.to_owned()),
            ..MetaSchema::new("string")
        }
    }
}

impl Filters for RatesFilters {
    fn path(&self) -> Cow<'static, str> {
        "/rates".into()
    }
}

impl Filters for EventRatesFilters {
    fn path(&self) -> Cow<'static, str> {
        format!("/events/{}/rates", self.event_id).into()
    }
}

impl RatesFilters {
    /// Reads the parameters of a request for rates.
    ///
    /// # Errors
    ///
    /// When any are unknown, repeated, malformed or missing; the error lists all of them.
    pub fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let day = |text: &str| Day::parse(text.as_bytes());
        let first = parameters.require("date_from", day);
        let last = parameters.require("date_to", day);
        let orig_code = parameters.require("orig_code", parse_code);
        let dest_code = parameters.require("dest_code", parse_code);
        if let (Some(first), Some(last)) = (first, last) {
            if last < first {
                parameters.add_error("date_to", format!("must not be before `date_from`, which is {first}"));
            } else if last.0 - first.0 >= MAX_DAYS {
                let message = format!("must be at most {} days after `date_from`, which is {first}", MAX_DAYS - 1);
                parameters.add_error("date_to", message);
            }
        }
        // A missing value is an error already.
        parameters.finish(Self {
            date_from: first.unwrap_or_default(),
            date_to: last.unwrap_or_default(),
            orig_code: orig_code.unwrap_or_default(),
            dest_code: dest_code.unwrap_or_default(),
        })
    }

    async fn find(&self, database: &impl ConnectionTrait) -> Result<QueryOutput, ApiError> {
        let (codes, days) = ((self.orig_code.as_str(), self.dest_code.as_str()), (self.date_from, self.date_to));
        let statement = statement(database.get_database_backend(), codes, days);
        let rows = RateRow::find_by_statement(statement).all(database).await?;
        let mut unknown = Vec::new();
        for (parameter, code, is_known) in [
            ("orig_code", &self.orig_code, rows.iter().all(|row| row.is_orig_known)),
            ("dest_code", &self.dest_code, rows.iter().all(|row| row.is_dest_known)),
        ] {
            if !is_known {
                let message = format!("must be the code of a place or the slug of a region, as in /places, got `{code}`");
                unknown.push(ValidationError::for_parameter(parameter, message));
            }
        }
        if !unknown.is_empty() {
            return Err(ApiError::UnknownPlaces(unknown));
        }
        let snapshot = rows.first().map(|row| (row.version, row.raised_at));
        let body = serde_json::to_vec(&RateList::new(days, &rows)).map_err(ApiError::Encoding)?;
        Ok(QueryOutput { snapshot, body: body.into(), link: None })
    }
}

impl EventRatesFilters {
    /// Reads an event's id and the parameters of a request for its rates.
    ///
    /// # Errors
    ///
    /// When any are unknown, repeated, malformed or missing; the error lists all of them.
    pub fn parse(id: &str, mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let event_id = parse_path("id", id, "must be a UUID as in /search")?;
        let orig_code = parameters.require("orig_code", parse_code).unwrap_or_default();
        parameters.finish(Self { event_id, orig_code })
    }

    /// The rates of another event, relative to those of this one.
    fn locate(&self, event_id: Uuid) -> String {
        format!("../..{}", Self { event_id, orig_code: self.orig_code.clone() }.canonical())
    }

    async fn find(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let snapshot = begin_snapshot(database).await?;
        let found = select_visible(self.event_id).find_also_related(venue::Entity).one(&snapshot).await?;
        let Some((event, venue)) = found else {
            let missing = explain_missing(&snapshot, self.event_id, |target| self.locate(target)).await?;
            // Not a rollback, which would close the connection.
            snapshot.commit().await?;
            return Err(missing);
        };
        let dest_code = venue.and_then(|venue| venue.place_code).ok_or_else(no_place)?;
        let (date_from, date_to) = days_around(&event);
        let rates = RatesFilters { date_from, date_to, orig_code: self.orig_code.clone(), dest_code };
        let output = rates.find(&snapshot).await.map_err(|error| match error {
            ApiError::UnknownPlaces(mut errors) => {
                // The request has no `dest_code`.
                for error in errors.iter_mut().filter(|error| error.parameter.as_deref() == Some("dest_code")) {
                    let message = format!("must be an event at a known place; the place `{}` is unknown", rates.dest_code);
                    *error = ValidationError::for_parameter("id", message);
                }
                ApiError::UnknownPlaces(errors)
            }
            other => other,
        })?;
        snapshot.commit().await?;
        Ok(output)
    }
}

fn no_place() -> ApiError {
    let message = "must be an event at a known place; its venue is unknown or has no place code";
    ApiError::UnknownPlaces(vec![ValidationError::for_parameter("id", message)])
}

/// The local days of an event, and [`DAYS_AROUND`] before and after.
fn days_around(event: &event::Model) -> (Day, Day) {
    let day = |local: &str| local.get(..10).and_then(|date| date.parse::<NaiveDate>().ok()).map(Day::from_date);
    let first = day(&event.local_start).unwrap_or(Day(0));
    let last = event.local_end.as_deref().and_then(day).unwrap_or(first).max(first);
    let from = first.0 - DAYS_AROUND;
    (Day(from), Day((last.0 + DAYS_AROUND).min(from + MAX_DAYS - 1)))
}

fn parse_code(text: &str) -> Result<String, String> {
    let is_well_formed = (1..=MAX_CODE_CHARACTERS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if is_well_formed {
        Ok(text.to_owned())
    } else {
        Err("must be the code of a place or the slug of a region, as in /places".to_owned())
    }
}

impl CachedQuery for RatesFilters {
    const RESOURCE: CachedResource = CachedResource::Rates;
    const MAY_BE_STALE: bool = false;

    fn selection(&self) -> Selection {
        Selection::all_of(&[Scope::Rates, Scope::Places])
    }

    /// A row for each day.
    fn read_size(&self) -> ReadSize {
        ReadSize::of_rows(u64::from(self.date_to.0.abs_diff(self.date_from.0)) + 1)
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        self.find(database).await
    }
}

impl CachedQuery for EventRatesFilters {
    const RESOURCE: CachedResource = CachedResource::Rates;
    const MAY_BE_STALE: bool = false;

    fn selection(&self) -> Selection {
        Selection::all_of(&[Scope::Events, Scope::Venues, Scope::Rates, Scope::Places])
    }

    fn read_size(&self) -> ReadSize {
        ReadSize::Small
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        self.find(database).await
    }
}
