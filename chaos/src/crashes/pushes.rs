//! Clients that push feeds, each until it is accepted, and some of them twice.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use programs::Failure;
use reqwest::Method;
use tokio::time::sleep;

use super::site::PATIENCE;
use crate::{
    client::{Client, Response},
    deployment::PUSHED,
};

/// Clients that push at the same time.
const CLIENTS: u64 = 8;
/// Events of the provider. Each push changes the prices of two.
const EVENTS: u64 = 30;
/// Cents of the first push. No other push has the same price as another one.
const FIRST_PRICE: u64 = 1_000;
/// One push in this number is repeated after it was accepted.
const REPEATED: u64 = 10;
/// The pause before an attempt is repeated, and between two pushes of a client.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
const PUSH_PAUSE: Duration = Duration::from_millis(100);

/// The prices and events of the accepted pushes, by their runs.
pub(super) type AcceptedPushes = BTreeMap<i64, Push>;

/// A push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Push {
    pub(super) cents: u64,
    pub(super) events: [u64; 2],
}

/// The title of an event.
pub(super) fn title_of(event: u64) -> String {
    format!("pushed {event}")
}

/// Pushes all events, with a price that no other push has.
pub(super) async fn push_first(client: &Client) -> Result<(), Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        // Until a worker has created the provider.
        let response = send(client, "first", &document(&(0..EVENTS).collect::<Vec<_>>(), 500)).await?;
        if response.status == 202 {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(response.describe().into());
        }
        sleep(RETRY_PAUSE).await;
    }
}

/// Sends a number of pushes.
pub(super) async fn push_all(client: Client, pushes: u64) -> Result<AcceptedPushes, Failure> {
    let accepted = Arc::new(Mutex::new(AcceptedPushes::new()));
    let clients: Vec<_> =
        (0..CLIENTS).map(|number| tokio::spawn(push_some(client.clone(), number, pushes, accepted.clone()))).collect();
    for client in clients {
        client.await??;
    }
    let accepted = std::mem::take(&mut *accepted.lock().unwrap_or_else(PoisonError::into_inner));
    if accepted.len() as u64 == pushes { Ok(accepted) } else { Err(format!("{} runs of {pushes} pushes", accepted.len()).into()) }
}

/// The pushes of one client.
async fn push_some(client: Client, number: u64, pushes: u64, accepted: Arc<Mutex<AcceptedPushes>>) -> Result<(), Failure> {
    for push in (number..pushes).step_by(usize::try_from(CLIENTS)?) {
        let first = fastrand::u64(0..EVENTS);
        let events = [first, (first + fastrand::u64(1..EVENTS)) % EVENTS];
        let push = Push { cents: FIRST_PRICE + push, events };
        let document = document(&push.events, push.cents);
        let repetitions = 1 + u64::from(fastrand::u64(0..REPEATED) == 0);
        for _ in 0..repetitions {
            let run = push_until_accepted(&client, &push.cents.to_string(), &document).await?;
            let earlier = accepted.lock().unwrap_or_else(PoisonError::into_inner).insert(run, push.clone());
            if earlier.is_some_and(|earlier| earlier != push) {
                return Err(format!("two pushes have the run {run}").into());
            }
        }
        sleep(PUSH_PAUSE).await;
    }
    Ok(())
}

async fn push_until_accepted(client: &Client, key: &str, document: &str) -> Result<i64, Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        match send(client, key, document).await {
            Ok(response) if response.status == 202 => {
                return Ok(response.json()["data"]["sync_run"].as_i64().ok_or("an accepted push has no run")?);
            }
            Ok(response) if response.status != 503 => return Err(response.describe().into()),
            _ if Instant::now() > until => return Err(format!("push {key} is not accepted").into()),
            _ => sleep(RETRY_PAUSE).await,
        }
    }
}

async fn send(client: &Client, key: &str, document: &str) -> Result<Response, reqwest::Error> {
    let headers = [("content-type", "application/xml"), ("idempotency-key", key)];
    client.send(Method::POST, &format!("/providers/{PUSHED}/feed?mode=delta"), &headers, document.to_owned()).await
}

fn document(events: &[u64], cents: u64) -> String {
    let price = format!("{}.{:02}", cents / 100, cents % 100);
    let body: String = events
        .iter()
        .map(|event| {
            format!(
                "<base_event base_event_id=\"{event}\" sell_mode=\"online\" title=\"{}\">\
                 <event event_id=\"1\" event_start_date=\"2051-06-30T21:00:00\" event_end_date=\"2051-06-30T22:00:00\">\
                 <zone zone_id=\"1\" capacity=\"9\" price=\"{price}\" name=\"A\"/></event></base_event>",
                title_of(*event)
            )
        })
        .collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><eventList version=\"1.0\"><output>{body}</output></eventList>")
}
