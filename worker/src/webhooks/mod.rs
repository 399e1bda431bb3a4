//! Delivers changes to the endpoints of webhooks ([ADR 60](../../../docs/adr/0060-webhooks.md)).
//!
//! [`dispatch`] finds the endpoints that have something to receive and enqueues their jobs. [`delivery`] is such a job: it freezes a batch
//! of changes (`source`, `pages`), sends it (`message`), and records the result, until nothing is left. [`test_message`] sends one without changes.

pub mod delivery;
pub mod dispatch;
mod failure;
mod known_log;
mod message;
pub mod metrics;
mod pages;
mod signature;
mod source;
pub mod test_message;

use outbound::{ClientTimeouts, EndpointSettings, OutboundClient};
use sea_orm::DatabaseConnection;
use tokio_util::sync::CancellationToken;

use self::{
    message::{CONNECT_TIMEOUT, IDLE_TIMEOUT, RESPONSE_TIMEOUT},
    pages::SharedPages,
};

/// Deliveries of a process at the same time. Each mostly waits for its receiver, with a socket and up to half a megabyte. They are not
/// among the other jobs, so that receivers that do not respond delay no sync.
pub const MAX_DELIVERIES: usize = 128;

/// The resources that deliveries share.
#[derive(Clone, Debug)]
pub struct DeliveryContext {
    pub(crate) database: DatabaseConnection,
    client: OutboundClient,
    settings: EndpointSettings,
    pages: SharedPages,
    /// Cancelled when no message may begin any more.
    stop: CancellationToken,
}

impl DeliveryContext {
    /// With a pool for deliveries, and a client that connects to the addresses of the settings only.
    ///
    /// # Errors
    ///
    /// When the TLS certificates of the machine cannot be read.
    pub fn new(database: DatabaseConnection, settings: EndpointSettings) -> Result<Self, outbound::BoxedCause> {
        let timeouts = ClientTimeouts { connect: CONNECT_TIMEOUT, read: RESPONSE_TIMEOUT, idle: IDLE_TIMEOUT };
        let client = OutboundClient::new(settings.allowed(), timeouts)?;
        Ok(Self { database, client, settings, pages: SharedPages::new(), stop: CancellationToken::new() })
    }

    /// The same, but no message begins once `stop` is cancelled.
    #[must_use]
    pub fn stopped_by(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }
}
