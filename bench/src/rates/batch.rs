//! The import of a batch, from its first byte to the response, compared with `COPY` of the same rows and their sums.

use std::time::Duration;

use bytes::Bytes;
use migration::testing::Backend;

use super::{
    DAYS,
    prices::{PriceBatch, RatesQuery},
    site::RatesSite,
};
use crate::{
    Failure,
    baseline::prices,
    samples::Samples,
    settings::RatesSettings,
    table::{Table, progress},
};

/// Maximum ratio to the baseline.
const OF_COPY: f64 = 2.0;

pub(super) async fn measure(settings: &RatesSettings, table: &mut Table) -> Result<(), Failure> {
    let batches = [settings.small, settings.big].map(|prices| PriceBatch { prices, days: DAYS });
    for batch in batches {
        let (body, messages) = (batch.csv(), batch.messages(1));
        let (mut marquee, mut baseline) = (Samples::default(), Samples::default());
        for round in 1..=settings.rounds {
            progress(format_args!("batch of {}, PostgreSQL, round {round} of {}", batch.prices, settings.rounds));
            marquee.push(time_batch(Backend::Postgres, &body).await?);
            baseline.push(prices::time_batch(&messages).await?);
        }
        let work = format!("batch of {}, PostgreSQL; baseline: COPY of the same rows and their sums", batch.prices);
        table.ratio(&work, &marquee, &baseline, OF_COPY);
    }
    let mut texts = Vec::new();
    for batch in batches {
        let body = batch.csv();
        let mut marquee = Samples::default();
        for round in 1..=settings.rounds {
            progress(format_args!("batch of {}, SQLite, round {round} of {}", batch.prices, settings.rounds));
            marquee.push(time_batch(Backend::Sqlite, &body).await?);
        }
        texts.push(marquee.text());
    }
    table.figure(&format!("batch of {} and of {}, SQLite", settings.small, settings.big), &texts.join("; "));
    Ok(())
}

/// The time of a batch on a new database.
async fn time_batch(backend: Backend, body: &Bytes) -> Result<Duration, Failure> {
    let site = RatesSite::new(backend, |_| ()).await?;
    let outcome = time_batch_on(&site, body).await;
    site.remove().await;
    outcome
}

async fn time_batch_on(site: &RatesSite, body: &Bytes) -> Result<Duration, Failure> {
    let taken = site.post(body).await?;
    let question = RatesQuery::for_region(0, DAYS - 1);
    let rates = site.rates(&question.path()).await?;
    if rates.len() as u64 != question.day_count() || rates.iter().any(|rate| rate.count != question.per_day) {
        return Err(format!("the rates differ from the batch: {rates:?}").into());
    }
    Ok(taken)
}
