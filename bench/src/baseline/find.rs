//! Baseline of lists of events: the plain query over the table of the lists, with the planner settings of a default connection.

use std::fmt::Write;

use sqlx::{AssertSqlSafe, Postgres, postgres::PgArguments, query::Query};

/// What a response consists of. The events are upcoming, listed and not cancelled, as by default.
const SELECT: &str = "SELECT event.id, event.base_event_id, event.local_start, event.local_end, event.starts_at, event.ends_at, \
    event.sell_from, event.sell_to, event.sold_out, event.status, event.min_price, event.max_price, event.left_at, event.name, \
    event.first_seen_at, listing.updated_at, base_event.title, listing.category, base_event.description, base_event.url, \
    base_event.image_url, base_event.organizer_name, listing.currency, provider.slug, provider.name, provider.attribution, venue.id, \
    venue.name, venue.latitude, venue.longitude, venue.address, venue.city, venue.country, \
    (SELECT CAST(json_agg(json_build_array(performer.id, performer.name) ORDER BY event_performer.position) AS TEXT) \
    FROM event_performer JOIN performer ON performer.id = event_performer.performer_id WHERE event_performer.event_id = event.id) \
    FROM listing JOIN event ON event.id = listing.event_id JOIN base_event ON base_event.id = listing.base_event_id \
    JOIN provider ON provider.id = listing.provider_id LEFT JOIN venue ON venue.id = listing.venue_id WHERE TRUE";

/// A value of a query.
#[derive(Clone, Debug)]
pub(crate) enum BareValue {
    Integer(i64),
    Real(f64),
    Text(String),
    Integers(Vec<i32>),
    Texts(Vec<String>),
}

/// A query for a page of events.
#[derive(Clone, Debug)]
pub(crate) struct BareQuery {
    conditions: String,
    values: Vec<BareValue>,
    pub(crate) order: &'static str,
    /// Whether only upcoming events are found.
    pub(crate) is_upcoming: bool,
    /// Whether cancelled events are left out.
    pub(crate) is_not_cancelled: bool,
}

impl Default for BareQuery {
    fn default() -> Self {
        Self {
            conditions: String::new(),
            values: Vec::new(),
            order: "listing.starts_at, listing.event_id",
            is_upcoming: true,
            is_not_cancelled: true,
        }
    }
}

impl BareQuery {
    /// Adds a condition with these values in the place of its question marks.
    pub(crate) fn and<const COUNT: usize>(&mut self, condition: &str, values: [BareValue; COUNT]) {
        self.conditions.push_str(" AND ");
        let mut parts = condition.split('?');
        self.conditions.push_str(parts.next().unwrap_or_default());
        for (value, part) in values.into_iter().zip(parts) {
            self.values.push(value);
            // Writing to a String cannot fail.
            let _written = write!(self.conditions, "${}{part}", self.values.len());
        }
    }

    /// The query with its values.
    pub(crate) fn build(self, rows: i64) -> Query<'static, Postgres, PgArguments> {
        let upcoming = if self.is_upcoming {
            " AND listing.upcoming AND listing.ends_at > EXTRACT(EPOCH FROM statement_timestamp()) * 1000000"
        } else {
            ""
        };
        let not_cancelled = if self.is_not_cancelled { " AND listing.status <> 'cancelled'" } else { "" };
        let limit = self.values.len() + 1;
        let text = format!("{SELECT}{upcoming}{not_cancelled}{} ORDER BY {} LIMIT ${limit}", self.conditions, self.order);
        let bound = self.values.into_iter().fold(sqlx::query(AssertSqlSafe(text)), |query, value| match value {
            BareValue::Integer(value) => query.bind(value),
            BareValue::Real(value) => query.bind(value),
            BareValue::Text(value) => query.bind(value),
            BareValue::Integers(values) => query.bind(values),
            BareValue::Texts(values) => query.bind(values),
        });
        bound.bind(rows)
    }
}
