//! Changes: how soon a stream has them, what a thousand streams cost, and how many messages a worker delivers to webhooks.
//!
//! One API and one worker on PostgreSQL. Events are changed by pushes, so that the time of a change is known.

mod site;
mod stream;
mod webhooks;

use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};

use self::{
    site::ChangesSite,
    stream::{ReceivedLog, StreamReader},
};
use crate::{
    Failure,
    settings::ChangesSettings,
    table::{Table, progress},
};

/// Events of the catalogue.
const EVENTS: u64 = 20_000;
/// Maximum time from a commit to a stream on an idle system, p99.
const STREAMED_WITHIN: Duration = Duration::from_secs(1);
/// Maximum memory of an API with all streams.
const PEAK_MIB: u64 = 150;
/// Minimum number of messages per second.
const MESSAGES_PER_SECOND: f64 = 1_000.0;
/// A change that takes longer counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// Describes the benchmark, for the head of the table.
pub(crate) fn describe(settings: &ChangesSettings) -> String {
    format!(
        "{EVENTS} events; {} single changes; {} streams for {} s with {} changes/s; 1 API, 1 worker; the streams and the receiver of webhooks \
         run in the process of the benchmark, on the same cores; programs log with LOG_FILTER=warn",
        settings.changes, settings.streams, settings.seconds, settings.rate
    )
}

pub(crate) async fn measure(settings: &ChangesSettings, table: &mut Table) -> Result<(), Failure> {
    let site = ChangesSite::start().await?;
    let outcome = measure_on(&site, settings, table).await;
    site.remove().await;
    outcome
}

async fn measure_on(site: &ChangesSite, settings: &ChangesSettings, table: &mut Table) -> Result<(), Failure> {
    let beginning = site.read_log("").await?.end;
    measure_latency(site, settings, table).await?;
    measure_streams(site, settings, table).await?;
    webhooks::measure(site, &beginning, table).await
}

/// One change after the other, on an idle system.
async fn measure_latency(site: &ChangesSite, settings: &ChangesSettings, table: &mut Table) -> Result<(), Failure> {
    progress(format_args!("{} single changes", settings.changes));
    let reader = StreamReader::open(site.address(), &site.read_log("").await?.end).await?;
    for number in 0..settings.changes {
        site.push(number..number + 1).await?;
        reader.wait_for(number + 1, PATIENCE).await?;
        // A random pause, so that pushes are not in phase with the programs' polling.
        sleep(Duration::from_millis(50 + number * 37 % 600)).await;
    }
    let received = reader.close().await?;
    let p99 = received.delays.quantile(0.99).unwrap_or_default();
    let figure = format!("{:.0} ms; {}", p99 * 1e3, received.delays.text());
    table.absolute("from a commit to a stream, p99", &figure, "1 s", p99 <= STREAMED_WITHIN.as_secs_f64());
    Ok(())
}

/// Many streams that receive every change.
async fn measure_streams(site: &ChangesSite, settings: &ChangesSettings, table: &mut Table) -> Result<(), Failure> {
    progress(format_args!("{} streams with {} changes/s for {} s", settings.streams, settings.rate, settings.seconds));
    let position = site.read_log("").await?.end;
    let mut readers = Vec::new();
    for _ in 0..settings.streams {
        readers.push(StreamReader::open(site.address(), &position).await?);
    }
    let (started, before) = (tokio::time::Instant::now(), site.api_usage()?);
    for second in 0..settings.seconds {
        sleep_until(started + Duration::from_secs(second)).await;
        let first = second * settings.rate % (EVENTS - settings.rate);
        site.push(first..first + settings.rate).await?;
    }
    let expected = settings.seconds * settings.rate;
    let waiting = Instant::now();
    for reader in &readers {
        reader.wait_for(expected, PATIENCE.saturating_sub(waiting.elapsed())).await?;
    }
    let (seconds, after) = (started.elapsed().as_secs_f64(), site.api_usage()?);
    let log = site.read_log(&position).await?.log;
    let (mut incomplete, mut probe) = (0, ReceivedLog::default());
    for reader in readers {
        let received = reader.close().await?;
        incomplete += u64::from(received.log != log);
        probe = received;
    }
    let work = format!("{} streams with {} changes/s", settings.streams, settings.rate);
    let peak = after.peak_kib / 1024;
    table.absolute(
        &format!("{work}: peak memory of the API"),
        &format!("{peak} MiB"),
        &format!("{PEAK_MIB} MiB"),
        peak < PEAK_MIB,
    );
    table.absolute(&format!("{work}: streams that differ from the log"), &incomplete.to_string(), "0", incomplete == 0);
    table.figure(
        &format!("{work}: from a commit to a stream, p99"),
        &format!("{:.0} ms", probe.delays.quantile(0.99).unwrap_or_default() * 1e3),
    );
    let cores = (after.cpu - before.cpu).as_secs_f64() / seconds;
    table.figure(&format!("{work}: cores that the API uses"), &format!("{cores:.2}"));
    Ok(())
}
