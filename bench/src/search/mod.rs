//! The search: hits and misses beside bare peers, and what clients see while catalogues change and things break.
//!
//! Everything under test is a process of its own: the API, the worker, PostgreSQL, Redis, nginx and the load.

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
    programs::{Api, ApiSettings},
    ranges::Ranges,
};
use crate::{
    Failure, load,
    settings::{SearchSettings, SearchWork},
    table::Table,
};

/// Events of the small catalogue.
const SMALL_EVENTS: u64 = 20_000;
/// Rows of an answer: about 4.5 KB.
const ROWS: u64 = 20;
/// Bound of the tier in the process, in MiB, and what a process may take besides.
const CACHE_MIB: u64 = 64;
const BESIDES_MIB: u64 = 60;
/// How long programs are warmed before they are measured.
const WARM_SECONDS: f64 = 1.0;

/// What the works share.
struct Stage<'a> {
    settings: &'a SearchSettings,
    /// The small catalogue.
    small: TestDatabase,
    ranges: Ranges,
}

/// What was measured and how, for the head of the table.
pub(crate) fn measured(settings: &SearchSettings) -> String {
    format!(
        "{} rounds of {} s a turn, medians; steady load {} s; programs under test log with LOG_FILTER=warn; hits: one thread each for the \
         server (TOKIO_WORKER_THREADS=1, nginx: one worker) and for the load, nothing pinned; \
         times of open loads count from when a request was due and hold up to 1 ms of the load's own timer",
        settings.rounds,
        settings.turn_seconds(),
        settings.steady_seconds()
    )
}

/// Measures all of it that is wanted.
pub(crate) async fn measure(settings: &SearchSettings, table: &mut Table) {
    table.facts([programs::versions().await]);
    let small = TestDatabase::migrated(Backend::Postgres).await;
    let stage = Stage { settings, small, ranges: Ranges::default() };
    let filled = catalogue::fill(&stage.small, SMALL_EVENTS).await;
    match filled {
        Ok(()) => works(&stage, table).await,
        Err(failure) => table.failed("a catalogue to search", failure),
    }
    stage.small.remove().await;
}

async fn works(stage: &Stage<'_>, table: &mut Table) {
    if stage.settings.wants(SearchWork::Hit) {
        let outcome = hit::measure(stage, table).await;
        table.unless_measured("hit in the process", outcome);
    }
    if stage.settings.wants(SearchWork::Redis) {
        let outcome = redis::measure(stage, table).await;
        table.unless_measured("hit in Redis", outcome);
    }
    if stage.settings.wants(SearchWork::Miss) {
        let outcome = miss::measure(stage, table).await;
        table.unless_measured("miss", outcome);
    }
    if stage.settings.wants(SearchWork::Steady) {
        let outcome = steady::measure(stage, table).await;
        table.unless_measured("steady load while a sync changes 1 %", outcome);
    }
    if stage.settings.wants(SearchWork::RedisFaults) {
        let outcome = faults::redis(stage, table).await;
        table.unless_measured("Redis killed, back, frozen, thawed", outcome);
    }
    if stage.settings.wants(SearchWork::DatabaseFaults) {
        let outcome = faults::database(stage, table).await;
        table.unless_measured("database away and back", outcome);
    }
    if stage.settings.wants(SearchWork::Overload) {
        let outcome = overload::measure(stage, table).await;
        table.unless_measured("twice the load it can take", outcome);
    }
    if stage.settings.wants(SearchWork::Memory) {
        let outcome = overload::memory(stage, table).await;
        table.unless_measured("memory with a full cache", outcome);
    }
}

impl Stage<'_> {
    /// An API on the small catalogue.
    async fn api(&self, change: impl FnOnce(&mut ApiSettings)) -> Result<Api, Failure> {
        let mut settings = ApiSettings::on(self.small.settings.url.expose());
        change(&mut settings);
        Api::start(&settings).await
    }
}

/// Asks for each path, some times over, before anything counts.
async fn warm(address: std::net::SocketAddr, paths: &[String]) -> Result<(), Failure> {
    let report = load::LoadSettings::closed(address, 8, WARM_SECONDS).run(paths).await?;
    if report.errors() > 0 {
        return Err(format!("not all went well before it began: {}", report.counts()).into());
    }
    Ok(())
}

/// Enters the most memory that an API had.
fn enter_memory(api: &Api, when: &str, table: &mut Table) {
    match api.peak_mib() {
        Some(peak) => {
            let limit = CACHE_MIB + BESIDES_MIB;
            let work = format!("memory of the API {when}, CACHE_MIB={CACHE_MIB}");
            table.absolute(&work, &format!("{peak} MiB"), &format!("under {limit} MiB"), peak < limit);
        }
        None => table.failed(&format!("memory of the API {when}"), "the kernel does not tell"),
    }
}

/// Whether a file can be read by whatever user a server runs as.
fn open_to_all(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}
