//! Hits in Redis, without a process cache, compared with GETs of the same value.

use ::redis::AsyncCommands;
use tokio::process::Command;

use super::{ROWS, SearchStack, programs::RedisServer, ranges, warm};
use crate::{
    Failure,
    load::{LoadSettings, ResponseTier},
    samples::Samples,
    table::{Table, progress},
};

const CONNECTIONS: usize = 32;
/// Minimum ratio to the rate of GETs.
const OF_GET: f64 = 0.5;
/// The key of the baseline, which no key of the API equals.
const KEY: &str = "bench:value";

pub(super) async fn measure(stack: &SearchStack<'_>, table: &mut Table) -> Result<(), Failure> {
    let redis = RedisServer::start().await?;
    let api = stack
        .api(|api| {
            api.is_single_threaded = true;
            api.redis_url = Some(redis.url());
            api.cache_mib = 0;
        })
        .await?;
    let paths = vec![ranges::path(stack.ranges.new_bounds(1)[0], ROWS)];
    warm(api.address, &paths).await?;
    let body = api.get_from_redis(&paths[0]).await?;
    let mut connection = ::redis::Client::open(redis.url())?.get_multiplexed_async_connection().await?;
    let () = connection.set(KEY, body).await?;
    let (mut marquee, mut baseline) = (Samples::per_second(), Samples::per_second());
    for round in 1..=stack.settings.rounds {
        progress(format_args!("hit in Redis, round {round} of {}", stack.settings.rounds));
        let report = LoadSettings::closed(api.address, CONNECTIONS, stack.settings.turn_seconds()).run(&paths).await?;
        if report.errors() > 0 || report.share_from(ResponseTier::Redis) < 0.99 {
            return Err(format!("not all responses came from Redis: {}", report.counts()).into());
        }
        marquee.push_number(report.good_per_second());
        baseline.push_number(measure_gets(stack, &redis).await?);
    }
    table.ratio_at_least("hit in Redis, CACHE_MIB=0; baseline: async GETs of the body, 32 tasks", &marquee, &baseline, OF_GET);
    Ok(())
}

async fn measure_gets(stack: &SearchStack<'_>, redis: &RedisServer) -> Result<f64, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["redis-get", "--url", &redis.url(), "--key", KEY, "--tasks", &CONNECTIONS.to_string()]);
    command.args(["--seconds", &stack.settings.turn_seconds().to_string()]);
    let output = command.kill_on_drop(true).output().await?;
    if !output.status.success() {
        return Err(format!("the baseline failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}
