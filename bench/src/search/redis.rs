//! A hit in Redis: ours without a tier in the process, beside bare GETs of the same value.

use ::redis::AsyncCommands;
use tokio::process::Command;

use super::{ROWS, Stage, programs::Redis, ranges, warm};
use crate::{
    Failure,
    load::{LoadSettings, Source},
    samples::Samples,
    table::{Table, progress},
};

const CONNECTIONS: usize = 32;
/// At least so much of the rate of bare GETs.
const OF_GET: f64 = 0.5;
/// The peer's key: no key of the API looks like it.
const KEY: &str = "bench:value";

pub(super) async fn measure(stage: &Stage<'_>, table: &mut Table) -> Result<(), Failure> {
    let redis = Redis::start().await?;
    let api = stage
        .api(|api| {
            api.is_single_threaded = true;
            api.redis_url = Some(redis.url());
            api.cache_mib = 0;
        })
        .await?;
    let paths = vec![ranges::path(stage.ranges.new_bounds(1)[0], ROWS)];
    warm(api.address, &paths).await?;
    let body = api.get_from_redis(&paths[0]).await?;
    let mut connection = ::redis::Client::open(redis.url())?.get_multiplexed_async_connection().await?;
    let () = connection.set(KEY, body).await?;
    let (mut ours, mut peer) = (Samples::per_second(), Samples::per_second());
    for round in 1..=stage.settings.rounds {
        progress(format_args!("hit in Redis, round {round} of {}", stage.settings.rounds));
        let report = LoadSettings::closed(api.address, CONNECTIONS, stage.settings.turn_seconds()).run(&paths).await?;
        if report.errors() > 0 || report.share_from(Source::Redis) < 0.99 {
            return Err(format!("not all answers came from Redis: {}", report.counts()).into());
        }
        ours.push_number(report.good_per_second());
        peer.push_number(bare(stage, &redis).await?);
    }
    table.ratio_at_least("hit in Redis, CACHE_MIB=0; peer: bare async GETs of the body, 32 tasks", &ours, &peer, OF_GET);
    Ok(())
}

async fn bare(stage: &Stage<'_>, redis: &Redis) -> Result<f64, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["redis-get", "--url", &redis.url(), "--key", KEY, "--tasks", &CONNECTIONS.to_string()]);
    command.args(["--seconds", &stage.settings.turn_seconds().to_string()]);
    let output = command.kill_on_drop(true).output().await?;
    if !output.status.success() {
        return Err(format!("the peer failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}
