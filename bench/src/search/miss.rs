//! A miss: every request another range, on a small and on a big catalogue, beside the bare query through the same driver.

use migration::testing::{Backend, TestDatabase};

use super::{
    ROWS, SMALL_EVENTS, Stage, catalogue,
    programs::{Api, ApiSettings},
};
use crate::{
    Failure,
    load::{LoadSettings, Source},
    peer::select::Select,
    samples::Samples,
    table::{Table, progress},
};

/// Requests at the same time: a database on the same machine is not to be what is measured.
const CONNECTIONS: usize = 4;
/// At most so many times the bare query, and so many times the small catalogue.
const OF_QUERY: f64 = 1.5;
const OF_SMALL: f64 = 1.3;
/// More than a turn can ask for.
const RANGES_PER_SECOND: f64 = 8_000.0;

/// A catalogue with both that ask it.
struct Side {
    api: Api,
    select: Select<(i64, i64)>,
    ours: Samples,
    peer: Samples,
}

pub(super) async fn measure(stage: &Stage<'_>, table: &mut Table) -> Result<(), Failure> {
    let big = TestDatabase::migrated(Backend::Postgres).await;
    let outcome = both(stage, &big, table).await;
    big.remove().await;
    outcome
}

async fn both(stage: &Stage<'_>, big: &TestDatabase, table: &mut Table) -> Result<(), Failure> {
    catalogue::fill(big, stage.settings.big_events).await?;
    let mut sides = [Side::of(&stage.small).await?, Side::of(big).await?];
    for side in &mut sides {
        // Connections, plans and pages of the index, on both sides.
        side.turn(stage, super::WARM_SECONDS).await?;
        (side.ours, side.peer) = (Samples::default(), Samples::default());
    }
    for round in 1..=stage.settings.rounds {
        progress(format_args!("miss, round {round} of {}", stage.settings.rounds));
        for side in &mut sides {
            side.turn(stage, stage.settings.turn_seconds()).await?;
        }
    }
    let [small, big] = sides;
    for (side, events) in [(&small, SMALL_EVENTS), (&big, stage.settings.big_events)] {
        let work = format!("miss, 30-day range, {ROWS} rows of {events} events, p50; peer: the bare query");
        table.ratio(&work, &side.ours, &side.peer, OF_QUERY);
    }
    let work = format!("miss of {} events; peer: of {SMALL_EVENTS}", stage.settings.big_events);
    table.ratio(&work, &big.ours, &small.ours, OF_SMALL);
    for side in [small, big] {
        side.select.close().await;
    }
    Ok(())
}

impl Side {
    async fn of(database: &TestDatabase) -> Result<Self, Failure> {
        let url = database.settings.url.expose();
        let rows = i64::try_from(ROWS)?;
        let (api, select) = (Api::start(&ApiSettings::on(url)).await?, Select::of_ranges(url, rows).await?);
        Ok(Self { api, select, ours: Samples::default(), peer: Samples::default() })
    }

    async fn turn(&mut self, stage: &Stage<'_>, seconds: f64) -> Result<(), Failure> {
        let count = (RANGES_PER_SECOND * seconds) as u64;
        let load = LoadSettings::closed(self.api.address, CONNECTIONS, seconds).once();
        let report = load.run(&stage.ranges.new_paths(count, ROWS)).await?;
        let hits = report.share_from(Source::Process) + report.share_from(Source::Redis);
        if report.errors() > 0 || hits > 0.01 {
            return Err(format!("not all answers were misses: {}", report.counts()).into());
        }
        self.ours.push(report.all.half());
        self.peer.push(self.select.half(stage.ranges.new_bounds(count), CONNECTIONS, seconds).await?);
        Ok(())
    }
}
