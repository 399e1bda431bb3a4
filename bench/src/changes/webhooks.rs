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
    progress(format_args!("{messages} messages to {ENDPOINTS} webhooks"));
    let receiver = WebhookReceiver::start().await?;
    let mut webhooks = Vec::new();
    for _ in 0..ENDPOINTS {
        webhooks.push(site.create_webhook(&receiver.url).await?);
    }
    let started = Instant::now();
    for webhook in &webhooks {
        site.replay(webhook, beginning).await?;
    }
    timeout(PATIENCE * 5, receiver.wait_for(messages))
        .await
        .map_err(|_| format!("{} of {messages} messages arrived", receiver.count()))?;
    let rate = messages as f64 / started.elapsed().as_secs_f64();
    let work = format!("messages to {ENDPOINTS} webhooks, with {BATCH} changes each");
    table.absolute(&work, &format!("{rate:.0}/s"), &format!("{MESSAGES_PER_SECOND:.0}/s"), rate >= MESSAGES_PER_SECOND);
    Ok(())
}
