//! Events by the part of the map in which they take place.

use std::fmt::Write;

use entity::{GeoCell, UtcInstant};
use sea_orm::{DbBackend, FromQueryResult};
use serde::{Deserialize, Serialize};

use super::{bounding_box::BoundingBox, filters::EventFilters, rows::Snapshot, statement::Columns, summary::read_summary};
use crate::{
    database::sql::{ReadConnection, VERSION_COLUMNS},
    error::ApiError,
};

/// Events that are counted: as for facets.
const MAX_EVENTS: i64 = 100_000;
/// Squares on each side of the map that the events fill: as many circles as can be distinguished and selected.
const SQUARES: f64 = 8.0;
/// How often the sides of the whole map may be halved to form squares: from eight squares on each side to squares of some tens of metres.
const DIVISIONS: std::ops::RangeInclusive<u32> = 3..=20;
const COLUMNS: Columns<'_> = Columns { text: "listing.venue_id", of_event: false };

/// The clusters of a search.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct CountedClusters {
    /// The number of events, with those that have no coordinates.
    pub(crate) total: i64,
    /// Whether all events were counted.
    pub(crate) is_complete: bool,
    /// Most events first.
    pub(crate) clusters: Vec<Cluster>,
}

/// The events in a square of the map. If the filters have a rectangle that crosses the antimeridian, longitudes east of it are greater than
/// 180.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Cluster {
    pub(crate) count: i64,
    /// The city that most of them have.
    pub(crate) city: Option<String>,
    /// The mean of their latitudes and longitudes.
    pub(crate) center: (f64, f64),
    /// West, south, east and north of them.
    pub(crate) bounds: [f64; 4],
}

/// A cluster, if there are any.
#[derive(FromQueryResult)]
struct ClusterRow {
    total: i64,
    count: Option<i64>,
    city: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    west: Option<f64>,
    south: Option<f64>,
    east: Option<f64>,
    north: Option<f64>,
    version: i64,
    raised_at: UtcInstant,
}

impl ClusterRow {
    fn cluster(self) -> Option<Cluster> {
        Some(Cluster {
            count: self.count?,
            city: self.city,
            center: (self.latitude?, self.longitude?),
            bounds: [self.west?, self.south?, self.east?, self.north?],
        })
    }
}

/// Counts the events in squares of the map. The squares are those of the division in which at most [`SQUARES`] of them on each side have the
/// size of the area that the events fill.
pub(crate) async fn count_clusters(
    database: &impl ReadConnection,
    filters: &EventFilters,
) -> Result<Snapshot<CountedClusters>, ApiError> {
    let (rows, _): (Vec<ClusterRow>, _) = read_summary(database, filters, (COLUMNS, None), |backend, events, sql| {
        let west = filters.bbox.as_ref().and_then(BoundingBox::west_of_antimeridian).map(|west| sql.bind(west));
        let longitude = west.map_or_else(
            || "venue.longitude".to_owned(),
            |west| format!("CASE WHEN venue.longitude < {west} THEN venue.longitude + 360 ELSE venue.longitude END"),
        );
        // Byte order, so that both databases choose the same city.
        let in_bytes = if backend == DbBackend::Postgres { " COLLATE \"C\"" } else { "" };
        format!(
            "WITH found AS MATERIALIZED (SELECT * FROM ({events}) AS listing LIMIT {MAX_EVENTS} + 1), \
             at_venue AS (SELECT venue_id, COUNT(*) AS count FROM (SELECT * FROM found LIMIT {MAX_EVENTS}) AS counted GROUP BY venue_id), \
             point AS MATERIALIZED (SELECT at_venue.count, venue.cell, venue.city, venue.latitude, {longitude} AS longitude \
             FROM at_venue CROSS JOIN venue WHERE venue.id = at_venue.venue_id AND venue.located), \
             division AS MATERIALIZED (SELECT {} AS shift FROM (SELECT MAX(longitude) - MIN(longitude) AS width, \
             MAX(latitude) - MIN(latitude) AS height FROM point) AS extent), \
             of_city AS (SELECT point.cell >> division.shift AS square, point.city, CAST(SUM(point.count) AS BIGINT) AS count, \
             SUM(point.count * point.latitude) AS latitude, SUM(point.count * point.longitude) AS longitude, \
             MIN(point.longitude) AS west, MIN(point.latitude) AS south, MAX(point.longitude) AS east, MAX(point.latitude) AS north \
             FROM point CROSS JOIN division GROUP BY point.cell >> division.shift, point.city), \
             ranked AS (SELECT *, ROW_NUMBER() OVER (PARTITION BY square ORDER BY count DESC, city IS NULL, city{in_bytes}) AS position \
             FROM of_city), \
             cluster AS (SELECT square, CAST(SUM(count) AS BIGINT) AS count, MAX(CASE WHEN position = 1 THEN city END) AS city, \
             SUM(latitude) / SUM(count) AS latitude, SUM(longitude) / SUM(count) AS longitude, MIN(west) AS west, \
             MIN(south) AS south, MAX(east) AS east, MAX(north) AS north FROM ranked GROUP BY square) \
             SELECT all_found.total, cluster.*, {VERSION_COLUMNS} FROM (SELECT COUNT(*) AS total FROM found) AS all_found \
             LEFT JOIN cluster ON TRUE ORDER BY cluster.count DESC, cluster.square",
            shift_of_extent()
        )
    })
    .await?;
    let snapshot = rows.first().map(|row| (row.version, row.raised_at));
    let found = rows.first().map_or(0, |row| row.total);
    let clusters = rows.into_iter().filter_map(ClusterRow::cluster).collect();
    Ok((CountedClusters { total: found.min(MAX_EVENTS), is_complete: found <= MAX_EVENTS, clusters }, snapshot))
}

/// How many of the last bits of a cell its square lacks, from the `width` and the `height` of the area in degrees.
fn shift_of_extent() -> String {
    let mut text = "CASE".to_owned();
    let shift = |division: u32| 2 * (GeoCell::BITS - division);
    for division in DIVISIONS.rev() {
        let width = 360.0 / f64::from(1_u32 << division) * SQUARES;
        // Writing to a string cannot fail.
        let _infallible = write!(text, " WHEN width <= {width} AND height <= {} THEN {}", width / 2.0, shift(division));
    }
    format!("{text} ELSE {} END", shift(*DIVISIONS.start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_map_has_eight_squares_on_each_side() {
        let text = shift_of_extent();
        assert!(text.starts_with("CASE WHEN width <= 0.00274658203125 AND height <= 0.001373291015625 THEN 12 "), "{text}");
        assert!(text.ends_with(" WHEN width <= 360 AND height <= 180 THEN 46 ELSE 46 END"), "{text}");
    }
}
