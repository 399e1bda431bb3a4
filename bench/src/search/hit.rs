//! A hit in the process: ours beside a bare poem app of the same build and beside nginx, all with the same bytes.

use super::{
    ROWS, Stage, enter_memory,
    programs::{Api, Peer},
    ranges, warm,
};
use crate::{
    Failure,
    load::{LoadSettings, Source},
    samples::Samples,
    table::{Table, progress},
};

const CONNECTIONS: usize = 32;
/// At least so much of a poem app's rate, and of nginx's.
const OF_POEM: f64 = 0.95;
const OF_NGINX: f64 = 1.0;
/// A load that has this much to spare did not hold the fastest server back.
const HEADROOM: f64 = 1.1;

pub(super) async fn measure(stage: &Stage<'_>, table: &mut Table) -> Result<(), Failure> {
    let api = stage.api(|api| api.is_single_threaded = true).await?;
    let paths = vec![ranges::path(stage.ranges.new_bounds(1)[0], ROWS)];
    let (body, _) = api.get(&paths[0]).await?;
    let poem = Peer::poem(body.len()).await?;
    let nginx = Peer::nginx(&body).await;
    table.facts([format!("a hit: {} bytes of body, {CONNECTIONS} connections that are kept, closed loop", body.len())]);
    warm(api.address, &paths).await?;
    warm(poem.address, &paths).await?;
    let [mut ours, mut of_poem, mut of_nginx] = [(); 3].map(|()| Samples::per_second());
    let mut from_process = 1.0_f64;
    for round in 1..=stage.settings.rounds {
        progress(format_args!("hit, round {round} of {}", stage.settings.rounds));
        let load = |address| LoadSettings::closed(address, CONNECTIONS, stage.settings.turn_seconds());
        let report = good(&load(api.address), &paths).await?;
        from_process = from_process.min(report.share_from(Source::Process));
        ours.push_number(report.good_per_second());
        of_poem.push_number(good(&load(poem.address), &paths).await?.good_per_second());
        if let Ok(nginx) = &nginx {
            of_nginx.push_number(good(&load(nginx.address), &paths).await?.good_per_second());
        }
    }
    enter(from_process, [&ours, &of_poem, &of_nginx], nginx.as_ref().err(), table);
    if let (Ok(peer), Some(fastest)) = (&nginx, [&of_poem, &of_nginx, &ours].iter().filter_map(|it| it.median()).reduce(f64::max))
    {
        headroom(stage, peer, &paths, fastest, table).await?;
    }
    memory(&api, table);
    if let Ok(nginx) = nginx {
        nginx.stop().await?;
    }
    Ok(())
}

fn enter(from_process: f64, [ours, of_poem, of_nginx]: [&Samples; 3], no_nginx: Option<&Failure>, table: &mut Table) {
    let work = "hit in the process";
    if from_process < 0.99 {
        table.failed(work, format!("only {:.0} % of the answers came from there, by Cache-Status", from_process * 100.0));
        table.compared("answers as they came; peer: a bare poem app", ours, of_poem);
        return;
    }
    table.ratio_at_least(&format!("{work}; peer: a bare poem app"), ours, of_poem, OF_POEM);
    match no_nginx {
        None => table.ratio_at_least(&format!("{work}; peer: nginx, a static file"), ours, of_nginx, OF_NGINX),
        Some(missing) => table.failed(&format!("{work}; peer: nginx"), missing),
    }
}

/// What the load can do when two of its processes share a server: more than one alone means that one alone held it back.
async fn headroom(stage: &Stage<'_>, nginx: &Peer, paths: &[String], fastest: f64, table: &mut Table) -> Result<(), Failure> {
    let load = LoadSettings::closed(nginx.address, CONNECTIONS, stage.settings.turn_seconds());
    let before = crate::process::children_time();
    let report = good(&load, paths).await?;
    let taken = crate::process::children_time().saturating_sub(before).as_secs_f64();
    // Its time on the processor for one answer tells how many it could take on a whole core.
    let most = report.good.count as f64 / taken.max(f64::EPSILON);
    let verdict = if most >= fastest * HEADROOM { "it held nobody back" } else { "it may have held the fastest one back" };
    table.facts([format!(
        "the load takes {:.1} µs of processor time for an answer of nginx: {most:.0} answers/s on a core, the fastest server gave \
         {fastest:.0}/s: {verdict}",
        1e6 / most
    )]);
    Ok(())
}

fn memory(api: &Api, table: &mut Table) {
    enter_memory(api, "after the hits", table);
}

async fn good(load: &LoadSettings, paths: &[String]) -> Result<crate::load::Report, Failure> {
    let report = load.run(paths).await?;
    if report.errors() > 0 { Err(format!("not all answers were good: {}", report.counts()).into()) } else { Ok(report) }
}
