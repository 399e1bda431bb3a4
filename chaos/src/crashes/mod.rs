//! Syncs and pushes while the API and the workers are killed at random moments: the log of changes must equal what a replay computes, with
//! no change twice and none missing, for readers of pages and of the stream.

mod pushes;
mod replay;
mod site;
mod stream;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use programs::Failure;
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use self::{
    pushes::{AcceptedPushes, push_all, title_of},
    replay::{CatalogueCopy, Differences, position_of},
    site::{PATIENCE, Site},
    stream::Received,
};
use crate::{
    client::Client,
    deployment::{Deployment, PUSHED},
    matrix::Storage,
    settings::CrashSettings,
    table::{Table, report_progress},
};

/// The time between two kills, and until the program is started again, in milliseconds. The programs must get some work done in between.
const KILL_PAUSE: std::ops::Range<u64> = 200..1_500;
const DOWN_TIME: std::ops::Range<u64> = 0..200;
/// The time between two copies.
const COPY_PAUSE: std::ops::Range<u64> = 500..3_000;

/// What happened.
#[derive(Debug, Default)]
struct Totals {
    syncs: u64,
    pushes: u64,
    api_kills: u64,
    worker_kills: u64,
    changes: usize,
    copies: usize,
    connections: u64,
    differences: Differences,
}

/// Runs the trial on each database.
pub(crate) async fn run(settings: &CrashSettings) -> Result<Table, Failure> {
    let mut table = Table::new(&[
        "database",
        "syncs",
        "pushes",
        "kills of the API",
        "kills of workers",
        "changes",
        "copies",
        "connections of the stream",
        "twice",
        "missing",
        "contradictions",
    ]);
    for storage in [Storage::Postgres, Storage::Sqlite] {
        if settings.database.is_none_or(|database| database == storage) {
            let totals = measure(storage, settings).await?;
            table.add(totals.cells(storage), &totals.differences.describe());
        }
    }
    Ok(table)
}

async fn measure(storage: Storage, settings: &CrashSettings) -> Result<Totals, Failure> {
    report_progress(format_args!("{storage:?}: {} syncs and {} pushes", settings.syncs, settings.pushes));
    let mut site = Site::start(storage).await?;
    let start = read_end(&site.client).await?;
    let first = copy_completely(&site.client).await?;
    let (stop, (last, received)) = (CancellationToken::new(), watch::channel(start.clone()));
    let _stop_on_failure = stop.clone().drop_guard();
    let copies = tokio::spawn(copy_repeatedly(site.client.clone(), stop.clone()));
    let streaming = tokio::spawn(stream::read(site.deployment.apis[0].address, start.clone(), last, stop.clone()));
    let (accepted, mut totals) = kill_until_done(&mut site, settings).await?;

    let expected = settings.pushes + 1;
    site.wait_until("all pushes are applied", async || Ok(site.count_pushes().await? == expected)).await?;
    let end = copy_completely(&site.client).await?;
    let log = read_log(&site.client, &start, &end).await?;
    let last_cursor = log.last().and_then(|change| change["cursor"].as_str()).ok_or("the log is empty")?.to_owned();
    site.wait_until("the stream has all changes", async || {
        Ok(position_of(&received.borrow())?.order() >= position_of(&last_cursor)?.order())
    })
    .await?;
    stop.cancel();
    let received = streaming.await??;
    let mut copies = copies.await?;
    // The log was read up to the last one.
    copies.retain(|copy| copy.position.order() < end.position.order());
    copies.push(end);
    (totals.changes, totals.copies, totals.connections) = (log.len(), copies.len(), received.connections);
    let differences = &mut totals.differences;
    replay_log(first.clone(), &log, &copies, differences)?;
    compare_stream(&log, &received, differences)?;
    compare_pushes(&first, &log, &accepted, differences);
    Ok(totals)
}

/// Pushes and syncs, and kills programs until there were as many as the settings require.
async fn kill_until_done(site: &mut Site, settings: &CrashSettings) -> Result<(AcceptedPushes, Totals), Failure> {
    let (syncs_before, mut totals) = (site.count_syncs().await?, Totals::default());
    let pushing: JoinHandle<Result<AcceptedPushes, Failure>> = tokio::spawn(push_all(site.client.clone(), settings.pushes));
    while !pushing.is_finished() || totals.syncs < settings.syncs {
        sleep(random_pause(KILL_PAUSE)).await;
        let Deployment { apis, workers, .. } = &mut site.deployment;
        let (killed, count) = match fastrand::usize(0..=workers.len()) {
            0 => (&mut apis[0], &mut totals.api_kills),
            which => (&mut workers[which - 1], &mut totals.worker_kills),
        };
        killed.program.kill().await?;
        sleep(random_pause(DOWN_TIME)).await;
        killed.start().await?;
        *count += 1;
        totals.syncs = site.count_syncs().await?.saturating_sub(syncs_before);
        if (totals.api_kills + totals.worker_kills).is_multiple_of(50) {
            report_progress(format_args!("{} syncs, {} pushes", totals.syncs, site.count_pushes().await?.saturating_sub(1)));
        }
    }
    let accepted = pushing.await??;
    totals.pushes = accepted.len() as u64;
    Ok((accepted, totals))
}

fn random_pause(milliseconds: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(fastrand::u64(milliseconds))
}

/// Copies all events again and again, also while programs are killed.
async fn copy_repeatedly(client: Client, stop: CancellationToken) -> Vec<CatalogueCopy> {
    let mut copies = Vec::new();
    while stop.run_until_cancelled(sleep(random_pause(COPY_PAUSE))).await.is_some() {
        // Fails while the API does not run.
        copies.extend(copy_events(&client).await.ok().flatten());
    }
    copies
}

/// Copies all events. A copy that fails or is incomplete is made again.
async fn copy_completely(client: &Client) -> Result<CatalogueCopy, Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        match copy_events(client).await {
            Ok(Some(copy)) => return Ok(copy),
            outcome if Instant::now() > until => return Err(format!("no complete copy: {outcome:?}").into()),
            _ => sleep(random_pause(COPY_PAUSE)).await,
        }
    }
}

/// `None` if the copy is incomplete.
async fn copy_events(client: &Client) -> Result<Option<CatalogueCopy>, Failure> {
    let response = client.get("/events.ndjson").await?;
    if response.status == 200 { CatalogueCopy::parse(&String::from_utf8(response.body)?) } else { Ok(None) }
}

/// The end of the log.
async fn read_end(client: &Client) -> Result<String, Failure> {
    let mut after = String::new();
    loop {
        let page = read_page(client, &after).await?;
        page["meta"]["next"].as_str().ok_or("a page has no position")?.clone_into(&mut after);
        if page["meta"]["has_more"] == false {
            return Ok(after);
        }
    }
}

async fn read_page(client: &Client, after: &str) -> Result<Value, Failure> {
    let response = client.get(&format!("/changes?limit=1000&after={after}")).await?;
    if response.status == 200 { Ok(response.json()) } else { Err(response.describe().into()) }
}

/// The changes between a cursor and a copy, by pages.
async fn read_log(client: &Client, start: &str, end: &CatalogueCopy) -> Result<Vec<Value>, Failure> {
    let (mut log, mut after) = (Vec::new(), start.to_owned());
    loop {
        let page = read_page(client, &after).await?;
        for change in page["data"]["changes"].as_array().into_iter().flatten() {
            if position_of(change["cursor"].as_str().unwrap_or_default())?.order() > end.position.order() {
                return Ok(log);
            }
            log.push(change.clone());
        }
        page["meta"]["next"].as_str().ok_or("a page has no position")?.clone_into(&mut after);
        if page["meta"]["has_more"] == false {
            return Ok(log);
        }
    }
}

/// Applies the log to the first copy, and compares the result with each other copy at its position.
fn replay_log(
    first: CatalogueCopy,
    log: &[Value],
    copies: &[CatalogueCopy],
    differences: &mut Differences,
) -> Result<(), Failure> {
    let (mut replayed, mut copies, mut before) = (first, copies.iter().collect::<Vec<_>>(), (0, 0));
    copies.sort_by_key(|copy| copy.position.order());
    let mut copies = copies.into_iter().peekable();
    for change in log {
        let order = position_of(change["cursor"].as_str().unwrap_or_default())?.order();
        if order <= before {
            differences.twice.insert(format!("not after the change before it: {change}"));
        }
        before = order;
        while let Some(copy) = copies.next_if(|copy| copy.position.order() < order) {
            replayed.compare(copy, differences);
        }
        // The first copy contains those before it.
        if order > replayed.position.order() {
            replayed.apply(change, differences);
        }
    }
    copies.for_each(|copy| replayed.compare(copy, differences));
    Ok(())
}

/// Compares what the stream has sent with the pages.
fn compare_stream(log: &[Value], received: &Received, differences: &mut Differences) -> Result<(), Failure> {
    let pages: Vec<&str> = log.iter().filter_map(|change| change["cursor"].as_str()).collect();
    let end = position_of(pages.last().ok_or("the log is empty")?)?.order();
    let (mut streamed, mut known) = (Vec::new(), BTreeSet::new());
    for cursor in &received.cursors {
        // The stream continues beyond the pages.
        if position_of(cursor)?.order() > end {
            continue;
        }
        if !known.insert(cursor.as_str()) {
            differences.twice.insert(format!("{cursor} in the stream"));
        }
        streamed.push(cursor.as_str());
    }
    let missing = pages.iter().filter(|cursor| !known.contains(**cursor));
    differences.missing.extend(missing.map(|cursor| format!("{cursor} in the stream")));
    if streamed != pages {
        differences.contradictions.insert("the stream differs from the pages".to_owned());
    }
    Ok(())
}

/// Each push must have changed the price of two events, once.
fn compare_pushes(first: &CatalogueCopy, log: &[Value], accepted: &AcceptedPushes, differences: &mut Differences) {
    let mut counts: BTreeMap<(u64, &str), u64> = BTreeMap::new();
    let of_pushes = log.iter().filter(|change| change["provider"] == PUSHED);
    for change in of_pushes {
        let price = change["changed"]["min_price"]["new"].as_f64();
        let cents = price.map(|price| (price * 100.0).round() as u64);
        if let Some((cents, event)) = cents.zip(change["event_id"].as_str()) {
            *counts.entry((cents, event)).or_default() += 1;
        }
    }
    for push in accepted.values() {
        for event in push.events {
            let found = first.find(&title_of(event)).and_then(|id| counts.remove(&(push.cents, id)));
            if found.is_none() {
                differences.missing.insert(format!("the change of event {event} by {push:?}"));
            } else if found > Some(1) {
                differences.twice.insert(format!("the change of event {event} by {push:?}"));
            }
        }
    }
    differences.contradictions.extend(counts.keys().map(|change| format!("no push has made the change {change:?}")));
}

impl Totals {
    fn cells(&self, storage: Storage) -> Vec<String> {
        let Differences { twice, missing, contradictions } = &self.differences;
        let counts = [
            self.syncs,
            self.pushes,
            self.api_kills,
            self.worker_kills,
            self.changes as u64,
            self.copies as u64,
            self.connections,
            twice.len() as u64,
            missing.len() as u64,
            contradictions.len() as u64,
        ];
        std::iter::once(format!("{storage:?}")).chain(counts.map(|count| count.to_string())).collect()
    }
}
