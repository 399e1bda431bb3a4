//! The programs, and the changes that are made in their catalogue.

use std::{fmt::Write, net::SocketAddr, ops::Range, sync::atomic::AtomicU64, sync::atomic::Ordering::Relaxed};

use migration::testing::Backend;
use programs::ProcessUsage;
use reqwest::{Client, StatusCode, header};
use serde_json::{Value, json};
use tokio::process::Child;

use super::{EVENTS, stream::LogDigest};
use crate::{
    Failure,
    search::programs::{ApiServer, ApiSettings},
    stack::{BenchProvider, BenchStack, SLUG},
};

/// Receivers are on this machine.
const PRIVATE: (&str, &str) = ("WEBHOOK_ALLOW_PRIVATE_ADDRESSES", "true");

/// Running programs on a database.
pub(super) struct ChangesSite {
    stack: BenchStack,
    api: ApiServer,
    worker: Child,
    client: Client,
    /// The number of the next push, which selects its prices.
    next_push: AtomicU64,
}

/// The changes after a position.
#[derive(Debug)]
pub(super) struct LogPart {
    pub(super) log: LogDigest,
    /// The position after the last one.
    pub(super) end: String,
}

impl ChangesSite {
    pub(super) async fn start() -> Result<Self, Failure> {
        let entry = BenchProvider { slug: SLUG, url: "http://127.0.0.1:9/", schedule: "0 0 0 1 1 *" };
        let stack = BenchStack::new(Backend::Postgres, &[entry]).await?;
        let first = stack.write_file("first.xml", &document(0..EVENTS, 0))?;
        let mut sync = stack.worker_command(&["sync", SLUG, "--from", &first])?.spawn()?;
        if !sync.wait().await?.success() {
            return Err(format!("the first sync failed: {}", stack.log_tail()).into());
        }
        let settings = ApiSettings { environment: vec![PRIVATE], ..ApiSettings::on(stack.database.settings.url.expose()) };
        let api = ApiServer::start(&settings).await?;
        let worker = stack.worker_command(&["run"])?.envs([PRIVATE, ("LOG_FILTER", "warn")]).spawn()?;
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { stack, api, worker, client, next_push: AtomicU64::new(1) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.api.address
    }

    pub(super) fn api_usage(&self) -> Result<ProcessUsage, Failure> {
        Ok(self.api.usage().ok_or("the API has exited")?)
    }

    /// Changes the prices of these events.
    pub(super) async fn push(&self, events: Range<u64>) -> Result<(), Failure> {
        let body = document(events, self.next_push.fetch_add(1, Relaxed));
        let url = format!("http://{}/providers/{SLUG}/feed?mode=delta", self.api.address);
        let response = self.client.post(url).header(header::CONTENT_TYPE, "application/xml").body(body).send().await?;
        let (status, text) = (response.status(), response.text().await?);
        if status == StatusCode::ACCEPTED { Ok(()) } else { Err(format!("the status of a push is {status}: {text}").into()) }
    }

    /// Reads the log after a position, or from its beginning.
    pub(super) async fn read_log(&self, after: &str) -> Result<LogPart, Failure> {
        let mut part = LogPart { log: LogDigest::default(), end: after.to_owned() };
        loop {
            let page = self.get(&format!("/changes?limit=1000&after={}", part.end)).await?;
            for change in page["data"]["changes"].as_array().into_iter().flatten() {
                part.log.add(change["cursor"].as_str().ok_or("a change has no cursor")?);
            }
            part.end = page["meta"]["next"].as_str().ok_or("a page of changes has no position")?.to_owned();
            if page["meta"]["has_more"] != true {
                return Ok(part);
            }
        }
    }

    /// Creates a webhook with these filters, and returns its path.
    pub(super) async fn create_webhook(&self, url: &str, query: &str) -> Result<String, Failure> {
        let created = self.post("/webhooks", &json!({ "url": url, "query": query })).await?;
        let id = created["data"]["webhook"]["id"].as_str().ok_or("a created webhook has no id")?;
        Ok(format!("/webhooks/{id}"))
    }

    /// Lets a webhook continue from a position.
    pub(super) async fn replay(&self, webhook: &str, after: &str) -> Result<(), Failure> {
        self.post(&format!("{webhook}/replay?after={after}"), &Value::Null).await?;
        Ok(())
    }

    /// Deletes what has this path.
    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.client.delete(format!("http://{}{path}", self.api.address)).send().await?.error_for_status()?;
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<Value, Failure> {
        let (body, _) = self.api.get(path).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let mut request = self.client.post(format!("http://{}{path}", self.api.address));
        if !body.is_null() {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let response = request.send().await?;
        let (status, text) = (response.status(), response.text().await?);
        if status.is_success() { Ok(serde_json::from_str(&text)?) } else { Err(format!("POST {path}: {status}: {text}").into()) }
    }

    /// Stops the programs and removes the database.
    pub(super) async fn remove(self) {
        let Self { stack, api, mut worker, .. } = self;
        drop(api);
        // It holds nothing that outlives the database.
        let _killed = worker.kill().await;
        stack.remove().await;
    }
}

/// A feed of these events. The number of the push selects their prices.
fn document(events: Range<u64>, push: u64) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<eventList version=\"1.0\"><output>\n".to_owned();
    let cents = 2_000 + push;
    for number in events {
        let (month, day) = (number % 12 + 1, number / 12 % 28 + 1);
        // Writing to a String cannot fail.
        let _written = writeln!(
            text,
            "<base_event base_event_id=\"{number}\" sell_mode=\"online\" title=\"Event {number}\"><event event_id=\"1\" \
             event_start_date=\"2033-{month:02}-{day:02}T20:00:00\" event_end_date=\"2033-{month:02}-{day:02}T22:00:00\">\
             <zone zone_id=\"1\" capacity=\"90\" price=\"{}.{:02}\" name=\"A\"/></event></base_event>",
            cents / 100,
            cents % 100
        );
    }
    text.push_str("</output></eventList>\n");
    text
}
