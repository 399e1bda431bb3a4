//! Catalogues with any number of concerts, loaded in bulk: the rows that syncs would write.
//!
//! The catalogue of `provider_sim` has no skew. Here five bands play a hundredth of all concerts each, one city of a hundred
//! has a tenth of all concerts, and each other band plays about a hundred.

use std::fmt::Write;

use entity::{fold_name, sphere::Direction};
use migration::testing::{Backend, TestDatabase};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row, SqliteConnection, sqlite::SqliteConnectOptions,
};

use crate::{Failure, feed::split_mix};

/// The tables that grow with the concerts, in the order of their foreign keys.
pub(super) const TABLES: [&str; 5] = ["base_event", "venue", "performer", "event", "event_performer"];
/// The first bands play a hundredth of all concerts each.
pub(super) const HOT_BANDS: u64 = 5;
/// Cities with the same number of venues; the first has a tenth of all concerts.
pub(super) const CITIES: u64 = 100;
pub(super) const BIG_CITY: u64 = 0;
const VENUES: u64 = 10_000;
/// The approximate number of concerts of the other bands.
const CONCERTS_PER_BAND: u64 = 100;
const CONCERTS_PER_BASE_EVENT: u64 = 4;
/// 2010-01-01, and twenty years.
const FIRST_SECOND: u64 = 1_262_304_000;
const SECONDS: u64 = 20 * 365 * 24 * 60 * 60;
/// Rows per message to PostgreSQL, or per statement to SQLite.
const ROWS_AT_ONCE: u64 = 500;

/// The size of a catalogue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) concerts: u64,
}

impl Size {
    pub(super) fn bands(self) -> u64 {
        (self.concerts / CONCERTS_PER_BAND).max(2 * HOT_BANDS)
    }

    fn rows(self, table: &str) -> u64 {
        match table {
            "base_event" => self.concerts.div_ceil(CONCERTS_PER_BASE_EVENT),
            "venue" => VENUES,
            "performer" => self.bands(),
            _ => self.concerts,
        }
    }
}

/// Fills an empty database. Indexes are created after the rows, which is faster.
pub(super) async fn fill(backend: Backend, database: &TestDatabase, size: Size) -> Result<(), Failure> {
    let url = database.settings.url.expose();
    let provider = "INSERT INTO provider (id, slug, url, format, schedule, time_zone, currency, currency_digits, event_count, reject_count) \
        VALUES (1, 'bench', 'http://localhost/', 'event-list-xml', '0 0 0 1 1 *', 'UTC', 'EUR', 2, 0, 0)";
    match backend {
        Backend::Postgres => {
            let mut connection = PgConnection::connect(url).await?;
            connection.execute("SET session_replication_role = replica; SET maintenance_work_mem = '1GB'").await?;
            let indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() \
                AND indexname NOT IN (SELECT conname FROM pg_constraint) AND tablename = ANY($1)";
            let rows = sqlx::query(indexes).bind(TABLES.map(str::to_owned).to_vec()).fetch_all(&mut connection).await?;
            let indexes: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
            connection.execute(provider).await?;
            for (name, _) in &indexes {
                connection.execute(AssertSqlSafe(format!("DROP INDEX {name}"))).await?;
            }
            for table in TABLES {
                copy_in(&mut connection, table, size).await?;
            }
            for (_, definition) in indexes {
                connection.execute(AssertSqlSafe(definition)).await?;
            }
            connection.execute("UPDATE catalogue_version SET version = version + 1").await?;
            connection.execute("VACUUM ANALYZE").await?;
        }
        Backend::Sqlite => {
            let options: SqliteConnectOptions = url.parse()?;
            let mut connection = options.foreign_keys(false).connect().await?;
            let rows =
                sqlx::query("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name <> 'job'")
                    .fetch_all(&mut connection)
                    .await?;
            let indexes: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
            connection.execute("PRAGMA synchronous = OFF").await?;
            connection.execute("BEGIN").await?;
            connection.execute(provider).await?;
            for (name, _) in &indexes {
                connection.execute(AssertSqlSafe(format!("DROP INDEX {name}"))).await?;
            }
            for table in TABLES {
                insert(&mut connection, table, size).await?;
            }
            for (_, definition) in indexes {
                connection.execute(AssertSqlSafe(definition)).await?;
            }
            connection.execute("UPDATE catalogue_version SET version = version + 1").await?;
            connection.execute("COMMIT").await?;
            connection.execute("ANALYZE").await?;
        }
    }
    Ok(())
}

async fn copy_in(connection: &mut PgConnection, table: &str, size: Size) -> Result<(), Failure> {
    let mut copy = connection.copy_in_raw(&format!("COPY {table} ({}) FROM STDIN", columns(table))).await?;
    let mut rows = 0..size.rows(table);
    while !rows.is_empty() {
        let mut message = String::with_capacity(128 * 1024);
        for number in rows.by_ref().take(ROWS_AT_ONCE as usize) {
            let cells = row(table, number, size).into_iter().map(|cell| match cell {
                Cell::Id(id) => format!(
                    "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                    id >> 96,
                    id >> 80 & 0xffff,
                    id >> 64 & 0xffff,
                    id >> 48 & 0xffff,
                    id & 0xffff_ffff_ffff
                ),
                Cell::Text(text) => text,
                Cell::Number(number) => number.to_string(),
                Cell::Real(real) => real.to_string(),
                Cell::Bool(bool) => bool.to_string(),
            });
            message.push_str(&cells.collect::<Vec<_>>().join("\t"));
            message.push('\n');
        }
        copy.send(message.into_bytes()).await?;
    }
    copy.finish().await?;
    Ok(())
}

async fn insert(connection: &mut SqliteConnection, table: &str, size: Size) -> Result<(), Failure> {
    let mut rows = 0..size.rows(table);
    while !rows.is_empty() {
        let mut text = format!("INSERT INTO {table} ({}) VALUES ", columns(table));
        for (place, number) in rows.by_ref().take(ROWS_AT_ONCE as usize).enumerate() {
            let cells = row(table, number, size).into_iter().map(|cell| match cell {
                Cell::Id(id) => format!("x'{id:032x}'"),
                Cell::Text(text) => format!("'{text}'"),
                Cell::Number(number) => number.to_string(),
                Cell::Real(real) => format!("{real:?}"),
                Cell::Bool(bool) => bool.to_string(),
            });
            // Writing to a String cannot fail.
            let _written = write!(text, "{}({})", if place == 0 { "" } else { "," }, cells.collect::<Vec<_>>().join(","));
        }
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *connection).await?;
    }
    Ok(())
}

enum Cell {
    Id(u128),
    Text(String),
    Number(i64),
    Real(f64),
    Bool(bool),
}

fn columns(table: &str) -> &'static str {
    match table {
        "base_event" => "id, provider_id, source_id, title, sell_mode",
        "venue" => "id, provider_id, source_id, name, folded_name, latitude, longitude, direction_x, direction_y, direction_z",
        "performer" => "id, provider_id, source_id, name, folded_name",
        "event" => {
            "id, base_event_id, source_id, local_start, starts_at, ends_at, sold_out, min_price, max_price, venue_id, shown, content_hash, \
             first_seen_at"
        }
        _ => "event_id, position, performer_id, venue_id, starts_at, shown",
    }
}

fn row(table: &str, number: u64, size: Size) -> Vec<Cell> {
    use Cell::{Bool, Id, Number, Real, Text};
    let source_id = Text(number.to_string());
    let drawn = split_mix(number);
    match table {
        "base_event" => {
            vec![
                Id(id(0, number)),
                Number(1),
                source_id,
                Text(format!("Los Serenos on tour {number}")),
                Text("online".to_owned()),
            ]
        }
        "venue" => {
            let (latitude, longitude) = venue_point(number);
            let name = format!("Hall {number} of Port {}", number % CITIES);
            let folded = fold_name(&name);
            let Direction { x, y, z } = Direction::from_degrees(latitude, longitude);
            let place = [latitude, longitude, x, y, z].map(Real);
            [Id(id(1, number)), Number(1), source_id, Text(name), Text(folded)].into_iter().chain(place).collect()
        }
        "performer" => {
            let name = format!("The Invented Kettles {number}");
            let folded = fold_name(&name);
            vec![Id(id(2, number)), Number(1), source_id, Text(name), Text(folded)]
        }
        "event" => {
            let second = start(number);
            let start = entity::UtcInstant(second * 1_000_000);
            let local = start.to_utc().map(|utc| utc.format("%Y-%m-%dT%H:%M:%S").to_string()).unwrap_or_default();
            let price = 1_500 + (drawn % 80).cast_signed() * 100;
            vec![
                Id(id(3, number)),
                Id(id(0, number / CONCERTS_PER_BASE_EVENT)),
                source_id,
                Text(local),
                Number(start.0),
                Number(start.0),
                Bool(false),
                Number(price),
                Number(price + 2_050),
                Id(id(1, venue(number))),
                Bool(true),
                Number(drawn.cast_signed()),
                Number(0),
            ]
        }
        _ => vec![
            Id(id(3, number)),
            Number(0),
            Id(id(2, performer(number, size))),
            Id(id(1, venue(number))),
            Number(start(number) * 1_000_000),
            Bool(true),
        ],
    }
}

fn start(concert: u64) -> i64 {
    (FIRST_SECOND + split_mix(concert ^ 0x5747) % SECONDS).cast_signed()
}

fn performer(concert: u64, size: Size) -> u64 {
    let drawn = split_mix(concert ^ 0xba4d);
    if drawn % 100 < HOT_BANDS { drawn % 100 } else { HOT_BANDS + drawn / 100 % (size.bands() - HOT_BANDS) }
}

fn venue(concert: u64) -> u64 {
    let drawn = split_mix(concert ^ 0x7e4e);
    let city = if drawn.is_multiple_of(10) { BIG_CITY } else { 1 + drawn / 10 % (CITIES - 1) };
    city + drawn / 10_000 % (VENUES / CITIES) * CITIES
}

/// Latitude and longitude of a city. Cities are at least 400 km apart.
pub(super) fn city_point(number: u64) -> (f64, f64) {
    let (row, column) = (number / 10, number % 10);
    (-45.0 + 10.0 * row as f64, -170.0 + 35.0 * column as f64)
}

/// A point within about 4 km of the city.
fn venue_point(number: u64) -> (f64, f64) {
    let (latitude, longitude) = city_point(number % CITIES);
    let off = |drawn: u64| (drawn % 1_000) as f64 * 4e-5 - 0.02;
    (latitude + off(split_mix(number)), longitude + off(split_mix(number) / 1_000))
}

/// As random as a UUIDv5.
fn id(kind: u64, number: u64) -> u128 {
    let [high, low] = [8 * number + kind, u64::MAX / 2 - 8 * number - kind].map(split_mix);
    u128::from(high) << 64 | u128::from(low)
}
