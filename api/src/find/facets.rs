//! Events by the values that filters select.

use std::collections::{BTreeMap, BTreeSet};

use entity::UtcInstant;
use sea_orm::{DbBackend, FromQueryResult};
use uuid::Uuid;

use super::{
    availability_filter::{availability_of_event, now_of_backend},
    filters::EventFilters,
    rows::Snapshot,
    statement::Columns,
    summary::read_summary,
};
use crate::{
    database::sql::{ReadConnection, VERSION_COLUMNS},
    error::ApiError,
};

/// Events that are counted: grouping them takes some hundreds of milliseconds.
const MAX_EVENTS: i64 = 100_000;
/// Values of a facet: more than any page offers.
const MAX_VALUES: usize = 100;

/// A filter by which events are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Facet {
    Category,
    City,
    Country,
    Venue,
    Performer,
    Provider,
    Status,
    Availability,
    Currency,
}

/// The values of facets, and how many events were counted.
#[derive(Debug, Default)]
pub(crate) struct CountedFacets {
    pub(crate) total: i64,
    /// Whether all events were counted.
    pub(crate) is_complete: bool,
    /// The words by which events were found, if these are not those of the request.
    pub(crate) corrected: Option<String>,
    /// Most frequent first.
    pub(crate) values: BTreeMap<Facet, Vec<FacetCount>>,
}

/// A value, and the number of events with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FacetCount {
    pub(crate) value: String,
    pub(crate) name: Option<String>,
    pub(crate) count: i64,
}

/// A value of a facet; without a facet, the number of all events.
#[derive(FromQueryResult)]
struct FacetRow {
    facet: String,
    value: Option<String>,
    name: Option<String>,
    count: i64,
    version: i64,
    raised_at: UtcInstant,
}

impl Facet {
    /// All facets.
    pub(crate) const ALL: [Self; 9] = [
        Self::Category,
        Self::City,
        Self::Country,
        Self::Venue,
        Self::Performer,
        Self::Provider,
        Self::Status,
        Self::Availability,
        Self::Currency,
    ];

    /// The name of the filter.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::City => "city",
            Self::Country => "country",
            Self::Venue => "venue",
            Self::Performer => "performer",
            Self::Provider => "provider",
            Self::Status => "status",
            Self::Availability => "availability",
            Self::Currency => "currency",
        }
    }

    /// The column of `listing` by which events are grouped.
    fn column(self) -> &'static str {
        match self {
            Self::Category => "listing.category",
            Self::City | Self::Venue => "listing.venue_id",
            Self::Country => "listing.country",
            Self::Performer | Self::Availability => "listing.event_id",
            Self::Provider => "listing.provider_id",
            Self::Status => "listing.status",
            Self::Currency => "listing.currency",
        }
    }

    /// The statement for its values, with the columns `facet`, `value`, `name` and `count`.
    fn select(self, backend: DbBackend) -> String {
        let facet = self.name();
        // Byte order, so that both databases choose the same values.
        let (in_bytes, is_postgres) = if backend == DbBackend::Postgres { (" COLLATE \"C\"", true) } else { ("", false) };
        let id = |column: &str| if is_postgres { format!("CAST({column} AS TEXT)") } else { format!("lower(hex({column}))") };
        let no_name = "CAST(NULL AS TEXT)";
        let of_items = |rows: &str, item: &str| {
            let id = id(&format!("{item}.id"));
            format!(
                "SELECT '{facet}' AS facet, {id} AS value, {item}.name AS name, most.count FROM \
                 (SELECT {item}_id, COUNT(*) AS count FROM {rows} AND {item}_id IS NOT NULL GROUP BY {item}_id \
                 ORDER BY count DESC, {item}_id LIMIT {MAX_VALUES}) AS most CROSS JOIN {item} WHERE {item}.id = most.{item}_id"
            )
        };
        match self {
            // The second levels are added to the first ones later. There are few.
            Self::Category => format!(
                "SELECT '{facet}' AS facet, category AS value, {no_name} AS name, COUNT(*) AS count FROM counted \
                 WHERE category IS NOT NULL GROUP BY category"
            ),
            Self::Country | Self::Currency | Self::Status => format!(
                "SELECT '{facet}' AS facet, {facet} AS value, {no_name} AS name, COUNT(*) AS count FROM counted \
                 WHERE {facet} IS NOT NULL GROUP BY {facet} ORDER BY count DESC, {facet}{in_bytes} LIMIT {MAX_VALUES}"
            ),
            Self::Availability => format!(
                "SELECT '{facet}' AS facet, {} AS value, {no_name} AS name, COUNT(*) AS count FROM counted CROSS JOIN event \
                 WHERE event.id = counted.event_id GROUP BY 2",
                availability_of_event(now_of_backend(backend))
            ),
            Self::City => format!(
                "SELECT '{facet}' AS facet, venue.folded_city AS value, MIN(venue.city{in_bytes}) AS name, \
                 CAST(SUM(at_venue.count) AS BIGINT) AS count \
                 FROM (SELECT venue_id, COUNT(*) AS count FROM counted GROUP BY venue_id) AS at_venue CROSS JOIN venue \
                 WHERE venue.id = at_venue.venue_id AND venue.folded_city IS NOT NULL GROUP BY venue.folded_city \
                 ORDER BY 4 DESC, venue.folded_city{in_bytes} LIMIT {MAX_VALUES}"
            ),
            Self::Provider => format!(
                "SELECT '{facet}' AS facet, provider.slug AS value, provider.name AS name, of_provider.count \
                 FROM (SELECT provider_id, COUNT(*) AS count FROM counted GROUP BY provider_id) AS of_provider CROSS JOIN provider \
                 WHERE provider.id = of_provider.provider_id ORDER BY of_provider.count DESC, provider.slug{in_bytes} LIMIT {MAX_VALUES}"
            ),
            Self::Venue => of_items("counted WHERE TRUE", "venue"),
            Self::Performer => {
                of_items("counted CROSS JOIN event_performer WHERE event_performer.event_id = counted.event_id", "performer")
            }
        }
    }
}

/// Counts the events with each value of some facets.
pub(crate) async fn count_facets(
    database: &impl ReadConnection,
    filters: &EventFilters,
    facets: impl Iterator<Item = Facet> + Clone + Send,
) -> Result<Snapshot<CountedFacets>, ApiError> {
    let selected = facets.clone();
    // Only these, so that an index may contain them all, and little is materialized.
    let columns: BTreeSet<&str> = facets.clone().map(Facet::column).collect();
    let columns = columns.into_iter().collect::<Vec<_>>().join(", ");
    let columns = Columns { text: &columns, of_event: false };
    let (rows, corrected): (Vec<FacetRow>, _) = read_summary(database, filters, (columns, None), |backend, events, _| {
        let values: Vec<String> = selected
            .map(|facet| format!(" UNION ALL SELECT * FROM ({}) AS {}_values", facet.select(backend), facet.name()))
            .collect();
        format!(
            "WITH found AS MATERIALIZED (SELECT * FROM ({events}) AS listing LIMIT {MAX_EVENTS} + 1), \
             counted AS MATERIALIZED (SELECT * FROM found LIMIT {MAX_EVENTS}) \
             SELECT facet, value, name, count, {VERSION_COLUMNS} FROM (SELECT '' AS facet, CAST(NULL AS TEXT) AS value, \
             CAST(NULL AS TEXT) AS name, (SELECT COUNT(*) FROM found) AS count{}) AS facets",
            values.concat()
        )
    })
    .await?;
    let snapshot = rows.first().map(|row| (row.version, row.raised_at));
    Ok((CountedFacets { corrected, ..collect(rows, facets) }, snapshot))
}

fn collect(rows: Vec<FacetRow>, facets: impl Iterator<Item = Facet>) -> CountedFacets {
    let found = rows.iter().find(|row| row.facet.is_empty()).map_or(0, |row| row.count);
    let mut values: BTreeMap<Facet, Vec<FacetCount>> = facets.map(|facet| (facet, Vec::new())).collect();
    for row in rows {
        let facet = Facet::ALL.into_iter().find(|facet| facet.name() == row.facet);
        let Some((counts, value)) = facet.and_then(|facet| values.get_mut(&facet)).zip(row.value) else { continue };
        // One form of ids for both databases.
        let is_id = matches!(facet, Some(Facet::Venue | Facet::Performer));
        let value = if is_id { value.parse().map_or(value, |id: Uuid| id.to_string()) } else { value };
        counts.push(FacetCount { value, name: row.name, count: row.count });
    }
    for (facet, counts) in &mut values {
        if *facet == Facet::Category {
            *counts = with_first_levels(counts);
        }
        counts.sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.value.cmp(&right.value)));
        counts.truncate(MAX_VALUES);
    }
    CountedFacets { total: found.min(MAX_EVENTS), is_complete: found <= MAX_EVENTS, values, ..CountedFacets::default() }
}

/// Adds the events of each second level to its first level, which the filter includes.
fn with_first_levels(counts: &[FacetCount]) -> Vec<FacetCount> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for FacetCount { value, count, .. } in counts {
        *sums.entry(value).or_default() += count;
        if let Some((first_level, _)) = value.split_once('/') {
            *sums.entry(first_level).or_default() += count;
        }
    }
    sums.into_iter().map(|(value, count)| FacetCount { value: value.to_owned(), name: None, count }).collect()
}
