//! A batch from its first byte to the answer, beside `COPY` of the same rows and their sums.

use std::time::Duration;

use bytes::Bytes;
use migration::testing::Backend;

use super::{
    DAYS,
    prices::{Batch, Question},
    site::Site,
};
use crate::{
    Failure,
    peer::prices,
    samples::Samples,
    settings::RatesSettings,
    table::{Table, progress},
};

/// At most so many times the peer.
const OF_COPY: f64 = 2.0;

pub(super) async fn measure(settings: &RatesSettings, table: &mut Table) -> Result<(), Failure> {
    let batches = [settings.small, settings.big].map(|prices| Batch { prices, days: DAYS });
    for batch in batches {
        let (body, messages) = (batch.csv(), batch.messages(1));
        let (mut ours, mut peer) = (Samples::default(), Samples::default());
        for round in 1..=settings.rounds {
            progress(format_args!("batch of {}, PostgreSQL, round {round} of {}", batch.prices, settings.rounds));
            ours.push(posted(Backend::Postgres, &body).await?);
            peer.push(prices::taken(&messages).await?);
        }
        let work = format!("batch of {}, PostgreSQL; peer: COPY of the same rows, and their sums", batch.prices);
        table.ratio(&work, &ours, &peer, OF_COPY);
    }
    let mut texts = Vec::new();
    for batch in batches {
        let body = batch.csv();
        let mut ours = Samples::default();
        for round in 1..=settings.rounds {
            progress(format_args!("batch of {}, SQLite, round {round} of {}", batch.prices, settings.rounds));
            ours.push(posted(Backend::Sqlite, &body).await?);
        }
        texts.push(ours.text());
    }
    table.figure(&format!("batch of {} and of {}, SQLite", settings.small, settings.big), &texts.join("; "));
    Ok(())
}

/// How long a batch takes on a new database.
async fn posted(backend: Backend, body: &Bytes) -> Result<Duration, Failure> {
    let site = Site::new(backend, |_| ()).await?;
    let outcome = posted_to(&site, body).await;
    site.remove().await;
    outcome
}

async fn posted_to(site: &Site, body: &Bytes) -> Result<Duration, Failure> {
    let taken = site.post(body).await?;
    let question = Question::of_region(0, DAYS - 1);
    let rates = site.rates(&question.path()).await?;
    if rates.len() as u64 != question.day_count() || rates.iter().any(|rate| rate.count != question.per_day) {
        return Err(format!("the batch is not in as it was sent: {rates:?}").into());
    }
    Ok(taken)
}
