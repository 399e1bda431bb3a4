//! Calendars and facets of a large catalogue without a cache, and the memory of a large export.

use std::time::Duration;

use entity::UtcInstant;

use super::{FindSide, WARM_SECONDS, filters::to_text};
use crate::{
    Failure,
    load::LoadSettings,
    samples::Samples,
    search::programs::ApiServer,
    settings::FindSettings,
    table::{Table, progress},
};

const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;
/// Requests differ in their first day.
const FIRST_DAYS: i64 = 60;
/// The most rows of an export, and its maximum memory besides that of an idle API.
const EXPORTED_ROWS: u64 = 50_000;
const EXPORT_MIB: u64 = 40;
/// How long to wait until the API is idle, because allocators return memory with a delay.
const REST: Duration = Duration::from_secs(3);

/// A grouped read, and the maximum of its median in milliseconds.
struct Group {
    name: &'static str,
    path: &'static str,
    days: i64,
    most_millis: f64,
}

const GROUPS: [Group; 3] = [
    Group { name: "calendar of 31 days", path: "/events/calendar?", days: 30, most_millis: 5.0 },
    Group {
        name: "calendar of 31 days, a city and a category",
        path: "/events/calendar?city=city%207&category=music&",
        days: 30,
        most_millis: 50.0,
    },
    Group { name: "facets by category and city, 30 days", path: "/events/facets?by=category,city&", days: 29, most_millis: 60.0 },
];

pub(super) async fn measure(side: &FindSide<'_>, settings: &FindSettings, table: &mut Table) -> Result<(), Failure> {
    let api = side.start_api().await?;
    for group in &GROUPS {
        progress(group.name);
        let paths: Vec<String> = (0..FIRST_DAYS).map(|first| path(group, side.catalogue.now, first)).collect();
        let mut times = Samples::default();
        for round in 0..=settings.rounds {
            let seconds = if round == 0 { WARM_SECONDS } else { settings.turn_seconds() };
            let report = LoadSettings::closed(api.address, 1, seconds).run(&paths).await?;
            if report.errors() > 0 {
                return Err(format!("{}: requests failed: {}", group.name, report.counts()).into());
            }
            if round > 0 {
                times.push(report.all.p50());
            }
        }
        let most = Duration::from_secs_f64(group.most_millis / 1000.0);
        let is_met = times.median().is_some_and(|median| median <= most.as_secs_f64());
        let name = format!("{}, {} events, p50", group.name, settings.events);
        table.absolute(&name, &times.text(), &format!("{} ms", group.most_millis), is_met);
    }
    export(side, table).await
}

fn path(group: &Group, now: UtcInstant, first: i64) -> String {
    let day = |days: i64| to_text(UtcInstant(now.0 + days * DAY_MICROS));
    let [first, last] = [first, first + group.days].map(day);
    format!("{}starts_at={}&ends_at={}", group.path, &first[..10], &last[..10])
}

async fn export(side: &FindSide<'_>, table: &mut Table) -> Result<(), Failure> {
    progress("export");
    let api = side.start_api().await?;
    let used = |api: &ApiServer| api.usage().ok_or("the resource usage cannot be read");
    api.get("/events.ics?limit=100").await?;
    tokio::time::sleep(REST).await;
    let idle = used(&api)?;
    let (body, _) = api.get(&format!("/events.ics?limit={EXPORTED_ROWS}")).await?;
    let rows = String::from_utf8_lossy(&body).matches("BEGIN:VEVENT").count() as u64;
    if rows != EXPORTED_ROWS {
        return Err(format!("the export has {rows} rows").into());
    }
    let over = used(&api)?.peak_kib.saturating_sub(idle.resident_kib);
    let name = format!("peak memory over idle, {EXPORTED_ROWS} rows as .ics ({} MiB)", body.len() >> 20);
    table.absolute(&name, &format!("{} MiB", over / 1024), &format!("{EXPORT_MIB} MiB"), over <= EXPORT_MIB * 1024);
    Ok(())
}
