//! The kinds `webhook` and `webhook_test`: deliver changes to an endpoint, and test it.

use std::time::Duration;

use entity::job::{Claim, WebhookJob, WebhookTestJob};

use super::{outcome::JobOutcome, registry::Handler};
use crate::webhooks::{
    DeliveryContext,
    delivery::{DeliveryEnd, deliver},
    test_message::{TestEnd, send_test},
};

/// How long the job of an endpoint with unreadable filters waits for a worker of a later release, which may claim it.
const UNREADABLE_DELAY: Duration = Duration::from_secs(60);

impl Handler<DeliveryContext> for WebhookJob {
    async fn run(self, context: &DeliveryContext, claim: &Claim) -> JobOutcome {
        match deliver(context, claim, self.webhook).await {
            Ok(DeliveryEnd::Done) => JobOutcome::Done,
            Ok(DeliveryEnd::Continued) => JobOutcome::Committed,
            Ok(DeliveryEnd::Unreadable) => JobOutcome::RetryAfter {
                delay: UNREADABLE_DELAY,
                reason: "the filters of the webhook were written by a later release; deploy it to all workers".to_owned(),
            },
            Err(error) => JobOutcome::database_failed(&error),
        }
    }
}

impl Handler<DeliveryContext> for WebhookTestJob {
    async fn run(self, context: &DeliveryContext, _: &Claim) -> JobOutcome {
        match send_test(context, self.webhook).await {
            Ok(TestEnd::Done) => JobOutcome::Done,
            Ok(TestEnd::Stopped) => {
                JobOutcome::RetryAfter { delay: Duration::ZERO, reason: "the worker was stopped before the test".to_owned() }
            }
            Err(error) => JobOutcome::database_failed(&error),
        }
    }
}
