//! The metrics of a running worker before, during and after an outage of its database.

use std::{sync::Arc, time::Duration};

use migration::testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase};
use provider_sim::SimCatalogue;

use crate::{
    deployment::{Deployment, SLUG, WorkerProcess, format_entry},
    wait::eventually,
};

/// The value of a series; `None` if it does not exist yet.
async fn read(worker: &WorkerProcess, series: &str) -> Option<f64> {
    let metrics = worker.metrics().await;
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

async fn wait_for(worker: &WorkerProcess, series: &str, is_expected: impl Fn(f64) -> bool) -> f64 {
    eventually(series, async || read(worker, series).await.filter(|value| is_expected(*value))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ages_grow_while_the_database_is_unavailable() {
    let database = Arc::new(TestDatabase::migrated(Backend::Postgres).await);
    let proxy = DatabaseProxy::start(&database, ProxyMode::Cut).await;
    let mut deployment = Deployment::new(database, SimCatalogue { events: 20, ..SimCatalogue::default() }).await;
    deployment.worker_database = proxy.settings();
    let never = format_entry("never", "http://127.0.0.1:1/feed", "0 0 0 1 1 *");
    deployment.write_providers(&(format_entry(SLUG, &deployment.url, "* * * * * *") + &never));
    let freshness = format!("marquee_provider_freshness_seconds{{provider=\"{SLUG}\"}}");
    let overdue = format!("marquee_provider_overdue_seconds{{provider=\"{SLUG}\"}}");

    let worker = deployment.start_worker("one");
    wait_for(&worker, "marquee_database_up", |up| up == 0.0).await;
    assert_eq!(read(&worker, &freshness).await, None, "nothing is known yet");

    proxy.set_mode(ProxyMode::Forward).await;
    wait_for(&worker, "marquee_database_up", |up| up == 1.0).await;
    for name in ["freshness", "overdue"] {
        let series = format!("marquee_provider_{name}_seconds{{provider=\"never\"}}");
        wait_for(&worker, &series, f64::is_infinite).await;
    }
    let fresh = wait_for(&worker, &freshness, f64::is_finite).await;

    proxy.set_mode(ProxyMode::Cut).await;
    wait_for(&worker, "marquee_database_up", |up| up == 0.0).await;
    let outage = Duration::from_secs(10).as_secs_f64();
    wait_for(&worker, &freshness, |age| age > fresh + outage).await;
    // Polled every second.
    wait_for(&worker, &overdue, |age| age > outage).await;

    proxy.set_mode(ProxyMode::Forward).await;
    wait_for(&worker, "marquee_database_up", |up| up == 1.0).await;
    wait_for(&worker, &freshness, |age| age < outage).await;
}
