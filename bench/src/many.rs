//! Many providers and workers for a minute of real time, told from the ledger; and the ledger of a day in a minute.

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
    Failure,
    house::{Entry, House, SLUG},
    process,
    samples::Samples,
    table::{Table, progress},
};

const PROVIDERS: usize = 200;
const WORKERS: usize = 4;
/// How long the workers run.
const MINUTE: Duration = Duration::from_secs(60);
/// Time between two ticks of one provider.
const TICK_MICROS: i64 = 10_000_000;
/// A run that starts later than this after its tick is late.
const LATE_MICROS: i64 = 2_000_000;
/// How long workers may take to end when told to.
const DRAIN: Duration = Duration::from_secs(60);

/// 200 providers that tick every ten seconds, one of them hanging and one failing, and four workers.
pub(crate) async fn measure(table: &mut Table) -> Result<(), Failure> {
    let (address, _stops) = provider(SimCatalogue { events: 20, churn: 5.0, ..SimCatalogue::default() }).await?;
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
    let entries: Vec<Entry<'_>> = named.iter().map(|(slug, url)| Entry { slug, url, schedule: "*/10 * * * * *" }).collect();
    let house = House::new(Backend::Postgres, &entries).await?;
    let begun = UtcInstant::now();
    let outcome = run_workers(&house, WORKERS).await;
    let ended = UtcInstant::now();
    let ticks = match outcome {
        Ok(()) => ticks(&house.database).await,
        Err(failure) => Err(failure),
    };
    house.remove().await;
    Ticks::of(begun, ended, &ticks?).enter(table);
    Ok(())
}

/// Which ticks of the healthy providers were answered and how.
#[derive(Debug, Default)]
struct Ticks {
    due: usize,
    once: usize,
    missed: usize,
    doubled: usize,
    late: usize,
    delays: Samples,
}

/// The start of each run that answers a tick, by provider and tick.
type Answered = BTreeMap<(String, i64), Vec<i64>>;

impl Ticks {
    fn of(begun: UtcInstant, ended: UtcInstant, answered: &Answered) -> Self {
        let mut ticks = Self::default();
        // The first ticks fall into the start of the workers, the last one into their end.
        let first = (begun.0 / TICK_MICROS + 2) * TICK_MICROS;
        let last = begun.0 + i64::try_from(MINUTE.as_micros()).unwrap_or(0) - LATE_MICROS;
        let last = last.min(ended.0);
        for number in 2..PROVIDERS {
            let mut tick = first;
            while tick <= last {
                ticks.due += 1;
                match answered.get(&(format!("provider-{number}"), tick)).map(Vec::as_slice) {
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

    fn enter(&self, table: &mut Table) {
        let Self { due, once, missed, doubled, late, delays } = self;
        let [median, most] = [0.5, 1.0].map(|share| delays.quantile(share).unwrap_or(0.0));
        let ours = format!(
            "{due} ticks due: {once} run once, {missed} missed, {doubled} doubled, {late} late (start after tick: median {median:.2} s, most {most:.2} s)"
        );
        let is_met = *due > 0 && missed + doubled + late == 0;
        let work = format!("{PROVIDERS} providers, {WORKERS} workers, one hanging, one failing: the healthy ones");
        table.absolute(&work, &ours, "all once, on time", is_met);
    }
}

async fn ticks(database: &TestDatabase) -> Result<Answered, Failure> {
    let connection = database.connect(ConnectionRole::Worker).await;
    let question = "SELECT p.slug, r.tick_at, r.started_at FROM sync_run r JOIN provider p ON p.id = r.provider_id \
                    WHERE r.tick_at IS NOT NULL AND r.state <> 'queued'";
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), question)).await;
    let rows = rows.map_err(|error| format!("the ledger does not tell ticks (no sync_run.tick_at?): {error}"))?;
    let mut answered = Answered::new();
    for row in rows {
        let started_at: i64 = row.try_get_by_index(2)?;
        answered.entry((row.try_get_by_index(0)?, row.try_get_by_index(1)?)).or_default().push(started_at);
    }
    connection.close().await?;
    Ok(answered)
}

/// One provider that changes and ticks every second for a minute, on SQLite: its ledger is noted below the table.
pub(crate) async fn day(table: &mut Table) -> Result<(), Failure> {
    let (address, _stops) = provider(SimCatalogue { events: 2_000, churn: 1.0, ..SimCatalogue::default() }).await?;
    let entry = Entry { slug: SLUG, url: &address, schedule: "* * * * * *" };
    let house = House::new(Backend::Sqlite, &[entry]).await?;
    let outcome = run_workers(&house, 1).await;
    let summary = match outcome {
        Ok(()) => ledger_summary(&house.database).await,
        Err(failure) => Err(failure),
    };
    house.remove().await;
    let (runs, text) = summary?;
    table.figure("runs of a day in a minute: 2,000 events, 1 % changing with each full answer", &runs.to_string());
    table.note(text);
    Ok(())
}

/// How many runs there are, and a table of them by state.
async fn ledger_summary(database: &TestDatabase) -> Result<(usize, String), Failure> {
    let connection = database.connect(ConnectionRole::Worker).await;
    let question = "SELECT state, started_at, coalesce(ended_at, started_at), inserted, updated, unchanged, \"left\", rejected FROM sync_run ORDER BY id";
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), question)).await?;
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

async fn provider(catalogue: SimCatalogue) -> Result<(String, DropGuard), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}/feed", listener.local_addr()?);
    let stop = CancellationToken::new();
    tokio::spawn(provider_sim::serve(listener, SimProvider::new(catalogue), stop.clone()));
    Ok((address, stop.drop_guard()))
}

/// Lets workers run for a minute and tells them to end.
async fn run_workers(house: &House, count: usize) -> Result<(), Failure> {
    progress(format_args!("{count} workers run for {} s", MINUTE.as_secs()));
    let mut workers = Vec::new();
    for _ in 0..count {
        workers.push(house.worker(&["run"])?.spawn()?);
    }
    let until = Instant::now() + MINUTE;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(200)).await;
        for worker in &mut workers {
            if let Some(status) = worker.try_wait()? {
                return Err(format!("a worker ended with {status}: {}", house.log_end()).into());
            }
        }
    }
    for worker in &workers {
        process::signal(worker, "TERM").await?;
    }
    for worker in &mut workers {
        tokio::time::timeout(DRAIN, worker.wait()).await.map_err(|_| "a worker did not end when told to")??;
    }
    Ok(())
}
