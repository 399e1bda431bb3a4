//! The filters as conditions on a row of `listing` and the tables that are joined with it.

use entity::EventStatus;
use sea_orm::DbBackend;

use super::{
    filters::EventFilters,
    resolve::Resolved,
    when::{Between, Bound, RangeKind, When},
};
use crate::{
    database::sql::{Sql, is_loaded},
    query::StatusFilter,
};

/// A wall clock to the microsecond. Events store it with as many digits of the second as their feed has.
pub(super) const WALL_CLOCK: &str = "%Y-%m-%dT%H:%M:%S%.6f";

/// Conditions, and the tables that they need.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    pub(super) texts: Vec<String>,
    needs_event: bool,
    needs_venue: bool,
}

impl Conditions {
    /// The conditions of all filters. `now` is the database's clock as SQL.
    pub(super) fn of(filters: &EventFilters, resolved: &Resolved, (backend, now): (DbBackend, &str), sql: &mut Sql) -> Self {
        let mut conditions = Self { texts: vec![is_loaded("listing")], ..Self::default() };
        conditions.add_when(&filters.when(), (backend, now), sql);
        conditions.texts.extend(filters.listed().condition().map(str::to_owned));
        conditions.add_status(&filters.status, sql);
        if let Some(availability) = filters.availability.condition(now) {
            conditions.add_of_event(availability);
        }
        conditions.add_places(filters, resolved, backend, sql);
        conditions.add_items(filters, resolved, sql);
        conditions.add_prices(filters, resolved, sql);
        if let Some(updated_since) = filters.updated_since {
            conditions.texts.push(format!("listing.updated_at >= {}", sql.bind(updated_since)));
        }
        conditions
    }

    /// The tables of a statement, beginning with `listing`, and the conditions that join them. SQLite nests its loops in the order of a CROSS
    /// JOIN, whatever its statistics say.
    pub(super) fn joins(&self) -> (String, Vec<String>) {
        let (mut tables, mut texts) = ("listing".to_owned(), Vec::new());
        for (is_needed, table, condition) in [
            (self.needs_event, "event", "event.id = listing.event_id"),
            (self.needs_venue, "venue", "venue.id = listing.venue_id"),
        ] {
            if is_needed {
                tables += &format!(" CROSS JOIN {table}");
                texts.push(condition.to_owned());
            }
        }
        (tables, texts)
    }

    /// Joins the venue for a column of the statement.
    pub(super) fn require_venue(&mut self) {
        self.needs_venue = true;
    }

    /// Joins the event for a column of the statement.
    pub(super) fn require_event(&mut self) {
        self.needs_event = true;
    }

    fn add_of_event(&mut self, condition: String) {
        self.needs_event = true;
        self.texts.push(condition);
    }

    fn add_of_venue(&mut self, condition: String) {
        self.needs_venue = true;
        self.texts.push(condition);
    }

    fn add_when(&mut self, when: &When, (backend, now): (DbBackend, &str), sql: &mut Sql) {
        let between = match when {
            When::Always => return,
            When::NotEnded => return self.texts.push(format!("listing.ends_at > {now}")),
            When::Between(between) => between,
        };
        let (first, last) = between.instants();
        let (start, end) = match between.kind {
            RangeKind::Within => ("starts_at", "ends_at"),
            RangeKind::Starts => ("starts_at", "starts_at"),
            RangeKind::Overlaps => ("ends_at", "starts_at"),
        };
        if let Some(first) = first {
            self.texts.push(format!("listing.{start} >= {}", sql.bind(first)));
        }
        if let Some(last) = last {
            let last = sql.bind(last);
            self.texts.push(format!("listing.{end} <= {last}"));
            if between.kind == RangeKind::Within {
                // No event ends before it starts, so this follows; it bounds the ranges of the indexes.
                self.texts.push(format!("listing.starts_at <= {last}"));
            }
        }
        self.add_venue_clock(between, backend, sql);
    }

    /// Conditions on what the clock at the venue shows. The instants only bound them.
    fn add_venue_clock(&mut self, between: &Between, backend: DbBackend, sql: &mut Sql) {
        // Byte order: a collation of the database may ignore hyphens.
        let collation = if backend == DbBackend::Postgres { "COLLATE \"C\"" } else { "COLLATE BINARY" };
        let full =
            |column: &str, time: &str| format!("CASE WHEN LENGTH({column}) = 10 THEN {column} || '{time}' ELSE {column} END");
        let start = full("event.local_start", "T00:00:00.000000");
        let end = full("COALESCE(event.local_end, event.local_start)", "T23:59:59.999999");
        let end = format!("CASE WHEN event.local_end IS NULL THEN {start} ELSE {end} END");
        let (of_first, of_last) = match between.kind {
            RangeKind::Within => (&start, &end),
            RangeKind::Starts => (&start, &start),
            RangeKind::Overlaps => (&end, &start),
        };
        if let Some(Bound::OnVenueClock(local)) = between.starts_at {
            // A text sorts before the same text with more digits: the shortest form is the least of those of one time.
            let first = local.format(WALL_CLOCK).to_string();
            let first = sql.bind(first.trim_end_matches('0').trim_end_matches('.'));
            self.add_of_event(format!("({of_first}) >= {first} {collation}"));
        }
        if let Some(Bound::OnVenueClock(local)) = between.ends_at {
            let last = sql.bind(local.format(WALL_CLOCK).to_string());
            self.add_of_event(format!("({of_last}) <= {last} {collation}"));
        }
    }

    fn add_status(&mut self, status: &StatusFilter, sql: &mut Sql) {
        match status {
            StatusFilter::Any => {}
            StatusFilter::NotCancelled => {
                self.texts.push(format!("listing.status <> {}", sql.bind(EventStatus::Cancelled.name())));
            }
            StatusFilter::Of(statuses) => {
                let names: Vec<&str> = statuses.iter().map(|status| status.name()).collect();
                self.texts.push(format!("listing.status IN ({})", sql.bind_all(&names)));
            }
        }
    }

    fn add_places(&mut self, filters: &EventFilters, resolved: &Resolved, backend: DbBackend, sql: &mut Sql) {
        for (column, values) in [("city", &filters.city), ("country", &filters.country)] {
            if !values.is_empty() {
                self.texts.push(format!("listing.{column} IN ({})", sql.bind_all(values.as_slice())));
            }
        }
        if let Some(venues) = &resolved.venues {
            self.texts.push(format!("listing.venue_id IN ({})", sql.bind_all(venues)));
        }
        if let Some(venues) = &resolved.venues_of_places {
            self.texts.push(format!("listing.venue_id IN ({})", sql.bind_all(venues)));
        } else if !filters.place.is_empty() {
            let venues = venues_of_places(&sql.bind_all(filters.place.as_slice()));
            self.texts.push(match backend {
                // As an array, which PostgreSQL computes once. It would look each event up in the rows one after another.
                DbBackend::Postgres => format!("listing.venue_id = ANY (ARRAY({venues}))"),
                _ => format!("listing.venue_id IN ({venues})"),
            });
        }
        if let Some(near) = &filters.near {
            self.add_of_venue(near.condition(sql));
        }
        if let Some(bbox) = &filters.bbox {
            self.add_of_venue(bbox.condition(sql));
        }
    }

    fn add_items(&mut self, filters: &EventFilters, resolved: &Resolved, sql: &mut Sql) {
        if let Some(providers) = &resolved.providers {
            self.texts.push(format!("listing.provider_id IN ({})", sql.bind_all(providers)));
        }
        if !filters.category.is_empty() {
            let slugs = filters.category.with_second_levels();
            self.texts.push(format!("listing.category IN ({})", sql.bind_all(&slugs)));
        }
        if let Some(performers) = &resolved.performers {
            let performers = sql.bind_all(performers);
            self.texts
                .push(format!("listing.event_id IN (SELECT event_id FROM event_performer WHERE performer_id IN ({performers}))"));
        }
        if !filters.organizer.is_empty() {
            self.texts.push(format!("listing.event_id IN ({})", events_of_organizers(filters, sql)));
        }
    }

    fn add_prices(&mut self, filters: &EventFilters, resolved: &Resolved, sql: &mut Sql) {
        if let Some(currency) = resolved.currency.as_ref().map(|(code, _)| code).or(filters.price.currency.as_ref()) {
            self.texts.push(format!("listing.currency = {}", sql.bind(currency.clone())));
        }
        let digits = resolved.currency.as_ref().map_or(2, |(_, digits)| *digits);
        let (min_price, max_price) = filters.price.minor_units(digits);
        if let Some(min_price) = min_price {
            self.texts.push(format!("listing.max_price >= {}", sql.bind(min_price)));
        }
        if let Some(max_price) = max_price {
            self.texts.push(format!("listing.min_price <= {}", sql.bind(max_price)));
        }
    }
}

/// The venues at places, or at places within regions.
pub(super) fn venues_of_places(codes: &str) -> String {
    let regions = regions_within(codes);
    format!(
        "SELECT id FROM venue WHERE place_code IN ({codes}) UNION SELECT venue.id FROM place JOIN venue ON venue.place_code = place.code \
         WHERE place.region_id IN ({regions})"
    )
}

/// The regions with these slugs, and all within them.
pub(super) fn regions_within(slugs: &str) -> String {
    format!(
        "WITH RECURSIVE within (id) AS (SELECT id FROM region WHERE slug IN ({slugs}) \
         UNION SELECT region.id FROM within JOIN region ON region.parent_id = within.id) SELECT id FROM within"
    )
}

/// The events of organizers, by the provider's id or by their names. The name in an event replaces the one in its base event.
fn events_of_organizers(filters: &EventFilters, sql: &mut Sql) -> String {
    let selects: Vec<String> = filters
        .organizer
        .of_providers()
        .map(|(provider, organizer)| {
            let (provider, organizer) = (sql.bind(provider), sql.bind(organizer));
            let joined = format!(
                "provider.slug = {provider} AND base_event.provider_id = provider.id AND event.base_event_id = base_event.id"
            );
            // One for each index. The index of names in base events has only their beginnings.
            format!(
                "SELECT event.id FROM provider CROSS JOIN base_event CROSS JOIN event WHERE {joined} \
                 AND base_event.organizer_company_id = {organizer} \
                 UNION SELECT event.id FROM provider CROSS JOIN base_event CROSS JOIN event WHERE {joined} \
                 AND substr(base_event.organizer_name, 1, 200) = substr({organizer}, 1, 200) \
                 AND base_event.organizer_name = {organizer} AND event.organizer_name IS NULL \
                 UNION SELECT event.id FROM event CROSS JOIN base_event CROSS JOIN provider WHERE {joined} \
                 AND event.organizer_name = {organizer}"
            )
        })
        .collect();
    if selects.is_empty() { "SELECT id FROM event WHERE FALSE".to_owned() } else { selects.join(" UNION ") }
}
