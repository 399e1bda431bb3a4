//! The one statement of rates: it reads the sums of the routes and days that are asked for, and no price.

use rates::Day;
use sea_orm::{DbBackend, Statement};

use crate::database::sql::{OF_VERSION, Sql};

/// Pairs of places that are looked up one by one in the index. Of more, all routes from the places of origin are looked through.
const MAX_PAIRS: u32 = 50_000;

/// From where to where, on which days.
///
/// What does not name a place may name a region, and stands for all that lies below it. There is always a row, which says of which version
/// the snapshot is and whether both ends are known.
#[must_use]
pub fn statement(backend: DbBackend, (orig, dest): (&str, &str), (first, last): (Day, Day)) -> Statement {
    let mut sql = Sql::default();
    let (orig, dest) = (sql.bind(orig), sql.bind(dest));
    let (first, last) = (sql.bind(first.0), sql.bind(last.0));
    let (from_orig, to_dest) = (is_one_of(backend, "orig"), is_one_of(backend, "dest"));
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
        SELECT known.is_orig_known, known.is_dest_known, found.day, found.price_count, found.price_sum, {OF_VERSION}
        FROM known LEFT JOIN found ON TRUE ORDER BY found.day DESC"
    );
    sql.statement(backend, text)
}

/// That a route starts or ends at one of the places of its end, in the words that make each database look them up in the index: asked to
/// join, both scan the whole table.
fn is_one_of(backend: DbBackend, end: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("{end}_place_id = ANY (ARRAY(SELECT id FROM {end}_place))"),
        _ => format!("{end}_place_id IN (SELECT id FROM {end}_place)"),
    }
}
