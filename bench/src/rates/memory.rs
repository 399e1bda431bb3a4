//! The memory of the API during a large batch, compared with its memory after a small one.

use std::time::Duration;

use migration::testing::Backend;

use super::{DAYS, prices::PriceBatch, site::RatesSite};
use crate::{
    Failure,
    settings::RatesSettings,
    table::{Table, progress},
};

/// The maximum memory of a batch.
const LIMIT_MIB: u64 = 64;
/// How long to wait until the API is idle, because allocators return memory with a delay.
const REST: Duration = Duration::from_secs(3);

pub(super) async fn measure(settings: &RatesSettings, table: &mut Table) -> Result<(), Failure> {
    for backend in [Backend::Postgres, Backend::Sqlite] {
        progress(format_args!("memory of a batch of {}, {backend:?}", settings.big));
        let site = RatesSite::new(backend, |_| ()).await?;
        let outcome = on(&site, backend, settings, table).await;
        site.remove().await;
        outcome?;
    }
    Ok(())
}

async fn on(site: &RatesSite, backend: Backend, settings: &RatesSettings, table: &mut Table) -> Result<(), Failure> {
    let [small, big] = [settings.small, settings.big].map(|prices| PriceBatch { prices, days: DAYS }.csv());
    let gone = "the resource usage cannot be read";
    site.post(&small).await?;
    tokio::time::sleep(REST).await;
    let idle = site.api.usage().ok_or(gone)?;
    site.post(&big).await?;
    let after = site.api.usage().ok_or(gone)?;
    let over = after.peak_kib.saturating_sub(idle.resident_kib);
    let [idle_mib, earlier_mib, peak_mib, over_mib] =
        [idle.resident_kib, idle.peak_kib, after.peak_kib, over].map(|kib| kib / 1024);
    let marquee = format!("{over_mib} MiB: peak {peak_mib}, idle {idle_mib}, peak before it {earlier_mib}");
    let work = format!("peak memory over idle, batch of {} ({} MiB), {backend:?}", settings.big, big.len() >> 20);
    table.absolute(&work, &marquee, &format!("{LIMIT_MIB} MiB"), over <= LIMIT_MIB * 1024);
    Ok(())
}
