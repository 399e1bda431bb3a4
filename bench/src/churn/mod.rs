//! Reads at a constant rate while many providers change: how many responses a change makes stale, and how many of them are read from the
//! database again.
//!
//! One worker polls simulated providers once a minute each, two APIs share a Redis, and the load generator requests keys with a Zipf
//! distribution. An earlier build of the programs is measured in the same way, as the baseline.

mod keys;
mod outcome;
mod site;

use std::time::Duration;

use self::{
    keys::RequestMix,
    outcome::{ChurnOutcome, ROUTES, TIERS, stale_share},
    site::ChurnSite,
};
use crate::{
    Failure,
    build::Build,
    load::{LoadReport, LoadSettings},
    settings::ChurnSettings,
    table::{Table, progress},
};

const CONNECTIONS: usize = 32;
/// As many as an API reads at the same time, so that none of the first requests is rejected.
const WARM_CONNECTIONS: usize = 4;
/// How long the load runs before it is measured, after each key was requested once.
const WARM_SECONDS: f64 = 30.0;
/// Maximum numbers of database reads per request, and of stale responses.
const READS_PER_REQUEST: f64 = 0.26;
const STALE_SHARE: f64 = 0.05;
/// Maximum p99 of the latency.
const P99: Duration = Duration::from_millis(10);
/// A stale response is at most this old: `REVALIDATE_WITHIN` of the API. `Age` is in whole seconds.
const MAX_AGE_SECONDS: f64 = 1.0;

/// Describes the benchmark, for the head of the table.
pub(crate) fn describe(settings: &ChurnSettings) -> String {
    let redis = if site::has_redis() { "a shared Redis" } else { "no Redis, which is not installed" };
    format!(
        "{} providers of {} events, each polled once a minute, {} % of the base events change; {}/s for {} s over {} keys; 1 worker, 2 APIs, \
         {redis}; programs log with LOG_FILTER=warn; latencies start when a request is due",
        settings.providers,
        settings.events,
        settings.churn,
        settings.rate(),
        settings.seconds(),
        settings.keys
    )
}

/// Measures the other build, if there is one, and the programs that were built with this one.
pub(crate) async fn measure(settings: &ChurnSettings, table: &mut Table) -> Result<(), Failure> {
    let baseline = match &settings.programs {
        Some(folder) => {
            progress(format_args!("measuring the programs in {}", folder.display()));
            Some(run(settings, Build::in_folder(folder.clone())).await?)
        }
        None => None,
    };
    let marquee = run(settings, Build::default()).await?;
    report(&marquee, baseline.as_ref(), table);
    Ok(())
}

async fn run(settings: &ChurnSettings, build: Build) -> Result<ChurnOutcome, Failure> {
    let site = ChurnSite::start(settings, build).await?;
    let outcome = run_on(&site, settings).await;
    site.remove().await;
    outcome
}

async fn run_on(site: &ChurnSite, settings: &ChurnSettings) -> Result<ChurnOutcome, Failure> {
    site.wait_for_first_loads().await?;
    let mix = RequestMix::generate(settings, (settings.rate() * (WARM_SECONDS + settings.seconds())) as usize);
    progress("warming up");
    for address in site.addresses() {
        let once = LoadSettings::closed(address, WARM_CONNECTIONS, f64::from(u16::MAX)).once();
        expect_success(&once.run(&mix.keys).await?)?;
    }
    run_load(site, &mix, settings.rate(), WARM_SECONDS).await?;
    progress(format_args!("{} requests per second for {} s", settings.rate(), settings.seconds()));
    let (fetches, position) = (site.count_database_fetches().await?, site.read_position().await?);
    let loads = run_load(site, &mix, settings.rate(), settings.seconds()).await?;
    Ok(ChurnOutcome {
        loads,
        database_fetches: site.count_database_fetches().await? - fetches,
        versions: site.read_position().await?.version - position.version,
        syncs: site.read_syncs_after(position).await?,
    })
}

/// Sends both kinds of requests at their shares of the rate. The loads are in the order of [`ROUTES`].
async fn run_load(site: &ChurnSite, mix: &RequestMix, rate: f64, seconds: f64) -> Result<[LoadReport; 2], Failure> {
    let load = |share: f64| {
        LoadSettings::open(site.addresses()[0], CONNECTIONS, seconds, rate * share).distributed(site.addresses().to_vec())
    };
    let share = mix.search_share();
    let (searches, concerts) = (load(share), load(1.0 - share));
    let (searches, concerts) = tokio::try_join!(searches.run(&mix.searches), concerts.run(&mix.concerts))?;
    Ok([searches, concerts])
}

fn expect_success(report: &LoadReport) -> Result<(), Failure> {
    if report.errors() == 0 { Ok(()) } else { Err(format!("requests failed during the warm-up: {}", report.counts()).into()) }
}

fn report(marquee: &ChurnOutcome, baseline: Option<&ChurnOutcome>, table: &mut Table) {
    let mut number = |name: &str, text: fn(f64) -> String, of: &dyn Fn(&ChurnOutcome) -> f64, limit: Option<f64>| {
        table.number(name, text, of(marquee), baseline.map(of), limit);
    };
    let decimal = |number: f64| format!("{number:.3}");
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let millis = |seconds: f64| format!("{:.2} ms", seconds * 1000.0);
    number("database reads per request", decimal, &ChurnOutcome::reads_per_request, Some(READS_PER_REQUEST));
    number("stale responses", percent, &|outcome| stale_share(&outcome.loads), Some(STALE_SHARE));
    number("largest `Age` of a stale response", |age| format!("{age} s"), &ChurnOutcome::max_age, Some(MAX_AGE_SECONDS));
    for (index, route) in ROUTES.into_iter().enumerate() {
        number(&format!("`{route}`: stale responses"), percent, &|outcome| stale_share(&outcome.loads[index..=index]), None);
        number(&format!("`{route}`: p50"), millis, &|outcome| outcome.loads[index].all.p50().as_secs_f64(), None);
        let p99 = Some(P99.as_secs_f64());
        number(&format!("`{route}`: p99"), millis, &|outcome| outcome.loads[index].all.p99().as_secs_f64(), p99);
    }
    for (name, tier) in TIERS {
        number(&format!("responses from {name}"), percent, &|outcome| outcome.share_from(tier), None);
    }
    number("requests without a response 200", |errors| errors.to_string(), &ChurnOutcome::errors, Some(0.0));
    number("catalogue versions per second", decimal, &ChurnOutcome::versions_per_second, None);
    number("changed events in a minute", percent, &|outcome| outcome.syncs.changed_share(), None);
    number("sync, median", millis, &|outcome| outcome.syncs.durations.median().unwrap_or_default(), None);
}
