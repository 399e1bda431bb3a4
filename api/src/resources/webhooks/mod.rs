//! `/webhooks`: endpoints to which workers deliver changes ([ADR 60](../../../../docs/adr/0060-webhooks.md)). A key sees those that it
//! created, and one with the scope `admin` all.

mod request;
mod response;
mod write;

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi};

pub use self::{
    request::WebhookInput,
    response::{
        CreatedWebhook, DisabledWebhook, PendingBatch, RotatedSecret, Webhook, WebhookAttempt, WebhookDetails, WebhookList,
    },
};
pub(crate) use self::{
    response::describe_reason,
    write::{Access, enable as enable_webhook},
};
use crate::{
    auth::{Caller, Scope},
    database::reader::ReadSize,
    error::ApiError,
    query::{CursorText, Documented, Parameters, Path, Required, UuidText, no_parameters, parse_path},
    resources::{openapi::Tag, upload::Upload},
    response::{Encoded, Envelope, Reply},
    state::State,
};

/// The paths of all operations.
pub(crate) const PATHS: &str = "/webhooks";

/// The response to a request that creates an endpoint.
#[derive(ApiResponse, Debug)]
pub enum CreateWebhookResponse {
    /// The webhook is created. Its secret is shown only here
    #[oai(status = 201)]
    Created(
        Encoded<Envelope<CreatedWebhook>>,
        /// The webhook
        #[oai(header = "Location")]
        String,
    ),
}

/// The response to a deleted endpoint.
#[derive(ApiResponse, Debug)]
pub enum DeleteWebhookResponse {
    /// The webhook is deleted
    #[oai(status = 204)]
    Deleted,
}

/// The response to a requested test.
#[derive(ApiResponse, Debug)]
pub enum TestWebhookResponse {
    /// The message is queued. Its result will be among the attempts of the webhook
    #[oai(status = 202)]
    Queued(Encoded<Envelope<Webhook>>),
}

/// The operations.
#[derive(Debug)]
pub struct WebhooksApi(pub State);

#[OpenApi(tag = "Tag::Webhooks")]
impl WebhooksApi {
    /// Create a webhook
    ///
    /// Changes are delivered to its URL from now on, or from a position in the log. Messages are signed as
    /// [Standard Webhooks](https://www.standardwebhooks.com) specify, with the secret of the response, which is not shown again. Each has up to
    /// 100 changes, as `/changes` has them, in the order of commits; the next one is sent once the receiver has responded with a status 2xx.
    /// A failed delivery is repeated, unchanged, for three days. Requires the scope `webhooks`.
    ///
    /// Places and regions in the filters are those of the time of the request. A key may have 20 webhooks.
    #[oai(path = "/webhooks", method = "post", operation_id = "create_webhook")]
    async fn create_webhook(
        &self,
        request: &Request,
        caller: Caller,
        upload: Upload<WebhookInput>,
    ) -> Result<CreateWebhookResponse, ApiError> {
        let name = self.0.keys.authorize(request, &caller, &Scope::Webhooks)?;
        no_parameters(request)?;
        request::check_headers(request)?;
        let _permit = self.0.writer.reserve_body(&name, upload.declared_bytes(request::MAX_BODY_BYTES)?).await?;
        let bytes = upload.bytes(request::MAX_BODY_BYTES).await?;
        let mut new = request::parse(&bytes, self.0.endpoints)?;
        let source = self.0.reader.primary();
        new.selection = self.0.reader.read(source, ReadSize::Small, request::resolve(new.selection, &source.connection)).await?;
        let writer = &self.0.writer;
        let row = writer.write(1, write::create(&writer.database, name.as_str(), new)).await?;
        tracing::info!(webhook.id = %row.id, "webhook created");
        let (location, created) = (format!("webhooks/{}", row.id), CreatedWebhook::from(&row));
        Ok(CreateWebhookResponse::Created(Encoded::new(&Envelope::from(created))?, location))
    }

    /// List webhooks
    ///
    /// Returns the webhooks that the key created, or all with the scope `admin`, the oldest first.
    #[oai(path = "/webhooks", method = "get", operation_id = "webhooks")]
    async fn webhooks(&self, request: &Request, caller: Caller) -> Result<Reply<Envelope<WebhookList>>, ApiError> {
        let access = self.authorize(request, &caller)?;
        no_parameters(request)?;
        let source = self.0.reader.only_primary();
        let rows = self.0.reader.read(source, ReadSize::Small, write::list(&source.connection, &access)).await?;
        Reply::json(request, &Envelope::from(WebhookList::from(rows))).await
    }

    /// Get a webhook
    ///
    /// Returns a webhook with its last 20 attempts to send a message, the newest first.
    #[oai(path = "/webhooks/:id", method = "get", operation_id = "webhook")]
    async fn webhook(
        &self,
        request: &Request,
        caller: Caller,
        /// The id of the webhook
        id: Path<UuidText>,
    ) -> Result<Reply<Envelope<WebhookDetails>>, ApiError> {
        let access = self.authorize(request, &caller)?;
        no_parameters(request)?;
        let id = parse_id(&id)?;
        let source = self.0.reader.only_primary();
        let row = self.0.reader.read(source, ReadSize::Small, write::find_own(&source.connection, id, &access)).await?;
        Reply::json(request, &Envelope::from(WebhookDetails::from(&row))).await
    }

    /// Delete a webhook
    ///
    /// Nothing is sent to it any more, except a message that is being sent.
    #[oai(path = "/webhooks/:id", method = "delete", operation_id = "delete_webhook")]
    async fn delete_webhook(
        &self,
        request: &Request,
        caller: Caller,
        /// The id of the webhook
        id: Path<UuidText>,
    ) -> Result<DeleteWebhookResponse, ApiError> {
        let access = self.authorize(request, &caller)?;
        no_parameters(request)?;
        let id = parse_id(&id)?;
        let writer = &self.0.writer;
        writer.write(1, write::delete(&writer.database, id, &access)).await?;
        tracing::info!(webhook.id = %id, "webhook deleted");
        Ok(DeleteWebhookResponse::Deleted)
    }

    /// Replace the secret of a webhook
    ///
    /// Returns a new secret, which is not shown again. For 24 hours, messages have signatures with both secrets, so that receivers can be
    /// changed in that time. Until then, the response to another request is 409.
    #[oai(path = "/webhooks/:id/rotate", method = "post", operation_id = "rotate_webhook")]
    async fn rotate_webhook(
        &self,
        request: &Request,
        caller: Caller,
        /// The id of the webhook
        id: Path<UuidText>,
    ) -> Result<Encoded<Envelope<RotatedSecret>>, ApiError> {
        let access = self.authorize(request, &caller)?;
        no_parameters(request)?;
        let id = parse_id(&id)?;
        let writer = &self.0.writer;
        let row = writer.write(1, write::rotate(&writer.database, id, &access)).await?;
        tracing::info!(webhook.id = %id, "secret of a webhook replaced");
        Encoded::new(&Envelope::from(RotatedSecret::from(&row)))
    }

    /// Test a webhook
    ///
    /// Sends a message of the type `test`, without changes, once. The result is among the attempts of the webhook, within seconds. A webhook
    /// that is disabled is tested, too.
    #[oai(path = "/webhooks/:id/test", method = "post", operation_id = "test_webhook")]
    async fn test_webhook(
        &self,
        request: &Request,
        caller: Caller,
        /// The id of the webhook
        id: Path<UuidText>,
    ) -> Result<TestWebhookResponse, ApiError> {
        let access = self.authorize(request, &caller)?;
        no_parameters(request)?;
        let id = parse_id(&id)?;
        let writer = &self.0.writer;
        let row = writer.write(1, write::test(&writer.database, id, &access)).await?;
        Ok(TestWebhookResponse::Queued(Encoded::new(&Envelope::from(Webhook::from(&row)))?))
    }

    /// Enable a webhook
    ///
    /// Continues the delivery of a webhook that was disabled, or that waits for its next attempt, with the same message. If changes after its
    /// position were removed, the response is 410: copy `/events.ndjson`, and replay from its cursor.
    #[oai(path = "/webhooks/:id/enable", method = "post", operation_id = "enable_webhook")]
    async fn enable_webhook(
        &self,
        request: &Request,
        caller: Caller,
        /// The id of the webhook
        id: Path<UuidText>,
    ) -> Result<Encoded<Envelope<Webhook>>, ApiError> {
        let access = self.authorize(request, &caller)?;
        no_parameters(request)?;
        let id = parse_id(&id)?;
        let writer = &self.0.writer;
        let row = writer.write(1, write::enable(&writer.database, id, &access)).await?;
        tracing::info!(webhook.id = %id, "webhook enabled");
        Encoded::new(&Envelope::from(Webhook::from(&row)))
    }

    /// Deliver changes again from a position
    ///
    /// Moves a webhook to a position in the log, before or after its current one, and enables it. A message that is being delivered is
    /// dropped. Changes that are delivered again are in messages with other ids.
    #[oai(path = "/webhooks/:id/replay", method = "post", operation_id = "replay_webhook")]
    async fn replay_webhook(
        &self,
        request: &Request,
        caller: Caller,
        /// The id of the webhook
        id: Path<UuidText>,
        /// The position: a cursor of `/changes`, `/events.ndjson` or of a message
        #[oai(name = "after")]
        _after: Documented<Required<CursorText>>,
    ) -> Result<Encoded<Envelope<Webhook>>, ApiError> {
        let access = self.authorize(request, &caller)?;
        let id = parse_id(&id)?;
        let after = request::parse_replay(Parameters::of(request))?;
        let writer = &self.0.writer;
        let row = writer.write(1, write::replay(&writer.database, id, &access, after)).await?;
        tracing::info!(webhook.id = %id, "webhook replays");
        Encoded::new(&Envelope::from(Webhook::from(&row)))
    }
}

impl WebhooksApi {
    fn authorize(&self, request: &Request, caller: &Caller) -> Result<Access, ApiError> {
        let name = self.0.keys.authorize(request, caller, &Scope::Webhooks)?;
        Ok(if self.0.keys.permits(caller, &Scope::Admin) { Access::All } else { Access::Of(name.as_str().to_owned()) })
    }
}

fn parse_id(text: &str) -> Result<uuid::Uuid, ApiError> {
    parse_path("id", text, "must be a UUID as in /webhooks")
}
