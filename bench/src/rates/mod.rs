//! Prices for travelling: batches beside bare `COPY`, what they take of the memory and of those who read meanwhile, and a
//! question beside its bare query.

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

/// Days of a batch.
const DAYS: u64 = 31;

/// What was measured and how, for the head of the table.
pub(crate) fn measured(settings: &RatesSettings) -> String {
    format!(
        "{} rounds, medians; each batch and each peer of one on a new database, so that every round finds empty tables; CSV, 200 places, {} \
         prices for each of {DAYS} days of a route, in no order; readers: turns of {} s, each round on a new database with one batch in it, times \
         from when a request was due, with up to 1 ms of the load's own timer; query: turns of {} s; programs under test log with LOG_FILTER=warn",
        settings.rounds,
        prices::PER_DAY,
        settings.readers_seconds(),
        settings.turn_seconds()
    )
}

/// Measures all of it that is wanted.
pub(crate) async fn measure(settings: &RatesSettings, table: &mut Table) {
    if settings.wants(RatesWork::Batch) {
        let outcome = batch::measure(settings, table).await;
        table.unless_measured("batches", outcome);
    }
    if settings.wants(RatesWork::Memory) {
        let outcome = memory::measure(settings, table).await;
        table.unless_measured("memory of a batch", outcome);
    }
    if settings.wants(RatesWork::Readers) {
        let outcome = readers::measure(settings, table).await;
        table.unless_measured("readers during batches", outcome);
    }
    if settings.wants(RatesWork::Query) {
        let outcome = query::measure(settings, table).await;
        table.unless_measured("a port to a region", outcome);
    }
}
