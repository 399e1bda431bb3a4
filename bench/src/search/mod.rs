//! Searches: hits and misses compared with baselines, and responses while catalogues change and during faults.
//!
//! The API, the worker, PostgreSQL, Redis, nginx and the load generator are separate processes.

mod catalogue;
mod faults;
mod hit;
mod miss;
mod overload;
pub(crate) mod programs;
mod ranges;
mod redis;
mod steady;
mod switch;

use std::path::Path;

use migration::testing::{Backend, TestDatabase};

use self::{
    programs::{ApiServer, ApiSettings},
    ranges::SearchRanges,
};
use crate::{
    Failure, load,
    settings::{SearchSettings, SearchWork},
    table::Table,
};

/// Events in the small catalogue.
const SMALL_EVENTS: u64 = 20_000;
/// Rows per response, about 4.5 KB.
const ROWS: u64 = 20;
/// The limit of the process cache, and the maximum memory besides it.
const CACHE_MIB: u64 = 64;
const OTHER_MIB: u64 = 60;
/// How long programs are warmed up.
const WARM_SECONDS: f64 = 1.0;

/// The shared environment of the benchmarks.
struct SearchStack<'a> {
    settings: &'a SearchSettings,
    /// The small catalogue.
    small: TestDatabase,
    ranges: SearchRanges,
}

/// Describes the benchmark, for the head of the table.
pub(crate) fn describe(settings: &SearchSettings) -> String {
    format!(
        "{} rounds of {} s, medians; steady load {} s; programs log with LOG_FILTER=warn; hits: one thread each for the \
         server (TOKIO_WORKER_THREADS=1, nginx: one worker) and for the load generator, no CPU pinning; \
         latencies of open loads start when a request is due, and include up to 1 ms of timer delay",
        settings.rounds,
        settings.turn_seconds(),
        settings.steady_seconds()
    )
}

/// Runs the selected benchmarks.
pub(crate) async fn measure(settings: &SearchSettings, table: &mut Table) {
    table.facts([programs::versions().await]);
    let small = TestDatabase::migrated(Backend::Postgres).await;
    let stack = SearchStack { settings, small, ranges: SearchRanges::default() };
    let filled = catalogue::fill(&stack.small, SMALL_EVENTS).await;
    match filled {
        Ok(()) => run_benchmarks(&stack, table).await,
        Err(failure) => table.failed("loading the catalogue", failure),
    }
    stack.small.remove().await;
}

async fn run_benchmarks(stack: &SearchStack<'_>, table: &mut Table) {
    if stack.settings.includes(SearchWork::Hit) {
        let outcome = hit::measure(stack, table).await;
        table.record_failure("hit in the process cache", outcome);
    }
    if stack.settings.includes(SearchWork::Redis) {
        let outcome = redis::measure(stack, table).await;
        table.record_failure("hit in Redis", outcome);
    }
    if stack.settings.includes(SearchWork::Miss) {
        let outcome = miss::measure(stack, table).await;
        table.record_failure("miss", outcome);
    }
    if stack.settings.includes(SearchWork::Steady) {
        let outcome = steady::measure(stack, table).await;
        table.record_failure("steady load while a sync changes 1 %", outcome);
    }
    if stack.settings.includes(SearchWork::RedisFaults) {
        let outcome = faults::redis(stack, table).await;
        table.record_failure("Redis killed, restarted, frozen, resumed", outcome);
    }
    if stack.settings.includes(SearchWork::DatabaseFaults) {
        let outcome = faults::database(stack, table).await;
        table.record_failure("database unavailable and available again", outcome);
    }
    if stack.settings.includes(SearchWork::Overload) {
        let outcome = overload::measure(stack, table).await;
        table.record_failure("twice the maximum load", outcome);
    }
    if stack.settings.includes(SearchWork::Memory) {
        let outcome = overload::memory(stack, table).await;
        table.record_failure("memory with a full cache", outcome);
    }
}

impl SearchStack<'_> {
    /// An API on the small catalogue.
    async fn api(&self, change: impl FnOnce(&mut ApiSettings)) -> Result<ApiServer, Failure> {
        let mut settings = ApiSettings::on(self.small.settings.url.expose());
        change(&mut settings);
        ApiServer::start(&settings).await
    }
}

/// Warms up the server with repeated requests for all paths.
async fn warm(address: std::net::SocketAddr, paths: &[String]) -> Result<(), Failure> {
    let report = load::LoadSettings::closed(address, 8, WARM_SECONDS).run(paths).await?;
    if report.errors() > 0 {
        return Err(format!("requests failed during the warm-up: {}", report.counts()).into());
    }
    Ok(())
}

/// Reports the peak memory of an API.
fn report_peak_memory(api: &ApiServer, when: &str, table: &mut Table) {
    match api.peak_mib() {
        Some(peak) => {
            let limit = CACHE_MIB + OTHER_MIB;
            let work = format!("memory of the API {when}, CACHE_MIB={CACHE_MIB}");
            table.absolute(&work, &format!("{peak} MiB"), &format!("under {limit} MiB"), peak < limit);
        }
        None => table.failed(&format!("memory of the API {when}"), "the resource usage cannot be read"),
    }
}

/// Makes a path readable for all users, because a server may run as another one.
fn make_readable(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}
