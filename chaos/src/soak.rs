//! All faults again and again, for a long time, under load: memory, open files, rows and the age of the copy at the start and at the end.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use programs::{Failure, sample_usage};

use crate::{
    client::Client,
    deployment::POLLED,
    ledger::Ledger,
    load::{Load, LoadKind},
    matrix::{FAULTS, Fault, Stack},
    settings::SoakSettings,
    table::{Table, report_progress},
};

/// How long a fault lasts, and the time without a fault after it.
const HOLD: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(10);
/// The load runs this long before the first measurement, so that caches and pools are filled.
const WARM_UP: Duration = Duration::from_secs(60);
/// The load continues this long after the last fault.
const CALM: Duration = Duration::from_secs(30);
/// The end is measured this long after the load: the API retains an idle connection for 75 s.
const IDLE: Duration = Duration::from_secs(90);
/// Memory of a program may grow by this much: fragmentation, and logs of more versions.
const GROWTH_LIMIT_KIB: u64 = 64 * 1024;
/// Open files may differ by this much: the pools grow and shrink with the load.
const FILES_LIMIT: u64 = 32;
/// The polled copy may be this old.
const LAG_LIMIT_SECONDS: u64 = 10;

/// One value at the start and at the end.
struct Reading {
    what: String,
    value: u64,
    unit: &'static str,
    /// By how much it may grow.
    growth_limit: Option<u64>,
}

/// Runs for the time of the settings.
pub(crate) async fn run(settings: &SoakSettings) -> Result<Table, Failure> {
    let until = Instant::now() + Duration::from_secs(settings.minutes * 60);
    let mut stack = Stack::start(settings.database).await?;
    let client = Client::new(stack.deployment.apis[0].address)?;
    let ledger = Arc::new(Ledger::default());
    let load = Load::start(&client, &ledger);
    tokio::time::sleep(WARM_UP).await;
    let before = read_all(&stack, &client).await?;
    let faults = inject_until(&mut stack, until - IDLE - CALM).await?;
    tokio::time::sleep((until - IDLE).saturating_duration_since(Instant::now())).await;
    let report = load.finish().await;
    tokio::time::sleep(until.saturating_duration_since(Instant::now())).await;
    let after = read_all(&stack, &client).await?;

    let mut table = Table::new(&["what", "start", "end"]);
    for (before, after) in before.iter().zip(&after) {
        let missed = match before.growth_limit {
            Some(limit) if after.value > before.value + limit => vec![format!("at most {limit} {} more", before.unit)],
            _ => Vec::new(),
        };
        let cell = |reading: &Reading| format!("{} {}", reading.value, reading.unit);
        table.add(vec![before.what.clone(), cell(before), cell(after)], &missed);
    }
    let lost = ledger.find_lost(&client, 0).await;
    table.note(format!("{faults} faults, {} acknowledged writes, {} lost.", ledger.len(), lost.len()));
    let counts = LoadKind::ALL.map(|kind| format!("{} of {} {kind:?}", report.failures(kind), report.count(kind)));
    table.note(format!("Failed: {}. {}", counts.join(", "), report.describe_failures()));
    let is_broken = report.with_status(500) > 0 || report.half_visible() > 0;
    if lost.is_empty() && !is_broken {
        return Ok(table);
    }
    table.print();
    Err(format!("status 500, half visible batches or lost writes: {lost:?}").into())
}

/// Causes all faults in turn, and returns their number.
async fn inject_until(stack: &mut Stack, until: Instant) -> Result<usize, Failure> {
    let storage = stack.storage;
    let is_possible = |fault: &&Fault| fault.storage.is_none_or(|of| of == storage) && stack.find_missing(fault.action).is_none();
    let possible: Vec<&Fault> = FAULTS.iter().filter(is_possible).collect();
    let mut count = 0;
    for fault in possible.iter().cycle() {
        if Instant::now() > until {
            break;
        }
        report_progress(format_args!("{} {}", fault.component, fault.kind));
        let injected = fault.action.inject(stack).await?;
        tokio::time::sleep(HOLD).await;
        fault.action.repair(stack, injected).await?;
        tokio::time::sleep(PAUSE).await;
        count += 1;
    }
    Ok(count)
}

async fn read_all(stack: &Stack, client: &Client) -> Result<Vec<Reading>, Failure> {
    let mut readings = Vec::new();
    for server in stack.deployment.apis.iter().chain(&stack.deployment.workers) {
        let id = server.program.id().ok_or_else(|| format!("{} does not run", server.program.name))?;
        let usage = sample_usage(id).ok_or_else(|| format!("{} has exited", server.program.name))?;
        let files = fs::read_dir(format!("/proc/{id}/fd"))?.count() as u64;
        let name = &server.program.name;
        let limited = |what: &str, value, unit, limit| Reading {
            what: format!("{what} of {name}"),
            value,
            unit,
            growth_limit: Some(limit),
        };
        readings.push(limited("memory", usage.resident_kib, "KiB", GROWTH_LIMIT_KIB));
        readings.push(limited("open files", files, "", FILES_LIMIT));
    }
    for (table, rows) in stack.count_rows().await? {
        readings.push(Reading { what: format!("rows of {table}"), value: rows.unsigned_abs(), unit: "", growth_limit: None });
    }
    let providers = client.get("/providers").await?.json();
    let polled = providers["data"]["providers"].as_array().into_iter().flatten().find(|provider| provider["slug"] == POLLED);
    let age = polled.and_then(|provider| provider["age_seconds"].as_u64()).ok_or("the provider was never polled")?;
    readings.push(Reading { what: "age of the copy".to_owned(), value: age, unit: "s", growth_limit: Some(LAG_LIMIT_SECONDS) });
    Ok(readings)
}
