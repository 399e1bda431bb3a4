//! Hits in the process cache, compared with a minimal poem app and nginx, which serve the same bytes.

use super::{
    ROWS, SearchStack,
    programs::{ApiServer, BaselineServer},
    ranges, report_peak_memory, warm,
};
use crate::{
    Failure,
    load::{LoadSettings, ResponseTier},
    samples::Samples,
    table::{Table, progress},
};

const CONNECTIONS: usize = 32;
/// Minimum ratios to the throughput of the poem app and of nginx.
const OF_POEM: f64 = 0.95;
const OF_NGINX: f64 = 1.0;
/// The load generator must be faster than the fastest server by this factor.
const HEADROOM: f64 = 1.1;

pub(super) async fn measure(stack: &SearchStack<'_>, table: &mut Table) -> Result<(), Failure> {
    let api = stack.api(|api| api.is_single_threaded = true).await?;
    let paths = vec![ranges::path(stack.ranges.new_bounds(1)[0], ROWS)];
    let (body, _) = api.get(&paths[0]).await?;
    let poem = BaselineServer::poem(body.len()).await?;
    let nginx = BaselineServer::nginx(&body).await;
    table.facts([format!("a hit: body of {} bytes, {CONNECTIONS} keep-alive connections, closed loop", body.len())]);
    warm(api.address, &paths).await?;
    warm(poem.address, &paths).await?;
    let [mut marquee, mut of_poem, mut of_nginx] = [(); 3].map(|()| Samples::per_second());
    let mut from_process = 1.0_f64;
    for round in 1..=stack.settings.rounds {
        progress(format_args!("hit, round {round} of {}", stack.settings.rounds));
        let load = |address| LoadSettings::closed(address, CONNECTIONS, stack.settings.turn_seconds());
        let report = run_without_errors(&load(api.address), &paths).await?;
        from_process = from_process.min(report.share_from(ResponseTier::Process));
        marquee.push_number(report.good_per_second());
        of_poem.push_number(run_without_errors(&load(poem.address), &paths).await?.good_per_second());
        if let Ok(nginx) = &nginx {
            of_nginx.push_number(run_without_errors(&load(nginx.address), &paths).await?.good_per_second());
        }
    }
    report_ratios(from_process, [&marquee, &of_poem, &of_nginx], nginx.as_ref().err(), table);
    if let (Ok(baseline), Some(fastest)) =
        (&nginx, [&of_poem, &of_nginx, &marquee].iter().filter_map(|it| it.median()).reduce(f64::max))
    {
        report_headroom(stack, baseline, &paths, fastest, table).await?;
    }
    report_memory(&api, table);
    if let Ok(nginx) = nginx {
        nginx.stop().await?;
    }
    Ok(())
}

fn report_ratios(from_process: f64, [marquee, of_poem, of_nginx]: [&Samples; 3], no_nginx: Option<&Failure>, table: &mut Table) {
    let work = "hit in the process cache";
    if from_process < 0.99 {
        table.failed(work, format!("only {:.0} % of the responses came from it, by Cache-Status", from_process * 100.0));
        table.comparison("responses from any tier; baseline: a minimal poem app", marquee, of_poem);
        return;
    }
    table.ratio_at_least(&format!("{work}; baseline: a minimal poem app"), marquee, of_poem, OF_POEM);
    match no_nginx {
        None => table.ratio_at_least(&format!("{work}; baseline: nginx, a static file"), marquee, of_nginx, OF_NGINX),
        Some(missing) => table.failed(&format!("{work}; baseline: nginx"), missing),
    }
}

/// The maximum throughput of the load generator, from its CPU time per response.
async fn report_headroom(
    stack: &SearchStack<'_>,
    nginx: &BaselineServer,
    paths: &[String],
    fastest: f64,
    table: &mut Table,
) -> Result<(), Failure> {
    let load = LoadSettings::closed(nginx.address, CONNECTIONS, stack.settings.turn_seconds());
    let before = crate::process::children_time();
    let report = run_without_errors(&load, paths).await?;
    let taken = crate::process::children_time().saturating_sub(before).as_secs_f64();
    let most = report.good.count as f64 / taken.max(f64::EPSILON);
    let verdict = if most >= fastest * HEADROOM { "it was not the bottleneck" } else { "it may have been the bottleneck" };
    table.facts([format!(
        "the load generator needs {:.1} µs of CPU time for a response of nginx, or {most:.0} responses/s on a core; the fastest server had \
         {fastest:.0}/s: {verdict}",
        1e6 / most
    )]);
    Ok(())
}

fn report_memory(api: &ApiServer, table: &mut Table) {
    report_peak_memory(api, "after the hits", table);
}

async fn run_without_errors(load: &LoadSettings, paths: &[String]) -> Result<crate::load::LoadReport, Failure> {
    let report = load.run(paths).await?;
    if report.errors() > 0 { Err(format!("not all responses had status 200: {}", report.counts()).into()) } else { Ok(report) }
}
