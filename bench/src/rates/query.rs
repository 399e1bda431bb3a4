//! The query of a month from the port to a region of sixty places, compared with the plain query.

use migration::testing::Backend;
use sqlx::{Executor, Row};

use super::{
    prices::{PriceBatch, REGION_PLACES, RatesQuery},
    site::RatesSite,
};
use crate::{
    Failure,
    baseline::select::Select,
    load::{LoadSettings, ResponseTier},
    samples::Samples,
    settings::RatesSettings,
    table::{Table, progress},
};

/// Concurrent requests.
const CONNECTIONS: usize = 2;
/// Maximum ratio to the plain query.
const OF_QUERY: f64 = 1.5;
/// Days per query, and the number of different queries, so that concurrent requests differ.
const ASKED_DAYS: u64 = 31;
const QUESTIONS: u64 = 365;
/// More requests than a measurement can send.
const QUERIES_PER_SECOND: f64 = 10_000.0;
/// Warms up connections, query plans and pages of both.
const WARM_SECONDS: f64 = 2.0;

pub(super) async fn measure(settings: &RatesSettings, table: &mut Table) -> Result<(), Failure> {
    let site = RatesSite::new(Backend::Postgres, |api| api.cache_mib = 0).await?;
    let outcome = on(&site, settings, table).await;
    site.remove().await;
    outcome
}

async fn on(site: &RatesSite, settings: &RatesSettings, table: &mut Table) -> Result<(), Failure> {
    let batch = PriceBatch { prices: settings.big, days: QUESTIONS + ASKED_DAYS };
    if batch.routes() < REGION_PLACES {
        return Err(format!("too few prices for {} days of {REGION_PLACES} routes", batch.days).into());
    }
    site.post(&batch.csv()).await?;
    let select = Select::for_rates(site.database.settings.url.expose(), ASKED_DAYS.cast_signed()).await?;
    select.pool().execute("VACUUM ANALYZE").await?;
    let queries: Vec<RatesQuery> = (0..QUESTIONS).map(|first| RatesQuery::for_region(first, first + ASKED_DAYS - 1)).collect();
    for query in &queries[..3] {
        compare_results(site, &select, query).await?;
    }
    let paths: Vec<String> = queries.iter().map(RatesQuery::path).collect();
    let (mut marquee, mut baseline) = (Samples::default(), Samples::default());
    for round in 0..=settings.rounds {
        progress(format_args!("query from a port to a region, round {round} of {}", settings.rounds));
        let seconds = if round == 0 { WARM_SECONDS } else { settings.turn_seconds() };
        let report = LoadSettings::closed(site.api.address, CONNECTIONS, seconds).run(&paths).await?;
        if report.errors() > 0 || report.share_from(ResponseTier::Process) > 0.0 {
            return Err(format!("not all responses were misses: {}", report.counts()).into());
        }
        let count = (QUERIES_PER_SECOND * seconds) as usize;
        let plain = select.median_time(queries.iter().cycle().take(count).map(key).collect(), CONNECTIONS, seconds).await?;
        if round > 0 {
            marquee.push(report.all.p50());
            baseline.push(plain);
        }
    }
    select.close().await;
    let work = format!(
        "{ASKED_DAYS} days, a port to {REGION_PLACES} places, CACHE_MIB=0, {CONNECTIONS} concurrent, {} prices, PostgreSQL, p50; baseline: the plain query",
        settings.big
    );
    table.ratio(&work, &marquee, &baseline, OF_QUERY);
    Ok(())
}

fn key(query: &RatesQuery) -> (String, String, i32, i32) {
    let (first, last) = query.days();
    (query.orig.clone(), query.dest.clone(), first, last)
}

/// Checks that both return the same.
async fn compare_results(
    site: &RatesSite,
    select: &Select<(String, String, i32, i32)>,
    query: &RatesQuery,
) -> Result<(), Failure> {
    let rates = site.rates(&query.path()).await?;
    let rows = select.fetch(key(query)).await?;
    let of_rows = rows.iter().map(|row| (row.get::<i64, _>(1).cast_unsigned(), row.get::<i64, _>(2)));
    // A mean parsed from text may differ in its last bit, a sum may not.
    let of_rates = rates.iter().map(|rate| (rate.count, (rate.price.unwrap_or(0.0) * (rate.count * 100) as f64).round() as i64));
    if of_rows.eq(of_rates) && rates.iter().all(|rate| rate.count == query.per_day) {
        Ok(())
    } else {
        Err(format!("the plain query returns other rates for {}", query.path()).into())
    }
}
