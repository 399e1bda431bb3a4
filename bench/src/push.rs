//! Pushes: the time until the response, compared with an insert of the same bytes, and the time until a search returns them.

use std::time::{Duration, Instant};

use migration::testing::Backend;
use reqwest::{Client, StatusCode, header};
use sqlx::{Connection, Executor, PgConnection};
use tokio::{process::Child, time::sleep};

use crate::{
    Failure,
    samples::Samples,
    search::programs::{ApiServer, ApiSettings},
    settings::PushSettings,
    stack::{BenchProvider, BenchStack, SLUG},
    table::{Table, progress},
};

/// The size of a document.
const DOCUMENT_BYTES: usize = 100_000;
/// Maximum ratio to the insert.
const OF_INSERT: f64 = 2.0;
/// Maximum time between the response and a search that returns the event.
const SEARCHABLE_WITHIN: Duration = Duration::from_secs(1);
/// A push that takes longer counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);
/// Unmeasured pushes that warm up connections and query plans.
const WARM: u32 = 20;
/// Events of the catalogue that the pushed documents do not contain.
const FIRST_DAY: i64 = 366;

/// Describes the benchmark, for the head of the table.
pub(crate) fn describe(settings: &PushSettings) -> String {
    format!(
        "{} sequential pushes of {DOCUMENT_BYTES} bytes, each followed by an insert; then {} with a worker, with pauses; one event per document; \
         programs log with LOG_FILTER=warn",
        settings.pushes, settings.searched
    )
}

pub(crate) async fn measure(settings: &PushSettings, table: &mut Table) -> Result<(), Failure> {
    let entry = BenchProvider { slug: SLUG, url: "http://127.0.0.1:9/", schedule: "0 0 0 1 1 *" };
    let stack = BenchStack::new(Backend::Postgres, &[entry]).await?;
    let outcome = measure_on(&stack, settings, table).await;
    stack.remove().await;
    outcome
}

async fn measure_on(stack: &BenchStack, settings: &PushSettings, table: &mut Table) -> Result<(), Failure> {
    // Creates the row of the provider.
    let first = stack.write_file("first.xml", &document(0))?;
    let mut sync = stack.worker_command(&["sync", SLUG, "--from", &first])?.spawn()?;
    if !sync.wait().await?.success() {
        return Err(format!("the first sync failed: {}", stack.log_tail()).into());
    }
    let url = stack.database.settings.url.expose();
    let site = PushSite { api: ApiServer::start(&ApiSettings::on(url)).await?, client: Client::builder().no_proxy().build()? };
    measure_responses(&site, url, settings, table).await?;
    let worker = stack.worker_command(&["run"])?.spawn()?;
    measure_searches(&site, settings, table).await?;
    drop::<Child>(worker);
    Ok(())
}

async fn measure_responses(site: &PushSite, url: &str, settings: &PushSettings, table: &mut Table) -> Result<(), Failure> {
    progress(format_args!("{} pushes, and as many inserts", settings.pushes));
    let mut connection = PgConnection::connect(url).await?;
    connection
        .execute("CREATE TABLE plain_document (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body BYTEA NOT NULL)")
        .await?;
    let (mut marquee, mut baseline) = (Samples::default(), Samples::default());
    for number in 1..=settings.pushes + WARM {
        let body = document(number).into_bytes();
        let started = Instant::now();
        site.push(body.clone()).await?;
        let push = started.elapsed();
        let started = Instant::now();
        sqlx::query("INSERT INTO plain_document (body) VALUES ($1)").bind(body).execute(&mut connection).await?;
        if number > WARM {
            marquee.push(push);
            baseline.push(started.elapsed());
        }
    }
    connection.close().await?;
    let p99 = |samples: &Samples| {
        let mut one = Samples::default();
        one.push(Duration::from_secs_f64(samples.quantile(0.99).unwrap_or_default()));
        one
    };
    let work = format!("202 for {DOCUMENT_BYTES} bytes, PostgreSQL; baseline: an insert of the same bytes");
    table.ratio(&format!("{work}; p99"), &p99(&marquee), &p99(&baseline), OF_INSERT);
    table.comparison(&format!("{work}; p50"), &marquee, &baseline);
    Ok(())
}

async fn measure_searches(site: &PushSite, settings: &PushSettings, table: &mut Table) -> Result<(), Failure> {
    let last = settings.pushes + WARM;
    progress(format_args!("a worker applies {last} pushes"));
    site.wait_for(last, Duration::from_secs(300)).await?;
    let mut times = Samples::default();
    for number in last + 1..=last + settings.searched {
        // A random pause, so that pushes are not in phase with the worker's polling.
        sleep(Duration::from_millis(50 + u64::from(number) * 37 % 600)).await;
        site.push(document(number).into_bytes()).await?;
        let started = Instant::now();
        site.wait_for(number, PATIENCE).await?;
        times.push(started.elapsed());
    }
    let p99 = Duration::from_secs_f64(times.quantile(0.99).unwrap_or_default());
    let work = "from 202 to a search that returns the event, p99";
    table.absolute(work, &format!("{:.0} ms; {}", p99.as_secs_f64() * 1e3, times.text()), "1 s", p99 <= SEARCHABLE_WITHIN);
    Ok(())
}

/// An API and its client.
struct PushSite {
    api: ApiServer,
    client: Client,
}

impl PushSite {
    async fn push(&self, body: Vec<u8>) -> Result<(), Failure> {
        let url = format!("http://{}/providers/{SLUG}/feed?mode=delta", self.api.address);
        let answer = self.client.post(url).header(header::CONTENT_TYPE, "application/xml").body(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if status == StatusCode::ACCEPTED { Ok(()) } else { Err(format!("the status of a push is {status}: {text}").into()) }
    }

    /// Waits until a search returns the event of a document.
    async fn wait_for(&self, number: u32, patience: Duration) -> Result<(), Failure> {
        let (day, title) = (day(number), title(number));
        let url = format!("http://{}/search?starts_at={day}&ends_at={day}", self.api.address);
        let started = Instant::now();
        loop {
            let found = self.client.get(&url).send().await?.error_for_status()?.text().await?;
            if found.contains(&title) {
                return Ok(());
            }
            if started.elapsed() > patience {
                return Err(format!("a search does not return {title}: {found}").into());
            }
            sleep(Duration::from_millis(2)).await;
        }
    }
}

fn title(number: u32) -> String {
    format!("Push {number:06}")
}

/// A distinct day for each document.
fn day(number: u32) -> String {
    let day = chrono::NaiveDate::default() + chrono::TimeDelta::days(60 * FIRST_DAY + i64::from(number));
    day.to_string()
}

/// One base event with enough zones to fill the document.
fn document(number: u32) -> String {
    let (day, title) = (day(number), title(number));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<eventList version=\"1.0\"><output><base_event base_event_id=\"{number}\" \
         sell_mode=\"online\" title=\"{title}\"><event event_id=\"1\" event_start_date=\"{day}T20:00:00\" event_end_date=\"{day}T21:00:00\">"
    );
    let mut zone = 0_u64;
    while text.len() < DOCUMENT_BYTES - 200 {
        zone += 1;
        // Incompressible.
        let noise = (u64::from(number) << 32 | zone).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        text.push_str(&format!(
            "<zone zone_id=\"{zone}\" capacity=\"{}\" price=\"{}.00\" name=\"{noise:016x}\"/>",
            noise % 500,
            noise % 90
        ));
    }
    text.push_str("</event></base_event></output></eventList>");
    text
}
