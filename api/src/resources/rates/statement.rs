//! The statement for rates: it reads the sums of the requested routes and days, and no prices.

use rates::Day;
use sea_orm::{DbBackend, Statement};

use crate::database::sql::{Sql, VERSION_COLUMNS};

/// Pairs of places that are looked up in the index individually. For more, all routes from the origins are scanned.
const MAX_PAIRS: u32 = 50_000;

/// The statement for the sums between two codes on a range of days.
///
/// A code is that of a place, or the slug of a region, which includes all places below it. There is always at least one row, with the
/// version of the snapshot and whether both codes are known.
#[must_use]
pub fn statement(backend: DbBackend, (orig, dest): (&str, &str), (first, last): (Day, Day)) -> Statement {
    let mut sql = Sql::default();
    let (orig, dest) = (sql.bind(orig), sql.bind(dest));
    let (first, last) = (sql.bind(first.0), sql.bind(last.0));
    let (from_orig, to_dest) = (matches_places(backend, "orig"), matches_places(backend, "dest"));
    let text = format!(
        "WITH RECURSIVE
        orig_region (id) AS (
            SELECT id FROM region WHERE slug = {orig}
            UNION ALL SELECT region.id FROM orig_region JOIN region ON region.parent_id = orig_region.id
        ),
        dest_region (id) AS (
            SELECT id FROM region WHERE slug = {dest}
            UNION ALL SELECT region.id FROM dest_region JOIN region ON region.parent_id = dest_region.id
        ),
        orig_place (id) AS (
            SELECT id FROM place WHERE code = {orig} AND listed
            UNION ALL SELECT place.id FROM orig_region JOIN place ON place.region_id = orig_region.id WHERE place.listed
        ),
        dest_place (id) AS (
            SELECT id FROM place WHERE code = {dest} AND listed
            UNION ALL SELECT place.id FROM dest_region JOIN place ON place.region_id = dest_region.id WHERE place.listed
        ),
        known (is_orig_known, is_dest_known) AS (
            SELECT EXISTS (SELECT 1 FROM orig_region) OR EXISTS (SELECT 1 FROM orig_place),
                EXISTS (SELECT 1 FROM dest_region) OR EXISTS (SELECT 1 FROM dest_place)
        ),
        pairs (count) AS (SELECT (SELECT COUNT(*) FROM orig_place) * (SELECT COUNT(*) FROM dest_place)),
        found (day, price_count, price_sum) AS (
            SELECT day, CAST(SUM(price_count) AS BIGINT), CAST(SUM(price_sum) AS BIGINT) FROM (
                SELECT day, price_count, price_sum FROM rate_day
                WHERE (SELECT count FROM pairs) <= {MAX_PAIRS} AND {from_orig} AND {to_dest} AND day BETWEEN {first} AND {last}
                UNION ALL
                SELECT day, price_count, price_sum FROM rate_day
                WHERE (SELECT count FROM pairs) > {MAX_PAIRS} AND {from_orig}
                    AND dest_place_id + 0 IN (SELECT id FROM dest_place) AND day BETWEEN {first} AND {last}
            ) AS of_routes GROUP BY day
        )
        SELECT known.is_orig_known, known.is_dest_known, found.day, found.price_count, found.price_sum, {VERSION_COLUMNS}
        FROM known LEFT JOIN found ON TRUE ORDER BY found.day DESC"
    );
    sql.statement(backend, text)
}

/// The condition that a route starts or ends at one of the places, in the form for which each database uses the index: for a join, both
/// scan the whole table.
fn matches_places(backend: DbBackend, end: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("{end}_place_id = ANY (ARRAY(SELECT id FROM {end}_place))"),
        _ => format!("{end}_place_id IN (SELECT id FROM {end}_place)"),
    }
}
