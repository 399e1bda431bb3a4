//! Catalogues of any size, loaded by `COPY`: the rows that syncs would write.

use std::fmt::Write;

use entity::ConnectionRole;
use migration::testing::TestDatabase;
use sqlx::Executor;

use super::ranges::text;
use crate::{Failure, table::progress};

/// 2025-01-01, the day of the first events.
pub(super) const FIRST_MICROS: i64 = 1_735_689_600_000_000;
/// The days with events. A range of 30 days has 548 of 20,000 events, and 54,795 of 2,000,000.
pub(super) const DAYS: u64 = 1_095;
const PROVIDERS: u64 = 10;
/// Events per base event.
const SHOWINGS: u64 = 4;
/// One in this number of events was never on sale online, and so is not in the partial index.
const HIDDEN_EVERY: u64 = 10;
/// The size of a `COPY` message.
const MESSAGE_BYTES: usize = 64 * 1024;

/// Fills an empty database with this many events.
pub(super) async fn fill(database: &TestDatabase, events: u64) -> Result<(), Failure> {
    progress(format_args!("loading a catalogue of {events} events"));
    let connection = database.connect(ConnectionRole::Worker).await;
    let pool = connection.get_postgres_connection_pool();
    let mut held = pool.acquire().await?;
    held.execute("SET statement_timeout = 0").await?;
    for number in 1..=PROVIDERS {
        let provider = format!(
            "INSERT INTO provider (id, slug, url, format, schedule, time_zone, currency, currency_digits, event_count, reject_count) \
             VALUES ({number}, 'provider-{number}', 'http://localhost/', 'event-list-xml', '0 0 0 1 1 *', 'UTC', 'EUR', 2, 0, 0)"
        );
        held.execute(sqlx::AssertSqlSafe(provider)).await?;
    }
    let base_events = events.div_ceil(SHOWINGS);
    let mut copy = held.copy_in_raw("COPY base_event (id, provider_id, source_id, title, sell_mode) FROM STDIN").await?;
    for chunk in chunks(base_events, base_event) {
        copy.send(chunk).await?;
    }
    copy.finish().await?;
    let columns = "id, base_event_id, source_id, local_start, local_end, starts_at, ends_at, sold_out, min_price, max_price, shown, \
        content_hash, first_seen_at";
    let mut copy = held.copy_in_raw(&format!("COPY event ({columns}) FROM STDIN")).await?;
    for chunk in chunks(events, move |number, out| event(number, events, out)) {
        copy.send(chunk).await?;
    }
    copy.finish().await?;
    held.execute("UPDATE catalogue_version SET version = version + 1").await?;
    // Vacuumed as by autovacuum, so that index-only scans are possible.
    held.execute("VACUUM ANALYZE").await?;
    drop(held);
    connection.close().await?;
    Ok(())
}

/// The rows with numbers below `count`, as messages.
fn chunks(count: u64, row: impl Fn(u64, &mut String)) -> impl Iterator<Item = Vec<u8>> {
    let mut numbers = 0..count;
    std::iter::from_fn(move || {
        let mut chunk = String::with_capacity(MESSAGE_BYTES + 1024);
        for number in numbers.by_ref() {
            row(number, &mut chunk);
            if chunk.len() >= MESSAGE_BYTES {
                break;
            }
        }
        (!chunk.is_empty()).then(|| chunk.into_bytes())
    })
}

fn base_event(number: u64, out: &mut String) {
    // Writing to a String cannot fail.
    let _written = writeln!(
        out,
        "{}\t{}\t{number}\tCompañía {} en concierto {number}\tonline",
        id(0, number),
        number % PROVIDERS + 1,
        number % 97
    );
}

fn event(number: u64, events: u64, out: &mut String) {
    // Distributed evenly, with adjacent times in distant rows.
    let position = number.wrapping_mul(7_919) % events;
    let second = DAYS * 24 * 60 * 60 * position / events;
    let starts_at = FIRST_MICROS + i64::try_from(second).unwrap_or(0) * 1_000_000;
    let ends_at = starts_at + 5_400_000_000;
    let price = 1_500 + number % 80 * 100;
    let shown = if number % HIDDEN_EVERY == HIDDEN_EVERY - 1 { 'f' } else { 't' };
    let [start, end] = [starts_at, ends_at].map(|micros| text(micros).trim_end_matches('Z').to_owned());
    let _written = writeln!(
        out,
        "{}\t{}\t{number}\t{start}\t{end}\t{starts_at}\t{ends_at}\tf\t{price}\t{}\t{shown}\t{number}\t{FIRST_MICROS}",
        id(1, number),
        id(0, number / SHOWINGS),
        price + 2_050
    );
}

/// An id as random as a UUIDv5.
fn id(kind: u64, number: u64) -> String {
    let [high, low] = [2 * number + kind, u64::MAX / 2 - 2 * number - kind].map(crate::feed::split_mix);
    let hex = format!("{high:016x}{low:016x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
