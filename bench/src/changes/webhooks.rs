//! Messages to webhooks: several endpoints receive the whole log.

use std::time::Instant;

use provider_sim::WebhookReceiver;
use tokio::time::timeout;

use super::{EVENTS, MESSAGES_PER_SECOND, PATIENCE, site::ChangesSite};
use crate::{
    Failure,
    table::{Table, progress},
};

/// As many as a key may have.
const ENDPOINTS: usize = 20;
/// Changes in a message.
const BATCH: u64 = 100;

/// Changes all events, and delivers the log after a position to all endpoints at the same time.
pub(super) async fn measure(site: &ChangesSite, beginning: &str, table: &mut Table) -> Result<(), Failure> {
    let end = site.read_log(beginning).await?.end;
    site.push(0..EVENTS).await?;
    let until = Instant::now() + PATIENCE;
    while site.read_log(&end).await?.log.count() < EVENTS {
        if Instant::now() > until {
            return Err("a push of all events was not processed".into());
        }
    }
    let changes = site.read_log(beginning).await?.log.count();
    let messages = usize::try_from(changes.div_ceil(BATCH))? * ENDPOINTS;
    let all = (0..ENDPOINTS).map(|_| String::new()).collect();
    let rate = deliver(site, beginning, messages, all).await?;
    let work = format!("messages to {ENDPOINTS} webhooks, with {BATCH} changes each");
    table.absolute(&work, &format!("{rate:.0}/s"), &format!("{MESSAGES_PER_SECOND:.0}/s"), rate >= MESSAGES_PER_SECOND);
    // Each selects all events, but none can share what is read for another one.
    let different = (0..ENDPOINTS).map(|number| format!("currency=EUR&max_price={}", 1_000 + number)).collect();
    let rate = deliver(site, beginning, messages, different).await?;
    table.figure(&format!("{work}, each webhook with other filters"), &format!("{rate:.0}/s"));
    Ok(())
}

/// Delivers the log after a position to a webhook for each query. Returns the messages per second.
async fn deliver(site: &ChangesSite, beginning: &str, messages: usize, queries: Vec<String>) -> Result<f64, Failure> {
    progress(format_args!("{messages} messages to {} webhooks", queries.len()));
    let receiver = WebhookReceiver::start().await?;
    let mut webhooks = Vec::new();
    for query in queries {
        webhooks.push(site.create_webhook(&receiver.url, &query).await?);
    }
    let started = Instant::now();
    for webhook in &webhooks {
        site.replay(webhook, beginning).await?;
    }
    timeout(PATIENCE * 5, receiver.wait_for(messages))
        .await
        .map_err(|_| format!("{} of {messages} messages arrived", receiver.count()))?;
    let rate = messages as f64 / started.elapsed().as_secs_f64();
    for webhook in &webhooks {
        site.delete(webhook).await?;
    }
    Ok(rate)
}
