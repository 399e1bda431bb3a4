//! Reads during imports: their latency, and whether a response ever contains part of a batch.
//!
//! All batches of a database have the same bytes. So a response is correct if all of its counts are the same multiple of the
//! counts of one batch, with the same means. The multiple is the number of batches that it contains, which is between those
//! committed before the request and those started before the response.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use entity::ConnectionRole;
use migration::testing::Backend;
use sqlx::Executor;

use super::{
    DAYS,
    prices::{PriceBatch, RatesQuery},
    site::{RateDay, RatesSite},
};
use crate::{
    Failure,
    baseline::prices,
    load::{LoadReport, LoadSettings},
    samples::Samples,
    settings::RatesSettings,
    table::{Table, progress},
};

const CONNECTIONS: usize = 64;
/// The number of queried routes, and of day ranges between the port and the large region.
const ROUTES: u64 = 30;
const RANGES: u64 = 6;
/// Maximum ratio to the latency without imports.
const OF_QUIET: f64 = 1.5;
/// The interval between checked responses, besides the load.
const CHECK_EVERY: Duration = Duration::from_millis(50);
/// Warms up the cache and the connections.
const WARM_SECONDS: f64 = 1.0;

/// The results of all rounds.
#[derive(Default)]
struct ReaderResults {
    quiet: [Samples; 2],
    beside_copy: [Samples; 2],
    busy: [Samples; 2],
    responses: u64,
    errors: u64,
    /// The times of the batches, and how many were committed before the end of the load.
    times: Samples,
    ended: u64,
    checks: Checks,
}

/// Checked responses.
#[derive(Default)]
struct Checks {
    count: u64,
    /// Requested during an import.
    during: u64,
    wrong: Vec<String>,
}

/// The readers of one database.
struct Readers<'a> {
    site: &'a RatesSite,
    known: Vec<ExpectedRates>,
    batches: BatchCounts,
}

/// The batches of one database after the first.
#[derive(Default)]
struct BatchCounts {
    started: AtomicU64,
    committed: AtomicU64,
}

/// A path and its rates with one batch.
struct ExpectedRates {
    path: String,
    rates: Vec<RateDay>,
}

pub(super) async fn measure(settings: &RatesSettings, table: &mut Table) -> Result<(), Failure> {
    let mut found = ReaderResults::default();
    for round in 1..=settings.rounds {
        progress(format_args!("reads during imports, round {round} of {}", settings.rounds));
        let site = RatesSite::new(Backend::Postgres, |_| ()).await?;
        let outcome = run_round(&site, settings, &mut found).await;
        site.remove().await;
        outcome?;
    }
    let work = format!(
        "{}/s over {} paths during imports of batches of {}, PostgreSQL; baseline: without imports",
        settings.rate(),
        ROUTES + RANGES,
        settings.big
    );
    table.ratio(&format!("{work}; p99"), &found.busy[0], &found.quiet[0], OF_QUIET);
    table.comparison(&format!("{work}; p50"), &found.busy[1], &found.quiet[1]);
    let work = "during imports; baseline: during COPY of the same rows into another database of the server";
    table.comparison(&format!("{work}; p99"), &found.busy[0], &found.beside_copy[0]);
    let errors = format!("{} errors in {} responses", found.errors, found.responses);
    table.absolute("errors during imports", &errors, "none", found.errors == 0);
    let marquee = format!("{}; {} were committed before the end of the load", found.times.text(), found.ended);
    table.figure("time of a batch during these reads, from its first byte to 201", &marquee);
    let Checks { count, during, wrong } = &found.checks;
    let marquee = format!("{count} checked, {during} of them during an import: {} wrong", wrong.len());
    table.absolute("responses contain only complete batches", &marquee, "none wrong", wrong.is_empty());
    if let Some(first) = wrong.first() {
        table.note(format!("The first wrong response: {first}"));
    }
    Ok(())
}

/// Runs the load without imports, during `COPY`, and during imports.
async fn run_round(site: &RatesSite, settings: &RatesSettings, found: &mut ReaderResults) -> Result<(), Failure> {
    let batch = PriceBatch { prices: settings.big, days: DAYS };
    let (body, messages) = (batch.csv(), batch.messages(1));
    site.post(&body).await?;
    let connection = site.database.connect(ConnectionRole::Worker).await;
    // Otherwise autovacuum would start during a measurement.
    connection.get_postgres_connection_pool().execute("VACUUM ANALYZE").await?;
    connection.close().await?;
    let readers = Readers { site, known: load_expected_rates(site, batch).await?, batches: BatchCounts::default() };
    readers.load(WARM_SECONDS, settings).await?;

    let report = readers.run_with(settings, &mut found.checks, async |_| Ok(())).await?;
    record(&mut found.quiet, &report);
    let copying = async |is_over: &AtomicBool| {
        while !is_over.load(Ordering::Relaxed) {
            prices::time_batch(&messages).await?;
        }
        Ok(())
    };
    let report = readers.run_with(settings, &mut found.checks, copying).await?;
    record(&mut found.beside_copy, &report);
    let (times, ended) = (&mut found.times, &mut found.ended);
    let posting = async |is_over: &AtomicBool| {
        // Completes the last batch.
        while !is_over.load(Ordering::Relaxed) {
            readers.batches.started.fetch_add(1, Ordering::SeqCst);
            times.push(site.post(&body).await?);
            readers.batches.committed.fetch_add(1, Ordering::SeqCst);
            *ended += u64::from(!is_over.load(Ordering::Relaxed));
        }
        Ok(())
    };
    let report = readers.run_with(settings, &mut found.checks, posting).await?;
    record(&mut found.busy, &report);
    found.responses += report.all.count;
    found.errors += report.errors();
    progress(format_args!("during imports: {}; {}", report.all.text(), report.counts()));
    for known in &readers.known {
        readers.check(known, &mut found.checks).await?;
    }
    Ok(())
}

impl Readers<'_> {
    async fn load(&self, seconds: f64, settings: &RatesSettings) -> Result<LoadReport, Failure> {
        let paths: Vec<String> = self.known.iter().map(|known| known.path.clone()).collect();
        LoadSettings::open(self.site.api.address, CONNECTIONS, seconds, settings.rate()).run(&paths).await
    }

    /// Runs the load and a concurrent task, which is notified at the end of the load.
    async fn run_with(
        &self,
        settings: &RatesSettings,
        checks: &mut Checks,
        beside: impl AsyncFnOnce(&AtomicBool) -> Result<(), Failure>,
    ) -> Result<LoadReport, Failure> {
        let is_over = AtomicBool::new(false);
        let load = async {
            let report = self.load(settings.readers_seconds(), settings).await;
            is_over.store(true, Ordering::Relaxed);
            report
        };
        let checking = async {
            for known in self.known.iter().cycle() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                self.check(known, checks).await?;
                tokio::time::sleep(CHECK_EVERY).await;
            }
            Ok::<_, Failure>(())
        };
        let (report, checked, done) = tokio::join!(load, checking, beside(&is_over));
        checked?;
        done?;
        report
    }

    /// Checks one response.
    async fn check(&self, known: &ExpectedRates, checks: &mut Checks) -> Result<(), Failure> {
        let BatchCounts { started, committed } = &self.batches;
        let (before, least) = (started.load(Ordering::SeqCst), committed.load(Ordering::SeqCst));
        let rates = self.site.rates(&known.path).await?;
        let most = started.load(Ordering::SeqCst);
        checks.count += 1;
        checks.during += u64::from(before > least);
        match count_complete_batches(&rates, &known.rates) {
            // The first batch is not counted.
            Some(held) if (least + 1..=most + 1).contains(&held) => (),
            held => checks.wrong.push(format!(
                "{} contains {held:?} batches, expected {least} to {most} and the first one: {rates:?}",
                known.path
            )),
        }
        Ok(())
    }
}

fn record([p99, half]: &mut [Samples; 2], report: &LoadReport) {
    p99.push(report.all.p99());
    half.push(report.all.p50());
}

/// The paths with the rates of one batch, which are checked against the sent prices.
async fn load_expected_rates(site: &RatesSite, batch: PriceBatch) -> Result<Vec<ExpectedRates>, Failure> {
    let routes = (0..ROUTES).map(|number| RatesQuery::for_route(number * batch.routes() / ROUTES, 0, DAYS - 1));
    let ranges = (0..RANGES).map(|number| RatesQuery::for_region(number, DAYS - 1));
    let mut known = Vec::new();
    for question in routes.chain(ranges) {
        let path = question.path();
        let rates = site.rates(&path).await?;
        if rates.len() as u64 != question.day_count() || rates.iter().any(|rate| rate.count != question.per_day) {
            return Err(format!("{path} returns {rates:?}").into());
        }
        known.push(ExpectedRates { path, rates });
    }
    Ok(known)
}

/// The number of batches in a response; `None` if one is incomplete.
fn count_complete_batches(rates: &[RateDay], of_one: &[RateDay]) -> Option<u64> {
    let held = rates.first()?.count / of_one.first()?.count;
    let is_multiple = |(rate, one): (&RateDay, &RateDay)| {
        // The mean of repeated prices is the same double.
        rate.count == held * one.count && rate.day == one.day && rate.price == one.price
    };
    (rates.len() == of_one.len() && rates.iter().zip(of_one).all(is_multiple)).then_some(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_incomplete_batches() {
        let rates = |counts: [u64; 2], price| {
            let rate = |(day, count): (&str, u64)| RateDay { count, day: day.to_owned(), price: Some(price) };
            ["2026-01-02", "2026-01-01"].into_iter().zip(counts).map(rate).collect::<Vec<_>>()
        };
        let one = rates([3, 180], 10.5);
        assert_eq!(count_complete_batches(&one, &one), Some(1));
        assert_eq!(count_complete_batches(&rates([12, 720], 10.5), &one), Some(4));
        assert_eq!(count_complete_batches(&rates([6, 180], 10.5), &one), None);
        assert_eq!(count_complete_batches(&rates([4, 180], 10.5), &one), None);
        assert_eq!(count_complete_batches(&rates([6, 360], 10.4), &one), None);
        assert_eq!(count_complete_batches(&one[..1], &one), None);
    }
}
