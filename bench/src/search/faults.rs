//! Responses while Redis or the database is unavailable, and after its recovery.

use std::time::Duration;

use super::{
    ROWS, SearchStack,
    programs::{ApiServer, ApiSettings, RedisServer},
    switch::{ConnectionSwitch, SwitchState},
    warm,
};
use crate::{
    Failure,
    load::{ClockMoment, LoadReport, LoadSettings},
    process,
    table::{Table, progress},
};

/// Repeated ranges.
const RANGES: u64 = 200;
const CONNECTIONS: usize = 64;
/// Requests per second during faults of Redis and of the database.
const REDIS_RATE: f64 = 2_000.0;
const DATABASE_RATE: f64 = 1_000.0;
/// One in this number of requests has a new range, and is served by Redis and the database.
const NEW_EVERY: usize = 20;
/// Requests per second of the probe, which observes the API without its process cache.
const PROBE_RATE: f64 = 100.0;
const PROBE_CONNECTIONS: usize = 16;
const PROBE_RANGES: u64 = 10;
/// The maximum recovery time.
const RECOVERY: Duration = Duration::from_secs(5);
/// The maximum time until responses have a `Warning` after the database became unavailable.
const DETECTION: Duration = Duration::from_secs(2);
/// The maximum p99 without Redis, and of rejected requests.
const P99: Duration = Duration::from_millis(50);
const REFUSAL: Duration = Duration::from_millis(100);

/// Redis is killed, restarted empty, frozen and resumed.
pub(super) async fn redis(stack: &SearchStack<'_>, table: &mut Table) -> Result<(), Failure> {
    let mut redis = RedisServer::start().await?;
    let two_tiers = stack.api(|api| api.redis_url = Some(redis.url())).await?;
    // Without the process cache, each response depends on Redis.
    let redis_only = stack
        .api(|api| {
            api.redis_url = Some(redis.url());
            api.cache_mib = 0;
        })
        .await?;
    let (known, probes) = (stack.ranges.new_paths(RANGES, ROWS), stack.ranges.new_paths(PROBE_RANGES, ROWS));
    warm(two_tiers.address, &known).await?;
    warm(redis_only.address, &probes).await?;
    redis_only.get_from_redis(&probes[0]).await?;
    let phase = stack.settings.phase();
    let seconds = phase.as_secs_f64() * 5.0;
    let paths = mix_ranges(stack, &known, (REDIS_RATE * seconds) as usize);
    let load = LoadSettings::open(two_tiers.address, CONNECTIONS, seconds, REDIS_RATE);
    let probe = LoadSettings::open(redis_only.address, PROBE_CONNECTIONS, seconds, PROBE_RATE);
    let events = async {
        tokio::time::sleep(phase).await;
        progress("killing Redis");
        redis.kill().await?;
        tokio::time::sleep(phase).await;
        progress("restarting Redis");
        redis.restart().await?;
        let back = ClockMoment::now();
        tokio::time::sleep(phase).await;
        progress("freezing Redis");
        process::send_signal(&redis.process, "STOP").await?;
        let frozen = ClockMoment::now();
        tokio::time::sleep(phase).await;
        process::send_signal(&redis.process, "CONT").await?;
        Ok::<_, Failure>([back, frozen, ClockMoment::now()])
    };
    let (report, seen, moments) = tokio::join!(load.run(&paths), probe.run(&probes), events);
    let (report, seen, [back, frozen, thawed]) = (report?, seen?, moments?);
    for (tiers, report) in [("two tiers", &report), ("CACHE_MIB=0", &seen)] {
        table.absolute(
            &format!("Redis killed, restarted, frozen, resumed, {phase:?} each; {tiers}"),
            &format!("{}; errors: {} ({})", report.all.text(), report.errors(), report.counts()),
            "no error, p99 < 50 ms",
            report.errors() == 0 && report.all.p99() < P99,
        );
    }
    for (work, from, until) in [("its restart", back, frozen), ("it was resumed", thawed, ClockMoment::LAST)] {
        let settled = seen.stable_after(from, until, |interval| interval.good > 0 && interval.from_redis == interval.good);
        report_recovery(&format!("hits from Redis after {work}"), settled, table);
    }
    Ok(())
}

/// The database becomes unavailable and available again.
pub(super) async fn database(stack: &SearchStack<'_>, table: &mut Table) -> Result<(), Failure> {
    let switch = ConnectionSwitch::start(stack.small.settings.url.expose()).await?;
    let api = ApiServer::start(&ApiSettings::on(switch.url())).await?;
    let known = stack.ranges.new_paths(RANGES, ROWS);
    warm(api.address, &known).await?;
    let phase = stack.settings.phase();
    let seconds = phase.as_secs_f64();
    let load = LoadSettings::open(api.address, CONNECTIONS, seconds * 3.0, DATABASE_RATE);
    let probing = async |seconds: f64| {
        let paths = stack.ranges.new_paths((PROBE_RATE * seconds) as u64 + 1, ROWS);
        LoadSettings::open(api.address, PROBE_CONNECTIONS, seconds, PROBE_RATE).once().run(&paths).await
    };
    let events = async {
        tokio::time::sleep(phase).await;
        progress("disconnecting the database");
        let gone = ClockMoment::now();
        switch.set(SwitchState::Off);
        let away = probing(seconds).await?;
        progress("reconnecting the database");
        let back = ClockMoment::now();
        switch.set(SwitchState::On);
        Ok::<_, Failure>((gone, away, back, probing(seconds).await?))
    };
    let (cached, events) = tokio::join!(load.run(&known), events);
    let (cached, (gone, away, back, after)) = (cached?, events?);
    table.absolute(
        &format!("database unavailable for {phase:?}: cached ranges"),
        &format!("{}; errors: {} ({})", cached.all.text(), cached.errors(), cached.counts()),
        "no error",
        cached.errors() == 0,
    );
    let marked = cached.stable_after(gone, back, |interval| interval.warned == interval.good && interval.good > 0);
    let text = marked.map_or_else(|| "never".to_owned(), |after| format!("all after {:.1} s", after.as_secs_f64()));
    table.absolute("cached ranges have a Warning", &text, "within 2 s", marked.is_some_and(|after| after <= DETECTION));
    let others = away.errors() - away.refused.count + away.good.count;
    table.absolute(
        "other ranges",
        &format!("{}; other statuses than 503: {others} ({})", away.refused.text(), away.counts()),
        "503, p99 < 100 ms",
        others == 0 && away.refused.p99() < REFUSAL,
    );
    report_recovery("other ranges are served again", recovery_time(&after, back), table);
    let unmarked =
        cached.stable_after(back, ClockMoment::LAST, |interval| interval.warned == 0 && interval.others + interval.errors == 0);
    report_recovery("cached ranges have no Warning", unmarked, table);
    Ok(())
}

fn recovery_time(report: &LoadReport, back: ClockMoment) -> Option<Duration> {
    report.stable_after(back, ClockMoment::LAST, |interval| interval.good > 0 && interval.others + interval.errors == 0)
}

fn report_recovery(work: &str, settled: Option<Duration>, table: &mut Table) {
    let text = settled.map_or_else(|| "not recovered".to_owned(), |after| format!("after {:.1} s", after.as_secs_f64()));
    table.absolute(work, &text, "within 5 s", settled.is_some_and(|after| after <= RECOVERY));
}

/// The known ranges in turn, with some new ones.
fn mix_ranges(stack: &SearchStack<'_>, known: &[String], count: usize) -> Vec<String> {
    let mut new = stack.ranges.new_paths((count / NEW_EVERY + 1) as u64, ROWS).into_iter();
    let mut known = known.iter().cycle();
    let next = |number: usize| if number.is_multiple_of(NEW_EVERY) { new.next() } else { known.next().cloned() };
    (0..count).filter_map(next).collect()
}
