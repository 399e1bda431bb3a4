//! A month from the port to a region of sixty places, beside the bare query for it.

use migration::testing::Backend;
use sqlx::{Executor, Row};

use super::{
    prices::{Batch, Question, REGION_PLACES},
    site::Site,
};
use crate::{
    Failure,
    load::{LoadSettings, Source},
    peer::select::Select,
    samples::Samples,
    settings::RatesSettings,
    table::{Table, progress},
};

/// Requests at the same time.
const CONNECTIONS: usize = 2;
/// At most so many times the bare query.
const OF_QUERY: f64 = 1.5;
/// Days of a question, and how many questions of different days there are: no two requests are under way for the same.
const ASKED_DAYS: u64 = 31;
const QUESTIONS: u64 = 365;
/// More than a turn can ask for.
const QUERIES_PER_SECOND: f64 = 10_000.0;
/// Connections, plans and pages, on both sides.
const WARM_SECONDS: f64 = 2.0;

pub(super) async fn measure(settings: &RatesSettings, table: &mut Table) -> Result<(), Failure> {
    let site = Site::new(Backend::Postgres, |api| api.cache_mib = 0).await?;
    let outcome = on(&site, settings, table).await;
    site.remove().await;
    outcome
}

async fn on(site: &Site, settings: &RatesSettings, table: &mut Table) -> Result<(), Failure> {
    let batch = Batch { prices: settings.big, days: QUESTIONS + ASKED_DAYS };
    if batch.routes() < REGION_PLACES {
        return Err(format!("too few prices for {} days of {REGION_PLACES} routes", batch.days).into());
    }
    site.post(&batch.csv()).await?;
    let select = Select::of_rates(site.database.settings.url.expose(), ASKED_DAYS.cast_signed()).await?;
    select.pool().execute("VACUUM ANALYZE").await?;
    let questions: Vec<Question> = (0..QUESTIONS).map(|first| Question::of_region(first, first + ASKED_DAYS - 1)).collect();
    for question in &questions[..3] {
        same(site, &select, question).await?;
    }
    let paths: Vec<String> = questions.iter().map(Question::path).collect();
    let (mut ours, mut peer) = (Samples::default(), Samples::default());
    for round in 0..=settings.rounds {
        progress(format_args!("a port to a region, round {round} of {}", settings.rounds));
        let seconds = if round == 0 { WARM_SECONDS } else { settings.turn_seconds() };
        let report = LoadSettings::closed(site.api.address, CONNECTIONS, seconds).run(&paths).await?;
        if report.errors() > 0 || report.share_from(Source::Process) > 0.0 {
            return Err(format!("not all answers were misses: {}", report.counts()).into());
        }
        let count = (QUERIES_PER_SECOND * seconds) as usize;
        let bare = select.half(questions.iter().cycle().take(count).map(key).collect(), CONNECTIONS, seconds).await?;
        if round > 0 {
            ours.push(report.all.half());
            peer.push(bare);
        }
    }
    select.close().await;
    let work = format!(
        "{ASKED_DAYS} days, a port to {REGION_PLACES} places, CACHE_MIB=0, {CONNECTIONS} at a time, {} prices, PostgreSQL, p50; peer: the bare query",
        settings.big
    );
    table.ratio(&work, &ours, &peer, OF_QUERY);
    Ok(())
}

fn key(question: &Question) -> (String, String, i32, i32) {
    let (first, last) = question.days();
    (question.orig.clone(), question.dest.clone(), first, last)
}

/// Makes sure that both find the same.
async fn same(site: &Site, select: &Select<(String, String, i32, i32)>, question: &Question) -> Result<(), Failure> {
    let rates = site.rates(&question.path()).await?;
    let rows = select.found(key(question)).await?;
    let of_rows = rows.iter().map(|row| (row.get::<i64, _>(1).cast_unsigned(), row.get::<i64, _>(2)));
    // A mean that was read from a text may be off by its last bit, a sum may not.
    let of_rates = rates.iter().map(|rate| (rate.count, (rate.price.unwrap_or(0.0) * (rate.count * 100) as f64).round() as i64));
    if of_rows.eq(of_rates) && rates.iter().all(|rate| rate.count == question.per_day) {
        Ok(())
    } else {
        Err(format!("the bare query finds something else at {}", question.path()).into())
    }
}
