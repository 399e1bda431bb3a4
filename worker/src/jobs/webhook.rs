//! The kinds `webhook` and `webhook_test`: deliver changes to an endpoint, and test it.

use entity::job::{Claim, WebhookJob, WebhookTestJob};

use super::{outcome::JobOutcome, registry::Handler};
use crate::webhooks::{
    DeliveryContext,
    delivery::{DeliveryEnd, deliver},
    test_message::send_test,
};

impl Handler<DeliveryContext> for WebhookJob {
    async fn run(self, context: &DeliveryContext, claim: &Claim) -> JobOutcome {
        match deliver(context, claim, self.webhook).await {
            Ok(DeliveryEnd::Done) => JobOutcome::Done,
            Ok(DeliveryEnd::Continued) => JobOutcome::Committed,
            Err(error) => JobOutcome::database_failed(&error),
        }
    }
}

impl Handler<DeliveryContext> for WebhookTestJob {
    async fn run(self, context: &DeliveryContext, _: &Claim) -> JobOutcome {
        match send_test(context, self.webhook).await {
            Ok(()) => JobOutcome::Done,
            Err(error) => JobOutcome::database_failed(&error),
        }
    }
}
