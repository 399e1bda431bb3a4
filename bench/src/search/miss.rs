//! Misses: requests with different ranges on a small and a large catalogue, compared with the plain query.

use migration::testing::{Backend, TestDatabase};

use super::{
    ROWS, SMALL_EVENTS, SearchStack, catalogue,
    programs::{ApiServer, ApiSettings},
};
use crate::{
    Failure,
    baseline::select::Select,
    load::{LoadSettings, ResponseTier},
    samples::Samples,
    table::{Table, progress},
};

/// Concurrent requests: few, because the database is on the same machine.
const CONNECTIONS: usize = 4;
/// Maximum ratios to the plain query, and to the small catalogue.
const OF_QUERY: f64 = 1.5;
const OF_SMALL: f64 = 1.3;
/// More requests than a measurement can send.
const RANGES_PER_SECOND: f64 = 8_000.0;

/// A catalogue with the API and the plain query.
struct MissSide {
    api: ApiServer,
    select: Select<(i64, i64)>,
    marquee: Samples,
    baseline: Samples,
}

pub(super) async fn measure(stack: &SearchStack<'_>, table: &mut Table) -> Result<(), Failure> {
    let big = TestDatabase::migrated(Backend::Postgres).await;
    let outcome = both(stack, &big, table).await;
    big.remove().await;
    outcome
}

async fn both(stack: &SearchStack<'_>, big: &TestDatabase, table: &mut Table) -> Result<(), Failure> {
    catalogue::fill(big, stack.settings.big_events).await?;
    let mut sides = [MissSide::start(&stack.small).await?, MissSide::start(big).await?];
    for side in &mut sides {
        // Warms up connections, query plans and index pages of both.
        side.measure(stack, super::WARM_SECONDS).await?;
        (side.marquee, side.baseline) = (Samples::default(), Samples::default());
    }
    for round in 1..=stack.settings.rounds {
        progress(format_args!("miss, round {round} of {}", stack.settings.rounds));
        for side in &mut sides {
            side.measure(stack, stack.settings.turn_seconds()).await?;
        }
    }
    let [small, big] = sides;
    for (side, events) in [(&small, SMALL_EVENTS), (&big, stack.settings.big_events)] {
        let work = format!("miss, 30-day range, {ROWS} rows of {events} events, p50; baseline: the plain query");
        table.ratio(&work, &side.marquee, &side.baseline, OF_QUERY);
    }
    let work = format!("miss, {} events; baseline: {SMALL_EVENTS} events", stack.settings.big_events);
    table.ratio(&work, &big.marquee, &small.marquee, OF_SMALL);
    for side in [small, big] {
        side.select.close().await;
    }
    Ok(())
}

impl MissSide {
    async fn start(database: &TestDatabase) -> Result<Self, Failure> {
        let url = database.settings.url.expose();
        let rows = i64::try_from(ROWS)?;
        let (api, select) = (ApiServer::start(&ApiSettings::on(url)).await?, Select::for_ranges(url, rows).await?);
        Ok(Self { api, select, marquee: Samples::default(), baseline: Samples::default() })
    }

    async fn measure(&mut self, stack: &SearchStack<'_>, seconds: f64) -> Result<(), Failure> {
        let count = (RANGES_PER_SECOND * seconds) as u64;
        let load = LoadSettings::closed(self.api.address, CONNECTIONS, seconds).once();
        let report = load.run(&stack.ranges.new_paths(count, ROWS)).await?;
        let hits = report.share_from(ResponseTier::Process) + report.share_from(ResponseTier::Redis);
        if report.errors() > 0 || hits > 0.01 {
            return Err(format!("not all responses were misses: {}", report.counts()).into());
        }
        self.marquee.push(report.all.p50());
        self.baseline.push(self.select.median_time(stack.ranges.new_bounds(count), CONNECTIONS, seconds).await?);
        Ok(())
    }
}
