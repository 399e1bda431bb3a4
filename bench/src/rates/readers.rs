//! What readers notice of batches that come in meanwhile: how long they wait, and whether they ever see half of one.
//!
//! All batches of a database are the same bytes. So an answer is right if all of its counts are the same multiple of what the first batch
//! alone brought, with the same means; the multiple is the number of batches that it holds, which lies between those that were taken in
//! before it was asked for and those that were begun before it came.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use entity::ConnectionRole;
use migration::testing::Backend;
use sqlx::Executor;

use super::{
    DAYS,
    prices::{Batch, Question},
    site::{Rate, Site},
};
use crate::{
    Failure,
    load::{LoadSettings, Report},
    peer::prices,
    samples::Samples,
    settings::RatesSettings,
    table::{Table, progress},
};

const CONNECTIONS: usize = 64;
/// Routes that are asked for, and ranges of days from the port to the wide region.
const ROUTES: u64 = 30;
const RANGES: u64 = 6;
/// At most so many times as long as without a batch.
const OF_QUIET: f64 = 1.5;
/// How often an answer is checked, beside the load and in both turns.
const CHECK_EVERY: Duration = Duration::from_millis(50);
/// The answers are in the cache then, and the connections are used to it.
const WARM_SECONDS: f64 = 1.0;

/// What all rounds found.
#[derive(Default)]
struct Found {
    quiet: [Samples; 2],
    beside_copy: [Samples; 2],
    busy: [Samples; 2],
    answers: u64,
    errors: u64,
    /// Of each batch, and how many had ended before the load.
    times: Samples,
    ended: u64,
    checks: Checks,
}

/// Answers that were looked into.
#[derive(Default)]
struct Checks {
    count: u64,
    /// Asked for while a batch was under way.
    during: u64,
    wrong: Vec<String>,
}

/// Those who read of one database.
struct Readers<'a> {
    site: &'a Site,
    known: Vec<Known>,
    batches: Batches,
}

/// Batches of one database, but the first.
#[derive(Default)]
struct Batches {
    begun: AtomicU64,
    taken: AtomicU64,
}

/// A path and what it answers with one batch.
struct Known {
    path: String,
    rates: Vec<Rate>,
}

pub(super) async fn measure(settings: &RatesSettings, table: &mut Table) -> Result<(), Failure> {
    let mut found = Found::default();
    for round in 1..=settings.rounds {
        progress(format_args!("readers during batches, round {round} of {}", settings.rounds));
        let site = Site::new(Backend::Postgres, |_| ()).await?;
        let outcome = around(&site, settings, &mut found).await;
        site.remove().await;
        outcome?;
    }
    let work = format!(
        "{}/s over {} paths while batches of {} come in, PostgreSQL; peer: while none does",
        settings.rate(),
        ROUTES + RANGES,
        settings.big
    );
    table.ratio(&format!("{work}; p99"), &found.busy[0], &found.quiet[0], OF_QUIET);
    table.compared(&format!("{work}; p50"), &found.busy[1], &found.quiet[1]);
    let work = "the same; peer: while bare COPY of the same rows goes into another database of the server";
    table.compared(&format!("{work}; p99"), &found.busy[0], &found.beside_copy[0]);
    let errors = format!("{} errors of {} answers", found.errors, found.answers);
    table.absolute("errors meanwhile", &errors, "none", found.errors == 0);
    let ours = format!("{}; {} had ended before the readers had", found.times.text(), found.ended);
    table.figure("time of a batch under these readers, first byte to 201", &ours);
    let Checks { count, during, wrong } = &found.checks;
    let ours = format!("{count} checked, {during} of them while a batch was under way: {} wrong", wrong.len());
    table.absolute("answers hold whole batches", &ours, "none wrong", wrong.is_empty());
    if let Some(first) = wrong.first() {
        table.note(format!("The first answer that was wrong: {first}"));
    }
    Ok(())
}

/// The same load without batches, beside bare `COPY`, and with batches.
async fn around(site: &Site, settings: &RatesSettings, found: &mut Found) -> Result<(), Failure> {
    let batch = Batch { prices: settings.big, days: DAYS };
    let (body, messages) = (batch.csv(), batch.messages(1));
    site.post(&body).await?;
    let connection = site.database.connect(ConnectionRole::Worker).await;
    // Or the server would begin with it by itself in one of the turns.
    connection.get_postgres_connection_pool().execute("VACUUM ANALYZE").await?;
    connection.close().await?;
    let readers = Readers { site, known: known(site, batch).await?, batches: Batches::default() };
    readers.load(WARM_SECONDS, settings).await?;

    let report = readers.turn(settings, &mut found.checks, async |_| Ok(())).await?;
    enter(&mut found.quiet, &report);
    let copying = async |is_over: &AtomicBool| {
        while !is_over.load(Ordering::Relaxed) {
            prices::taken(&messages).await?;
        }
        Ok(())
    };
    let report = readers.turn(settings, &mut found.checks, copying).await?;
    enter(&mut found.beside_copy, &report);
    let (times, ended) = (&mut found.times, &mut found.ended);
    let posting = async |is_over: &AtomicBool| {
        // The last one is seen to its end.
        while !is_over.load(Ordering::Relaxed) {
            readers.batches.begun.fetch_add(1, Ordering::SeqCst);
            times.push(site.post(&body).await?);
            readers.batches.taken.fetch_add(1, Ordering::SeqCst);
            *ended += u64::from(!is_over.load(Ordering::Relaxed));
        }
        Ok(())
    };
    let report = readers.turn(settings, &mut found.checks, posting).await?;
    enter(&mut found.busy, &report);
    found.answers += report.all.count;
    found.errors += report.errors();
    progress(format_args!("while batches came in: {}; {}", report.all.text(), report.counts()));
    for known in &readers.known {
        readers.check(known, &mut found.checks).await?;
    }
    Ok(())
}

impl Readers<'_> {
    async fn load(&self, seconds: f64, settings: &RatesSettings) -> Result<Report, Failure> {
        let paths: Vec<String> = self.known.iter().map(|known| known.path.clone()).collect();
        LoadSettings::open(self.site.api.address, CONNECTIONS, seconds, settings.rate()).run(&paths).await
    }

    /// The load with something beside it, which is told when the load is over.
    async fn turn(
        &self,
        settings: &RatesSettings,
        checks: &mut Checks,
        beside: impl AsyncFnOnce(&AtomicBool) -> Result<(), Failure>,
    ) -> Result<Report, Failure> {
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

    /// Looks into one answer.
    async fn check(&self, known: &Known, checks: &mut Checks) -> Result<(), Failure> {
        let Batches { begun, taken } = &self.batches;
        let (before, least) = (begun.load(Ordering::SeqCst), taken.load(Ordering::SeqCst));
        let rates = self.site.rates(&known.path).await?;
        let most = begun.load(Ordering::SeqCst);
        checks.count += 1;
        checks.during += u64::from(before > least);
        match whole_batches(&rates, &known.rates) {
            // The first batch came before all that is counted.
            Some(held) if (least + 1..=most + 1).contains(&held) => (),
            held => checks.wrong.push(format!("{} holds {held:?} batches, {least} to {most} and one: {rates:?}", known.path)),
        }
        Ok(())
    }
}

fn enter([p99, half]: &mut [Samples; 2], report: &Report) {
    p99.push(report.all.p99());
    half.push(report.all.half());
}

/// What is asked for, with the answers of one batch, which must be what was sent.
async fn known(site: &Site, batch: Batch) -> Result<Vec<Known>, Failure> {
    let routes = (0..ROUTES).map(|number| Question::of_route(number * batch.routes() / ROUTES, 0, DAYS - 1));
    let ranges = (0..RANGES).map(|number| Question::of_region(number, DAYS - 1));
    let mut known = Vec::new();
    for question in routes.chain(ranges) {
        let path = question.path();
        let rates = site.rates(&path).await?;
        if rates.len() as u64 != question.day_count() || rates.iter().any(|rate| rate.count != question.per_day) {
            return Err(format!("{path} answers {rates:?}").into());
        }
        known.push(Known { path, rates });
    }
    Ok(known)
}

/// How many batches an answer holds, if it holds all of each.
fn whole_batches(rates: &[Rate], of_one: &[Rate]) -> Option<u64> {
    let held = rates.first()?.count / of_one.first()?.count;
    let is_multiple = |(rate, one): (&Rate, &Rate)| {
        // The mean of the same prices once more is the same double: both are the nearest to the same number.
        rate.count == held * one.count && rate.day == one.day && rate.price == one.price
    };
    (rates.len() == of_one.len() && rates.iter().zip(of_one).all(is_multiple)).then_some(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_batch_is_told_from_a_whole_one() {
        let rates = |counts: [u64; 2], price| {
            let rate = |(day, count): (&str, u64)| Rate { count, day: day.to_owned(), price: Some(price) };
            ["2026-01-02", "2026-01-01"].into_iter().zip(counts).map(rate).collect::<Vec<_>>()
        };
        let one = rates([3, 180], 10.5);
        assert_eq!(whole_batches(&one, &one), Some(1));
        assert_eq!(whole_batches(&rates([12, 720], 10.5), &one), Some(4));
        assert_eq!(whole_batches(&rates([6, 180], 10.5), &one), None);
        assert_eq!(whole_batches(&rates([4, 180], 10.5), &one), None);
        assert_eq!(whole_batches(&rates([6, 360], 10.4), &one), None);
        assert_eq!(whole_batches(&one[..1], &one), None);
    }
}
