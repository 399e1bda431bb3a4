//! The one statement of rates: it reads the sums of the routes and days that are asked for, and no price.

use rates::Day;
use sea_orm::{DbBackend, Statement};

use crate::sql::{OF_VERSION, Sql};

/// From where to where, on which days.
///
/// What does not name a place may name a region, and stands for all that lies below it. There is always a row, which says of which version
/// the snapshot is and whether both ends are known.
#[must_use]
pub fn statement(backend: DbBackend, (orig, dest): (&str, &str), (first, last): (Day, Day)) -> Statement {
    let mut sql = Sql::default();
    let (orig, dest) = (sql.bind(orig), sql.bind(dest));
    let (first, last) = (sql.bind(first.0), sql.bind(last.0));
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
        found (day, price_count, price_sum) AS (
            SELECT rate_day.day, CAST(SUM(rate_day.price_count) AS BIGINT), CAST(SUM(rate_day.price_sum) AS BIGINT)
            FROM orig_place CROSS JOIN dest_place
            JOIN rate_day ON rate_day.orig_place_id = orig_place.id AND rate_day.dest_place_id = dest_place.id
            WHERE rate_day.day BETWEEN {first} AND {last}
            GROUP BY rate_day.day
        )
        SELECT known.is_orig_known, known.is_dest_known, found.day, found.price_count, found.price_sum, {OF_VERSION}
        FROM known LEFT JOIN found ON TRUE ORDER BY found.day DESC"
    );
    sql.statement(backend, text)
}
