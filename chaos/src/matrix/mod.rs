//! The matrix of faults: every component that Marquee needs, and every way in which it can fail.

mod fault;
mod stack;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use programs::Failure;

pub(crate) use self::{
    fault::{FAULTS, Fault, Storage},
    stack::Stack,
};
use crate::{
    client::Client,
    deployment::POLLED,
    ledger::Ledger,
    load::{Load, LoadKind, LoadReport},
    settings::MatrixSettings,
    table::{Table, report_progress},
};

/// How long the load runs before a fault.
const BEFORE: Duration = Duration::from_secs(1);
/// How long a fault lasts.
const HOLD: Duration = Duration::from_secs(5);
/// Requests must succeed for this long after a fault.
const QUIET: Duration = Duration::from_secs(3);
/// The latest end of an outage after the repair.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);
/// Requests must succeed this soon after the repair.
const RECOVERY_LIMIT: Duration = Duration::from_secs(10);
/// A write must be answered within its deadline of 10 s, and a margin for a loaded machine.
const WRITE_LIMIT: Duration = Duration::from_secs(12);
/// The provider must be polled again this soon after the repair: after failures, a worker pauses it.
const POLL_LIMIT: Duration = Duration::from_secs(60);

/// What was measured.
struct Outcome {
    report: LoadReport,
    recovery: Duration,
    is_settled: bool,
    /// How long after the repair the provider was polled.
    polled_after: Option<Duration>,
    lost: usize,
}

/// Measures each fault.
pub(crate) async fn run(settings: &MatrixSettings) -> Result<Table, Failure> {
    let mut table = Table::new(&[
        "database",
        "component",
        "fault",
        "writes fail",
        "cold reads fail",
        "failed hot reads",
        "recovery",
        "polled again",
        "lost",
        "half visible",
        "500",
    ]);
    for storage in [Storage::Postgres, Storage::Sqlite] {
        let is_selected = |fault: &&Fault| {
            let is_named = |name: &String| format!("{} {}", fault.component, fault.kind).to_lowercase().contains(name.as_str());
            fault.storage.is_none_or(|of| of == storage)
                && (!settings.short || fault.is_in_short_run)
                && (settings.only.is_empty() || settings.only.iter().any(is_named))
        };
        let faults: Vec<&Fault> = FAULTS.iter().filter(is_selected).collect();
        if settings.database.is_none_or(|database| database == storage) && !faults.is_empty() {
            measure_all(storage, &faults, settings.keep_folder, &mut table).await?;
        }
    }
    Ok(table)
}

async fn measure_all(storage: Storage, faults: &[&Fault], keep_folder: bool, table: &mut Table) -> Result<(), Failure> {
    let mut stack = Stack::start(storage).await?;
    if keep_folder {
        report_progress(format_args!("logs are in {}", stack.sandbox.keep().display()));
    }
    let ledger = Arc::new(Ledger::default());
    for fault in faults {
        report_progress(format_args!("{storage:?}: {} {}", fault.component, fault.kind));
        if let Some(missing) = stack.find_missing(fault.action) {
            table.note(format!("{storage:?}: {} {} was not measured, because {missing}.", fault.component, fault.kind));
            continue;
        }
        let outcome = measure(&mut stack, fault, &ledger).await?;
        report_progress(outcome.report.describe_failures());
        table.add(outcome.cells(storage, fault), &outcome.list_missed_limits(fault));
    }
    let lost = ledger.find_lost(&Client::new(stack.deployment.apis[0].address)?, 0).await;
    table.note(format!("{storage:?}: {} acknowledged writes, {} lost at the end.", ledger.len(), lost.len()));
    if lost.is_empty() { Ok(()) } else { Err(format!("acknowledged writes are lost: {lost:?}").into()) }
}

async fn measure(stack: &mut Stack, fault: &Fault, ledger: &Arc<Ledger>) -> Result<Outcome, Failure> {
    let client = Client::new(stack.deployment.apis[0].address)?;
    let acknowledged_before = ledger.len();
    let load = Load::start(&client, ledger);
    tokio::time::sleep(BEFORE).await;
    let injected = fault.action.inject(stack).await?;
    tokio::time::sleep(HOLD).await;
    fault.action.repair(stack, injected).await?;
    let repaired = Instant::now();
    let (is_settled, polled_after) = tokio::join!(load.settle(QUIET, SETTLE_WITHIN), wait_for_poll(&client, repaired));
    let report = load.finish().await;
    let lost = ledger.find_lost(&client, acknowledged_before).await;
    if !lost.is_empty() {
        report_progress(format_args!("lost: {lost:?}"));
    }
    Ok(Outcome { recovery: report.recovery(repaired), report, is_settled, polled_after, lost: lost.len() })
}

/// The time until the next successful poll; `None` if there is none in time.
async fn wait_for_poll(client: &Client, since: Instant) -> Option<Duration> {
    let mut before = None;
    while since.elapsed() < POLL_LIMIT {
        let last = client.get("/providers").await.ok().filter(|response| response.status == 200).and_then(|response| {
            let providers = response.json();
            let polled = providers["data"]["providers"].as_array()?.iter().find(|provider| provider["slug"] == POLLED)?.clone();
            polled["last_success"].as_str().map(str::to_owned)
        });
        if let Some(last) = last
            && *before.get_or_insert_with(|| last.clone()) != last
        {
            return Some(since.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    None
}

impl Outcome {
    fn cells(&self, storage: Storage, fault: &Fault) -> Vec<String> {
        let seconds = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
        let report = &self.report;
        vec![
            format!("{storage:?}"),
            fault.component.to_owned(),
            fault.kind.to_owned(),
            seconds(report.outage(LoadKind::Write)),
            seconds(report.outage(LoadKind::ColdRead)),
            format!("{} of {}", report.failures(LoadKind::HotRead), report.count(LoadKind::HotRead)),
            seconds(self.recovery),
            self.polled_after.map_or_else(|| "never".to_owned(), seconds),
            self.lost.to_string(),
            report.half_visible().to_string(),
            report.with_status(500).to_string(),
        ]
    }

    fn list_missed_limits(&self, fault: &Fault) -> Vec<String> {
        let stops_api = fault.action.stops_api();
        let report = &self.report;
        let limits = [
            (!stops_api && report.failures(LoadKind::HotRead) > 0, "hot reads never fail"),
            (!stops_api && report.slowest(LoadKind::Write) > WRITE_LIMIT, "writes have a deadline"),
            (self.lost > 0, "no acknowledged write is lost"),
            (report.half_visible() > 0, "no batch is half visible"),
            (report.with_status(500) > 0, "no status 500"),
            (!self.is_settled || self.recovery > RECOVERY_LIMIT, "requests succeed within 10 s after the repair"),
            (self.polled_after.is_none(), "the provider is polled within 60 s after the repair"),
        ];
        limits.iter().filter(|(is_missed, _)| *is_missed).map(|(_, limit)| (*limit).to_owned()).collect()
    }
}
