//! Cached lists of events, compared with a minimal poem app that serves a constant of the same length, and the cached search page, compared
//! with nginx.

use migration::testing::TestDatabase;

use super::ROWS;
use crate::{
    Failure,
    load::{LoadSettings, ResponseTier},
    samples::Samples,
    search::programs::{ApiServer, ApiSettings, BaselineServer},
    settings::FindSettings,
    table::{Table, progress},
};

const CONNECTIONS: usize = 32;
/// Minimum ratios to the throughput of the poem app and of nginx.
const OF_POEM: f64 = 0.95;
const OF_NGINX: f64 = 0.8;
const WARM_SECONDS: f64 = 2.0;

pub(super) async fn measure(database: &TestDatabase, settings: &FindSettings, table: &mut Table) -> Result<(), Failure> {
    let api_settings = ApiSettings { is_single_threaded: true, ..ApiSettings::on(database.settings.url.expose()) };
    let api = ApiServer::start(&api_settings).await?;
    let path = format!("/events?limit={ROWS}&city=city%207");
    let (body, _) = api.get(&path).await?;
    let poem = BaselineServer::poem(body.len()).await?;
    let work = format!("a cached list of {ROWS} events ({} bytes); baseline: a minimal poem app", body.len());
    compare((&api, path), (&poem, "/events", OF_POEM), (&work, false), settings, table).await?;
    for is_compressed in [true, false] {
        let page = api.get_page("/", is_compressed).await?;
        let coding = if is_compressed { "in gzip" } else { "without a coding" };
        let work = format!("the cached search page {coding} ({} bytes); baseline: nginx, a static file", page.len());
        match BaselineServer::nginx(&page).await {
            Ok(nginx) => {
                compare((&api, "/".to_owned()), (&nginx, "/search", OF_NGINX), (&work, is_compressed), settings, table).await?;
                nginx.stop().await?;
            }
            Err(missing) => table.failed(&work, missing),
        }
    }
    Ok(())
}

/// Compares a cached response with a server that sends as many bytes.
async fn compare(
    (api, path): (&ApiServer, String),
    (baseline, baseline_path, min_ratio): (&BaselineServer, &str, f64),
    (work, is_compressed): (&str, bool),
    settings: &FindSettings,
    table: &mut Table,
) -> Result<(), Failure> {
    let targets = [(api.address, vec![path]), (baseline.address, vec![baseline_path.to_owned()])];
    let [mut marquee, mut of_baseline] = [(); 2].map(|()| Samples::per_second());
    let mut p50 = [(); 2].map(|()| Samples::default());
    let mut p99 = [(); 2].map(|()| Samples::default());
    for round in 0..=settings.rounds {
        progress(format_args!("{work}, round {round} of {}", settings.rounds));
        let seconds = if round == 0 { WARM_SECONDS } else { settings.turn_seconds() };
        for (index, ((address, paths), rates)) in targets.iter().zip([&mut marquee, &mut of_baseline]).enumerate() {
            let report = LoadSettings::closed(*address, CONNECTIONS, seconds).compressed(is_compressed).run(paths).await?;
            if report.errors() > 0 {
                return Err(format!("not all responses had status 200: {}", report.counts()).into());
            }
            if round == 0 {
                continue;
            }
            if index == 0 && report.share_from(ResponseTier::Process) < 0.99 {
                return Err("not all responses came from the process cache, by Cache-Status".into());
            }
            rates.push_number(report.good_per_second());
            p50[index].push(report.all.p50());
            p99[index].push(report.all.p99());
        }
    }
    table.ratio_at_least(work, &marquee, &of_baseline, min_ratio);
    table.comparison(&format!("{work}; p50"), &p50[0], &p50[1]);
    table.comparison(&format!("{work}; p99"), &p99[0], &p99[1]);
    Ok(())
}
