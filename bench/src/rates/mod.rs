//! Rates: imports compared with `COPY`, their memory, reads during imports, and a query compared with the plain query.

mod batch;
mod memory;
mod prices;
mod query;
mod readers;
mod site;

use crate::{
    settings::{RatesSettings, RatesWork},
    table::Table,
};

/// Days per batch.
const DAYS: u64 = 31;

/// Describes the benchmark, for the head of the table.
pub(crate) fn describe(settings: &RatesSettings) -> String {
    format!(
        "{} rounds, medians; each batch and each baseline on a new database with empty tables; CSV, 200 places, {} prices for each of \
         {DAYS} days of a route, unordered; readers: {} s per measurement, each round on a new database with one batch, latencies start when a \
         request is due, and include up to 1 ms of timer delay; query: {} s per measurement; programs log with LOG_FILTER=warn",
        settings.rounds,
        prices::PER_DAY,
        settings.readers_seconds(),
        settings.turn_seconds()
    )
}

/// Runs the selected benchmarks.
pub(crate) async fn measure(settings: &RatesSettings, table: &mut Table) {
    if settings.includes(RatesWork::Batch) {
        let outcome = batch::measure(settings, table).await;
        table.record_failure("batches", outcome);
    }
    if settings.includes(RatesWork::Memory) {
        let outcome = memory::measure(settings, table).await;
        table.record_failure("memory of a batch", outcome);
    }
    if settings.includes(RatesWork::Readers) {
        let outcome = readers::measure(settings, table).await;
        table.record_failure("reads during imports", outcome);
    }
    if settings.includes(RatesWork::Query) {
        let outcome = query::measure(settings, table).await;
        table.record_failure("query from a port to a region", outcome);
    }
}
