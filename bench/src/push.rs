//! Pushes: what one takes until it is answered beside a bare insert of the same bytes, and how long until a search finds it.

use std::time::{Duration, Instant};

use migration::testing::Backend;
use reqwest::{Client, StatusCode, header};
use sqlx::{Connection, Executor, PgConnection};
use tokio::{process::Child, time::sleep};

use crate::{
    Failure,
    house::{Entry, House, SLUG},
    samples::Samples,
    search::programs::{Api, ApiSettings},
    settings::PushSettings,
    table::{Table, progress},
};

/// Bytes of a document.
const DOCUMENT_BYTES: usize = 100_000;
/// At most so many times the bare insert.
const OF_INSERT: f64 = 2.0;
/// At most so long from the answer to a search that finds it.
const SEARCHABLE_WITHIN: Duration = Duration::from_secs(1);
/// How long to wait for one before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pushes before those that count: connections, plans.
const WARM: u32 = 20;
/// Events of the catalogue that a document does not tell of; its own is another each time.
const FIRST_DAY: i64 = 366;

/// What was measured and how, for the head of the table.
pub(crate) fn measured(settings: &PushSettings) -> String {
    format!(
        "{} pushes of {DOCUMENT_BYTES} bytes one after the other, a bare insert after each; then {} with a worker, idle in between; one event in \
         each; programs under test log with LOG_FILTER=warn",
        settings.pushes, settings.searched
    )
}

pub(crate) async fn measure(settings: &PushSettings, table: &mut Table) -> Result<(), Failure> {
    let entry = Entry { slug: SLUG, url: "http://127.0.0.1:9/", schedule: "0 0 0 1 1 *" };
    let house = House::new(Backend::Postgres, &[entry]).await?;
    let outcome = in_house(&house, settings, table).await;
    house.remove().await;
    outcome
}

async fn in_house(house: &House, settings: &PushSettings, table: &mut Table) -> Result<(), Failure> {
    // The provider is known, and has no tick to catch up on.
    let first = house.file("first.xml", &document(0))?;
    let mut sync = house.worker(&["sync", SLUG, "--from", &first])?.spawn()?;
    if !sync.wait().await?.success() {
        return Err(format!("the first feed is not taken: {}", house.log_end()).into());
    }
    let url = house.database.settings.url.expose();
    let site = Site { api: Api::start(&ApiSettings::on(url)).await?, client: Client::builder().no_proxy().build()? };
    accepted(&site, url, settings, table).await?;
    let worker = house.worker(&["run"])?.spawn()?;
    searchable(&site, settings, table).await?;
    drop::<Child>(worker);
    Ok(())
}

async fn accepted(site: &Site, url: &str, settings: &PushSettings, table: &mut Table) -> Result<(), Failure> {
    progress(format_args!("{} pushes, and as many inserts", settings.pushes));
    let mut bare = PgConnection::connect(url).await?;
    bare.execute("CREATE TABLE bare_document (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body BYTEA NOT NULL)").await?;
    let (mut ours, mut peer) = (Samples::default(), Samples::default());
    for number in 1..=settings.pushes + WARM {
        let body = document(number).into_bytes();
        let begun = Instant::now();
        site.push(body.clone()).await?;
        let push = begun.elapsed();
        let begun = Instant::now();
        sqlx::query("INSERT INTO bare_document (body) VALUES ($1)").bind(body).execute(&mut bare).await?;
        if number > WARM {
            ours.push(push);
            peer.push(begun.elapsed());
        }
    }
    bare.close().await?;
    let p99 = |samples: &Samples| {
        let mut one = Samples::default();
        one.push(Duration::from_secs_f64(samples.quantile(0.99).unwrap_or_default()));
        one
    };
    let work = format!("202 for {DOCUMENT_BYTES} bytes, PostgreSQL; peer: a bare insert of them");
    table.ratio(&format!("{work}; p99"), &p99(&ours), &p99(&peer), OF_INSERT);
    table.compared(&format!("{work}; p50"), &ours, &peer);
    Ok(())
}

async fn searchable(site: &Site, settings: &PushSettings, table: &mut Table) -> Result<(), Failure> {
    let last = settings.pushes + WARM;
    progress(format_args!("a worker applies {last} pushes"));
    site.wait_for(last, Duration::from_secs(300)).await?;
    let mut times = Samples::default();
    for number in last + 1..=last + settings.searched {
        // Idle, and not in step with whoever looks for jobs.
        sleep(Duration::from_millis(50 + u64::from(number) * 37 % 600)).await;
        site.push(document(number).into_bytes()).await?;
        let begun = Instant::now();
        site.wait_for(number, PATIENCE).await?;
        times.push(begun.elapsed());
    }
    let p99 = Duration::from_secs_f64(times.quantile(0.99).unwrap_or_default());
    let work = "from 202 to a search that finds it, p99";
    table.absolute(work, &format!("{:.0} ms; {}", p99.as_secs_f64() * 1e3, times.text()), "1 s", p99 <= SEARCHABLE_WITHIN);
    Ok(())
}

/// An API, and who asks it.
struct Site {
    api: Api,
    client: Client,
}

impl Site {
    async fn push(&self, body: Vec<u8>) -> Result<(), Failure> {
        let url = format!("http://{}/providers/{SLUG}/feed?mode=delta", self.api.address);
        let answer = self.client.post(url).header(header::CONTENT_TYPE, "application/xml").body(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if status == StatusCode::ACCEPTED { Ok(()) } else { Err(format!("a push is answered {status}: {text}").into()) }
    }

    /// Waits until the event of a document is found.
    async fn wait_for(&self, number: u32, patience: Duration) -> Result<(), Failure> {
        let (day, title) = (day(number), title(number));
        let url = format!("http://{}/search?starts_at={day}&ends_at={day}", self.api.address);
        let begun = Instant::now();
        loop {
            let found = self.client.get(&url).send().await?.error_for_status()?.text().await?;
            if found.contains(&title) {
                return Ok(());
            }
            if begun.elapsed() > patience {
                return Err(format!("{title} is not found: {found}").into());
            }
            sleep(Duration::from_millis(2)).await;
        }
    }
}

fn title(number: u32) -> String {
    format!("Push {number:06}")
}

/// A day of its own for each document.
fn day(number: u32) -> String {
    let day = chrono::NaiveDate::default() + chrono::TimeDelta::days(60 * FIRST_DAY + i64::from(number));
    day.to_string()
}

/// One base event whose zones fill the document.
fn document(number: u32) -> String {
    let (day, title) = (day(number), title(number));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<eventList version=\"1.0\"><output><base_event base_event_id=\"{number}\" \
         sell_mode=\"online\" title=\"{title}\"><event event_id=\"1\" event_start_date=\"{day}T20:00:00\" event_end_date=\"{day}T21:00:00\">"
    );
    let mut zone = 0_u64;
    while text.len() < DOCUMENT_BYTES - 200 {
        zone += 1;
        // Numbers that no compression guesses.
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
