//! Many providers and workers for a minute, evaluated from the ledger; and the ledger of a minute with many runs.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use entity::{ConnectionRole, UtcInstant};
use migration::testing::{Backend, TestDatabase};
use provider_sim::{SimCatalogue, SimProvider};
use sea_orm::{ConnectionTrait, Statement};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Failure, process,
    samples::Samples,
    stack::{BenchProvider, BenchStack, SLUG},
    table::{Table, progress},
};

const PROVIDERS: usize = 200;
const WORKERS: usize = 4;
/// How long the workers run.
const MINUTE: Duration = Duration::from_secs(60);
/// The interval of a provider.
const TICK_MICROS: i64 = 10_000_000;
/// A run that starts later after its tick is late.
const LATE_MICROS: i64 = 2_000_000;
/// How long workers may take to shut down.
const DRAIN: Duration = Duration::from_secs(60);

/// 200 providers that are polled every ten seconds, one of them hanging and one failing, and four workers.
pub(crate) async fn measure(table: &mut Table) -> Result<(), Failure> {
    let (address, _stops) = serve_provider(SimCatalogue { events: 20, churn: 5.0, ..SimCatalogue::default() }).await?;
    let named: Vec<(String, String)> = (0..PROVIDERS)
        .map(|number| {
            let fault = match number {
                0 => "&fault=hang",
                1 => "&fault=status:503",
                _ => "",
            };
            (format!("provider-{number}"), format!("{address}?provider={number}{fault}"))
        })
        .collect();
    let entries: Vec<BenchProvider<'_>> =
        named.iter().map(|(slug, url)| BenchProvider { slug, url, schedule: "*/10 * * * * *" }).collect();
    let stack = BenchStack::new(Backend::Postgres, &entries).await?;
    let started = UtcInstant::now();
    let outcome = run_workers(&stack, WORKERS).await;
    let ended = UtcInstant::now();
    let ticks = match outcome {
        Ok(()) => ticks(&stack.database).await,
        Err(failure) => Err(failure),
    };
    stack.remove().await;
    TickCounts::count(started, ended, &ticks?).report(table);
    Ok(())
}

/// How the ticks of the healthy providers were handled.
#[derive(Debug, Default)]
struct TickCounts {
    due: usize,
    once: usize,
    missed: usize,
    doubled: usize,
    late: usize,
    delays: Samples,
}

/// The starts of the runs of each tick, by provider and tick.
type RunStarts = BTreeMap<(String, i64), Vec<i64>>;

impl TickCounts {
    fn count(started: UtcInstant, ended: UtcInstant, runs: &RunStarts) -> Self {
        let mut ticks = Self::default();
        // Ticks during the start and the shutdown of the workers are ignored.
        let first = (started.0 / TICK_MICROS + 2) * TICK_MICROS;
        let last = started.0 + i64::try_from(MINUTE.as_micros()).unwrap_or(0) - LATE_MICROS;
        let last = last.min(ended.0);
        for number in 2..PROVIDERS {
            let mut tick = first;
            while tick <= last {
                ticks.due += 1;
                match runs.get(&(format!("provider-{number}"), tick)).map(Vec::as_slice) {
                    None | Some([]) => ticks.missed += 1,
                    Some([start]) => {
                        ticks.once += 1;
                        ticks.late += usize::from(start - tick > LATE_MICROS);
                        ticks.delays.push(Duration::from_micros(u64::try_from(start - tick).unwrap_or(0)));
                    }
                    Some(_) => ticks.doubled += 1,
                }
                tick += TICK_MICROS;
            }
        }
        ticks
    }

    fn report(&self, table: &mut Table) {
        let Self { due, once, missed, doubled, late, delays } = self;
        let [median, most] = [0.5, 1.0].map(|share| delays.quantile(share).unwrap_or(0.0));
        let marquee = format!(
            "{due} ticks: {once} handled once, {missed} missed, {doubled} handled twice, {late} late (delay: median {median:.2} s, max {most:.2} s)"
        );
        let is_met = *due > 0 && missed + doubled + late == 0;
        let work = format!("{PROVIDERS} providers, {WORKERS} workers, one hanging, one failing: ticks of the healthy providers");
        table.absolute(&work, &marquee, "all handled once, on time", is_met);
    }
}

async fn ticks(database: &TestDatabase) -> Result<RunStarts, Failure> {
    let connection = database.connect(ConnectionRole::Worker).await;
    let query = "SELECT p.slug, r.tick_at, r.started_at FROM sync_run r JOIN provider p ON p.id = r.provider_id \
                    WHERE r.tick_at IS NOT NULL AND r.state <> 'queued'";
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), query)).await;
    let rows = rows.map_err(|error| format!("cannot read ticks from the ledger: {error}"))?;
    let mut answered = RunStarts::new();
    for row in rows {
        let started_at: i64 = row.try_get_by_index(2)?;
        answered.entry((row.try_get_by_index(0)?, row.try_get_by_index(1)?)).or_default().push(started_at);
    }
    connection.close().await?;
    Ok(answered)
}

/// Syncs a changing provider every second for a minute, on SQLite, and adds its ledger below the table.
pub(crate) async fn measure_ledger(table: &mut Table) -> Result<(), Failure> {
    let (address, _stops) = serve_provider(SimCatalogue { events: 2_000, churn: 1.0, ..SimCatalogue::default() }).await?;
    let entry = BenchProvider { slug: SLUG, url: &address, schedule: "* * * * * *" };
    let stack = BenchStack::new(Backend::Sqlite, &[entry]).await?;
    let outcome = run_workers(&stack, 1).await;
    let summary = match outcome {
        Ok(()) => summarize_ledger(&stack.database).await,
        Err(failure) => Err(failure),
    };
    stack.remove().await;
    let (runs, text) = summary?;
    table.figure("runs in a minute: 2,000 events, 1 % change with each response", &runs.to_string());
    table.note(text);
    Ok(())
}

/// The number of runs, and a table of runs by state.
async fn summarize_ledger(database: &TestDatabase) -> Result<(usize, String), Failure> {
    let connection = database.connect(ConnectionRole::Worker).await;
    let query = "SELECT state, started_at, coalesce(ended_at, started_at), inserted, updated, unchanged, \"left\", rejected FROM sync_run ORDER BY id";
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), query)).await?;
    let mut states: BTreeMap<String, (usize, Samples, [i64; 5])> = BTreeMap::new();
    for row in &rows {
        let (runs, durations, sums) = states.entry(row.try_get_by_index(0)?).or_default();
        let [started, ended]: [i64; 2] = [row.try_get_by_index(1)?, row.try_get_by_index(2)?];
        *runs += 1;
        durations.push(Duration::from_micros(u64::try_from(ended - started)?));
        for (place, sum) in sums.iter_mut().enumerate() {
            *sum += i64::from(row.try_get_by_index::<i32>(place + 3)?);
        }
    }
    connection.close().await?;
    let mut text =
        "| state | runs | p50 | p95 | inserted | updated | unchanged | left | rejected |\n|---|---|---|---|---|---|---|---|---|"
            .to_owned();
    for (state, (runs, durations, [inserted, updated, unchanged, left, rejected])) in &states {
        let [half, most] = [0.5, 0.95].map(|share| durations.quantile(share).unwrap_or(0.0) * 1000.0);
        text += &format!(
            "\n| {state} | {runs} | {half:.0} ms | {most:.0} ms | {inserted} | {updated} | {unchanged} | {left} | {rejected} |"
        );
    }
    Ok((rows.len(), text))
}

async fn serve_provider(catalogue: SimCatalogue) -> Result<(String, DropGuard), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}/feed", listener.local_addr()?);
    let stop = CancellationToken::new();
    tokio::spawn(provider_sim::serve(listener, SimProvider::new(catalogue), stop.clone()));
    Ok((address, stop.drop_guard()))
}

/// Runs workers for a minute and shuts them down.
async fn run_workers(stack: &BenchStack, count: usize) -> Result<(), Failure> {
    progress(format_args!("running {count} workers for {} s", MINUTE.as_secs()));
    let mut workers = Vec::new();
    for _ in 0..count {
        workers.push(stack.worker_command(&["run"])?.spawn()?);
    }
    let until = Instant::now() + MINUTE;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(200)).await;
        for worker in &mut workers {
            if let Some(status) = worker.try_wait()? {
                return Err(format!("a worker exited with {status}: {}", stack.log_tail()).into());
            }
        }
    }
    for worker in &workers {
        process::send_signal(worker, "TERM").await?;
    }
    for worker in &mut workers {
        tokio::time::timeout(DRAIN, worker.wait()).await.map_err(|_| "a worker did not shut down")??;
    }
    Ok(())
}
