//! What clients see while Redis or the database is away and when it is back.

use std::time::Duration;

use super::{
    ROWS, Stage,
    programs::{Api, ApiSettings, Redis},
    switch::{Line, Switch},
    warm,
};
use crate::{
    Failure,
    load::{LoadSettings, Moment, Report},
    process,
    table::{Table, progress},
};

/// Ranges that are asked again and again.
const RANGES: u64 = 200;
const CONNECTIONS: usize = 64;
/// Requests a second while Redis has faults, and while the database has.
const REDIS_RATE: f64 = 2_000.0;
const DATABASE_RATE: f64 = 1_000.0;
/// One request in so many is for a range that nobody asked for: it takes the way to Redis and to the database.
const NEW_EVERY: usize = 20;
/// Requests a second that tell what happens beside the tier in the process: they are to see, not to load.
const PROBE_RATE: f64 = 100.0;
const PROBE_CONNECTIONS: usize = 16;
const PROBE_RANGES: u64 = 10;
/// Normal again after at most so long.
const RECOVERY: Duration = Duration::from_secs(5);
/// An API may notice so late that the database is gone and mark its answers.
const NOTICE: Duration = Duration::from_secs(2);
/// The worst that 99 of 100 may see without Redis; and how soon what cannot be answered is refused.
const P99: Duration = Duration::from_millis(50);
const REFUSAL: Duration = Duration::from_millis(100);

/// Redis is killed, comes back empty, freezes and thaws.
pub(super) async fn redis(stage: &Stage<'_>, table: &mut Table) -> Result<(), Failure> {
    let mut redis = Redis::start().await?;
    let usual = stage.api(|api| api.redis_url = Some(redis.url())).await?;
    // Without a tier in the process each answer shows whether Redis is there.
    let seeing = stage
        .api(|api| {
            api.redis_url = Some(redis.url());
            api.cache_mib = 0;
        })
        .await?;
    let (known, probes) = (stage.ranges.new_paths(RANGES, ROWS), stage.ranges.new_paths(PROBE_RANGES, ROWS));
    warm(usual.address, &known).await?;
    warm(seeing.address, &probes).await?;
    seeing.get_from_redis(&probes[0]).await?;
    let phase = stage.settings.phase();
    let seconds = phase.as_secs_f64() * 5.0;
    let paths = mixed(stage, &known, (REDIS_RATE * seconds) as usize);
    let load = LoadSettings::open(usual.address, CONNECTIONS, seconds, REDIS_RATE);
    let probe = LoadSettings::open(seeing.address, PROBE_CONNECTIONS, seconds, PROBE_RATE);
    let events = async {
        tokio::time::sleep(phase).await;
        progress("Redis is killed");
        redis.kill().await?;
        tokio::time::sleep(phase).await;
        progress("Redis is started again");
        redis.start_again().await?;
        let back = Moment::now();
        tokio::time::sleep(phase).await;
        progress("Redis freezes");
        process::signal(&redis.process, "STOP").await?;
        let frozen = Moment::now();
        tokio::time::sleep(phase).await;
        process::signal(&redis.process, "CONT").await?;
        Ok::<_, Failure>([back, frozen, Moment::now()])
    };
    let (report, seen, moments) = tokio::join!(load.run(&paths), probe.run(&probes), events);
    let (report, seen, [back, frozen, thawed]) = (report?, seen?, moments?);
    for (whose, report) in [("two tiers", &report), ("CACHE_MIB=0", &seen)] {
        table.absolute(
            &format!("Redis killed, back, frozen, thawed, {phase:?} each; {whose}"),
            &format!("{}; errors: {} ({})", report.all.text(), report.errors(), report.counts()),
            "no error, p99 < 50 ms",
            report.errors() == 0 && report.all.p99() < P99,
        );
    }
    for (work, from, until) in [("it was started again", back, frozen), ("it thawed", thawed, Moment::LAST)] {
        let settled = seen.settled_after(from, until, |interval| interval.good > 0 && interval.from_redis == interval.good);
        enter_recovery(&format!("hits from Redis again after {work}"), settled, table);
    }
    Ok(())
}

/// The database goes away and comes back.
pub(super) async fn database(stage: &Stage<'_>, table: &mut Table) -> Result<(), Failure> {
    let switch = Switch::before(stage.small.settings.url.expose()).await?;
    let api = Api::start(&ApiSettings::on(switch.url())).await?;
    let known = stage.ranges.new_paths(RANGES, ROWS);
    warm(api.address, &known).await?;
    let phase = stage.settings.phase();
    let seconds = phase.as_secs_f64();
    let load = LoadSettings::open(api.address, CONNECTIONS, seconds * 3.0, DATABASE_RATE);
    let probing = async |seconds: f64| {
        let paths = stage.ranges.new_paths((PROBE_RATE * seconds) as u64 + 1, ROWS);
        LoadSettings::open(api.address, PROBE_CONNECTIONS, seconds, PROBE_RATE).once().run(&paths).await
    };
    let events = async {
        tokio::time::sleep(phase).await;
        progress("the database goes away");
        let gone = Moment::now();
        switch.turn(Line::Off);
        let away = probing(seconds).await?;
        progress("the database is back");
        let back = Moment::now();
        switch.turn(Line::On);
        Ok::<_, Failure>((gone, away, back, probing(seconds).await?))
    };
    let (cached, events) = tokio::join!(load.run(&known), events);
    let (cached, (gone, away, back, after)) = (cached?, events?);
    table.absolute(
        &format!("database away for {phase:?} and back: ranges in the cache"),
        &format!("{}; errors: {} ({})", cached.all.text(), cached.errors(), cached.counts()),
        "no error",
        cached.errors() == 0,
    );
    let marked = cached.settled_after(gone, back, |interval| interval.warned == interval.good && interval.good > 0);
    let text = marked.map_or_else(|| "never".to_owned(), |after| format!("all, from {:.1} s on", after.as_secs_f64()));
    table.absolute("these are marked by Warning", &text, "within 2 s", marked.is_some_and(|after| after <= NOTICE));
    let others = away.errors() - away.refused.count + away.good.count;
    table.absolute(
        "other ranges meanwhile",
        &format!("{}; others than 503: {others} ({})", away.refused.text(), away.counts()),
        "503, p99 < 100 ms",
        others == 0 && away.refused.p99() < REFUSAL,
    );
    enter_recovery("other ranges are answered again", good_again(&after, back), table);
    let unmarked =
        cached.settled_after(back, Moment::LAST, |interval| interval.warned == 0 && interval.others + interval.faults == 0);
    enter_recovery("ranges in the cache are no longer marked", unmarked, table);
    Ok(())
}

fn good_again(report: &Report, back: Moment) -> Option<Duration> {
    report.settled_after(back, Moment::LAST, |interval| interval.good > 0 && interval.others + interval.faults == 0)
}

fn enter_recovery(work: &str, settled: Option<Duration>, table: &mut Table) {
    let text = settled.map_or_else(|| "not to the end".to_owned(), |after| format!("after {:.1} s", after.as_secs_f64()));
    table.absolute(work, &text, "within 5 s", settled.is_some_and(|after| after <= RECOVERY));
}

/// The known ranges in turn, with a new one here and there.
fn mixed(stage: &Stage<'_>, known: &[String], count: usize) -> Vec<String> {
    let mut new = stage.ranges.new_paths((count / NEW_EVERY + 1) as u64, ROWS).into_iter();
    let mut known = known.iter().cycle();
    let next = |number: usize| if number.is_multiple_of(NEW_EVERY) { new.next() } else { known.next().cloned() };
    (0..count).filter_map(next).collect()
}
