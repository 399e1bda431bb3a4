//! `POST /providers/{slug}/feed` and `/providers/{slug}/sync`: pushed feeds and requested syncs. Both are queued here and run by a
//! worker.

mod accept;
mod body;
mod dry_run;
mod request;
mod response;

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi};

use self::request::{DryRun, FeedRequest, ModeName};
pub use self::{
    body::FeedBody,
    response::{DryRunReport, QueuedRun},
};
pub(crate) use self::{
    body::MAX_BYTES as MAX_FEED_BYTES,
    dry_run::start as start_dry_run,
    response::{DryRunReject, DryRunState},
};
use crate::{
    auth::{Caller, Scope},
    error::ApiError,
    query::{Documented, IdempotencyKeyText, Path, ProviderSlugText, no_parameters},
    resources::openapi::Tag,
    resources::upload::Upload,
    response::{Encoded, Envelope},
    state::State,
};

/// Seconds after which a run may be completed: workers claim jobs twice per second.
const RETRY_AFTER_SECONDS: u32 = 1;

/// The operations.
#[derive(Debug)]
pub struct FeedsApi(pub State);

/// The response to a pushed feed.
#[derive(ApiResponse, Debug)]
pub enum FeedResponse {
    /// What the feed would change; of a dry run only
    #[oai(status = 200)]
    DryRun(Encoded<Envelope<DryRunReport>>),
    /// The feed is stored and queued
    #[oai(status = 202)]
    Queued(
        Encoded<Envelope<QueuedRun>>,
        /// The sync run
        #[oai(header = "Location")]
        String,
        /// Seconds after which the run may be completed
        #[oai(header = "Retry-After")]
        u32,
    ),
}

/// The response to a requested sync.
#[derive(ApiResponse, Debug)]
pub enum SyncResponse {
    /// The sync is queued
    #[oai(status = 202)]
    Queued(
        Encoded<Envelope<QueuedRun>>,
        /// The sync run
        #[oai(header = "Location")]
        String,
        /// Seconds after which the run may be completed
        #[oai(header = "Retry-After")]
        u32,
    ),
}

#[OpenApi(tag = "Tag::ProvidersAndSyncs")]
impl FeedsApi {
    /// Push a feed
    ///
    /// The body is a document in the provider's format, optionally compressed with gzip, br or zstd. It is stored and queued before the
    /// response is sent, and `Location` is its sync run. Documents of one provider are applied in the order in which they were accepted.
    /// With an `Idempotency-Key` the request can be retried: the same key and document are applied once.
    #[oai(path = "/providers/:slug/feed", method = "post", operation_id = "push_feed")]
    #[expect(clippy::too_many_arguments, reason = "one for each documented parameter")]
    async fn feed(
        &self,
        request: &Request,
        caller: Caller,
        /// The slug of the provider
        slug: Path<ProviderSlugText>,
        /// `snapshot`: events that are not in the document were removed from the feed. `delta`: base events that are not in
        /// the document stay as they are
        #[oai(name = "mode")]
        _mode: Documented<ModeName>,
        /// `true`: return what the document would change, without changing anything. A worker must be running
        #[oai(name = "dry_run")]
        _dry_run: Documented<DryRun>,
        /// A unique key for this document, such as a UUID
        #[oai(name = "Idempotency-Key")]
        _key: Documented<IdempotencyKeyText>,
        upload: Upload<FeedBody>,
    ) -> Result<FeedResponse, ApiError> {
        let caller = self.0.keys.authorize(request, &caller, &Scope::Feed(slug.to_owned()))?;
        let options = FeedRequest::parse(request)?;
        let accepted = {
            let _permit = self.0.writer.reserve_body(&caller, upload.declared_bytes(body::MAX_BYTES)?).await?;
            let feed = body::read(request, upload, &options).await?;
            let writer = &self.0.writer;
            writer.write(1, accept::accept_feed(&writer.database, &slug, feed, &options)).await?
        };
        match accepted.run_id {
            Some(run_id) => {
                tracing::info!(provider.slug = &*slug, sync_run.id = run_id, "feed accepted");
                Ok(FeedResponse::Queued(queued(run_id)?, location(run_id), RETRY_AFTER_SECONDS))
            }
            None => {
                tracing::info!(provider.slug = &*slug, "feed accepted for a dry run");
                Ok(FeedResponse::DryRun(dry_run::wait_for_report(&self.0.writer, accepted.id).await?))
            }
        }
    }

    /// Sync a provider now
    ///
    /// Queues the same sync that the provider's schedule starts. If one is already queued, its run is returned.
    #[oai(path = "/providers/:slug/sync", method = "post", operation_id = "sync_now")]
    async fn sync(
        &self,
        request: &Request,
        caller: Caller,
        /// The slug of the provider
        slug: Path<ProviderSlugText>,
    ) -> Result<SyncResponse, ApiError> {
        self.0.keys.authorize(request, &caller, &Scope::Admin)?;
        no_parameters(request)?;
        let run_id = self.0.writer.write(1, accept::accept_sync(&self.0.writer.database, &slug)).await?;
        tracing::info!(provider.slug = &*slug, sync_run.id = run_id, "sync queued");
        Ok(SyncResponse::Queued(queued(run_id)?, location(run_id), RETRY_AFTER_SECONDS))
    }
}

/// A reference relative to the path of both requests, which may have a prefix that a proxy removed.
fn location(run_id: i64) -> String {
    format!("../../sync-runs/{run_id}")
}

fn queued(run_id: i64) -> Result<Encoded<Envelope<QueuedRun>>, ApiError> {
    Encoded::new(&Envelope::from(QueuedRun { sync_run: run_id }))
}
