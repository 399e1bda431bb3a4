//! Overload: misses up to the peak throughput, then at twice its rate; and memory with a full cache.

use std::time::Duration;

use super::{ROWS, SearchStack, report_peak_memory};
use crate::{
    Failure,
    load::LoadSettings,
    table::{Table, progress},
};

/// Concurrent requests, to find the peak.
const STEPS: [usize; 5] = [4, 16, 32, 64, 128];
/// Connections of the overload: enough that the server must reject requests.
const CLIENTS: usize = 768;
/// The overload relative to the peak.
const TIMES: f64 = 2.0;
/// Ignored at the start of the load, while connections are opened.
const SETTLE_SECONDS: f64 = 1.0;
/// Minimum goodput relative to the peak.
const OF_PEAK: f64 = 0.9;
/// More requests than are sent in a second.
const RANGES_PER_SECOND: f64 = 15_000.0;
/// Rows of the responses that fill the cache, and the number of connections.
const BIG_ROWS: u64 = 200;
const FILLERS: usize = 16;

pub(super) async fn measure(stack: &SearchStack<'_>, table: &mut Table) -> Result<(), Failure> {
    let api = stack.api(|_| ()).await?;
    let seconds = stack.settings.turn_seconds();
    let (mut peak, mut peak_at) = (0.0_f64, 0);
    let mut course = Vec::new();
    for connections in STEPS {
        progress(format_args!("misses with {connections} connections"));
        let load = LoadSettings::closed(api.address, connections, seconds).once();
        let report = load.run(&stack.ranges.new_paths((RANGES_PER_SECOND * seconds) as u64, ROWS)).await?;
        let good = report.good_per_second();
        course.push(format!("{connections}: {good:.0}/s"));
        if good > peak {
            (peak, peak_at) = (good, connections);
        }
    }
    let rate = peak * TIMES;
    progress(format_args!("twice the peak: {rate:.0}/s"));
    let seconds = seconds * 2.0;
    let load = LoadSettings::open(api.address, CLIENTS, seconds, rate).once();
    let report = load.run(&stack.ranges.new_paths((rate * seconds) as u64 + 1, ROWS)).await?;
    let goodput = report.good_per_second_between(SETTLE_SECONDS, seconds);
    table.absolute(
        &format!("goodput at twice the maximum load ({rate:.0}/s, {CLIENTS} connections), misses only"),
        &format!(
            "{goodput:.0}/s of {peak:.0}/s = {:.2} (peak with {peak_at} connections; {})",
            goodput / peak,
            course.join(", ")
        ),
        &format!("at least {OF_PEAK} x its peak"),
        goodput >= OF_PEAK * peak,
    );
    let others = report.errors() - report.refused.count;
    let without = report.count(|kind| kind.status == 503 && !kind.has_retry_after);
    let is_prompt = report.refused.p99() < Duration::from_millis(100);
    table.absolute(
        "rejected requests",
        &format!("{}; without Retry-After: {without}; other errors: {others} ({})", report.refused.text(), report.counts()),
        "503 with Retry-After, p99 < 100 ms, no other errors",
        without == 0 && others == 0 && is_prompt,
    );
    table.figure("accepted requests", &report.good.text());
    Ok(())
}

/// Requests more data than the cache can store.
pub(super) async fn memory(stack: &SearchStack<'_>, table: &mut Table) -> Result<(), Failure> {
    let api = stack.api(|_| ()).await?;
    let seconds = stack.settings.turn_seconds() * 2.0;
    let paths = stack.ranges.new_paths((RANGES_PER_SECOND * seconds) as u64, BIG_ROWS);
    let report = LoadSettings::closed(api.address, FILLERS, seconds).once().run(&paths).await?;
    if report.errors() > 0 {
        return Err(format!("not all responses had status 200: {}", report.counts()).into());
    }
    let when = format!(
        "after {} responses of {BIG_ROWS} rows, about {} MiB",
        report.good.count,
        report.good.count * BIG_ROWS * 220 / 1_048_576
    );
    report_peak_memory(&api, &when, table);
    Ok(())
}
