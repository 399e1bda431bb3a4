//! `GET /events/calendar`: the number of events and the lowest prices of each day.

use std::borrow::Cow;

use chrono::{Days, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use entity::{
    UtcInstant,
    footprint::{Selection, day_of},
};
use serde::Serialize;

use super::calendar_response::Calendar;
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{reader::ReadSize, sql::ReadConnection},
    error::ApiError,
    find::{EventFilters, FilterDefaults, Sort, count_days, select_totals},
    query::{Filters, Parameters, serialize_text},
    response::encode_json,
    vocabulary::Vocabulary,
};

/// Days of a request: more than a year, so that a page can show the same weeks of the next one.
const MAX_DAYS: u64 = 400;
/// Days of a request with one bound or none: any month.
const DEFAULT_DAYS: u64 = 31;

/// Which events, and the days on which they start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CalendarQuery {
    #[serde(flatten)]
    filters: EventFilters,
    #[serde(serialize_with = "serialize_text")]
    first: NaiveDate,
    #[serde(serialize_with = "serialize_text")]
    last: NaiveDate,
}

impl CalendarQuery {
    /// Reads the parameters of a request for a calendar.
    ///
    /// # Errors
    ///
    /// When any are unknown, repeated, malformed or contradictory; the error lists all of them.
    pub fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        // The filters report an invalid zone.
        let zone = parameters.get("time_zone", |text| Ok(text.parse().unwrap_or(Tz::UTC))).unwrap_or(Tz::UTC);
        let filters = EventFilters::read(&mut parameters, FilterDefaults::Days);
        let (first, last) = select_days(filters.edges(zone), Utc::now().date_naive());
        let days = (last - first).num_days() + 1;
        if days > MAX_DAYS.cast_signed() {
            parameters.add_error("ends_at", format!("must be at most {MAX_DAYS} days after `starts_at`, got {days} days"));
        }
        parameters.finish(Self { filters, first, last })
    }
}

/// The first and the last day. A bound that is missing is `DEFAULT_DAYS` from the other one, and the first day of none is today.
fn select_days(edges: (Option<NaiveDate>, Option<NaiveDate>), today: NaiveDate) -> (NaiveDate, NaiveDate) {
    let span = Days::new(DEFAULT_DAYS - 1);
    match edges {
        (Some(first), Some(last)) => (first, last),
        (None, Some(last)) => ((last - span).max(NaiveDate::from_ymd_opt(0, 1, 1).unwrap_or(last)), last),
        (first, None) => {
            let first = first.unwrap_or(today);
            (first, (first + span).min(NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(first)))
        }
    }
}

impl Filters for CalendarQuery {
    fn path(&self) -> Cow<'static, str> {
        "/events/calendar".into()
    }
}

impl CachedQuery for CalendarQuery {
    const RESOURCE: CachedResource = CachedResource::Calendar;

    fn selection(&self) -> Selection {
        let of_filters = self.filters.selection(Sort::StartsAt);
        if self.filters.words.is_some() || self.filters.need_currency() {
            // Events of other days have words and currencies, too.
            return of_filters;
        }
        // The days of a selection are those in UTC.
        let day = |day: NaiveDate| day_of(UtcInstant::from(day.and_time(NaiveTime::MIN).and_utc()));
        Selection { days: Some((day(self.first) - 1, day(self.last) + 1)), ..of_filters }
    }

    fn needs_snapshot(&self) -> bool {
        // Totals are checked by a statement before.
        self.filters.need_snapshot_to_count() || select_totals(&self.filters, (self.first, self.last)).is_some()
    }

    fn correct(&mut self, vocabulary: &Vocabulary) -> Option<String> {
        self.filters.correct(vocabulary)
    }

    fn read_size(&self) -> ReadSize {
        ReadSize::Large
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let days = (self.first, self.last);
        let (counts, snapshot) = count_days(database, &self.filters, days).await?;
        let body = encode_json(&Calendar::new(days, counts)).map_err(ApiError::Encoding)?;
        Ok(QueryOutput { snapshot, body: body.into(), link: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(query: &str) -> [String; 2] {
        let query = CalendarQuery::parse(Parameters::parse(query)).unwrap_or_else(|error| panic!("{query}: {error:?}"));
        [query.first, query.last].map(|day| day.to_string())
    }

    #[test]
    fn bounds_select_days_of_the_clock_on_which_they_are_read() {
        for (query, expected) in [
            ("starts_at=2027-06-01&ends_at=2027-06-01", ["2027-06-01", "2027-06-01"]),
            ("starts_at=2027-06-01&ends_at=2028-07-04", ["2027-06-01", "2028-07-04"]),
            ("starts_at=2027-02-01", ["2027-02-01", "2027-03-03"]),
            ("ends_at=2027-03-03", ["2027-02-01", "2027-03-03"]),
            ("starts_at=2027-06-01&ends_at=2027-06-02&time_zone=Asia/Tokyo", ["2027-06-01", "2027-06-02"]),
            ("starts_at=2027-06-01T23:30:00Z&ends_at=2027-06-03T01:00:00Z", ["2027-06-01", "2027-06-03"]),
            ("starts_at=2027-06-01T23:30:00Z&ends_at=2027-06-03T01:00:00Z&time_zone=Asia/Tokyo", ["2027-06-02", "2027-06-03"]),
            ("starts_at=9999-12-20", ["9999-12-20", "9999-12-31"]),
        ] {
            assert_eq!(days(query), expected, "{query}");
        }
    }

    #[test]
    fn without_bounds_the_days_begin_today() {
        let today = NaiveDate::from_ymd_opt(2027, 2, 1).unwrap();
        let (first, last) = select_days((None, None), today);
        assert_eq!((first, last.to_string().as_str()), (today, "2027-03-03"));
    }
}
