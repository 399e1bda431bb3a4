//! `POST /providers/{slug}/feed` and `/providers/{slug}/sync`: what a provider pushes, and a copy that is wanted now. Both are accepted
//! here and done by a worker.

mod accept;
mod answer;
mod body;
mod rehearsal;
mod request;

use poem::Request;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path},
};

use self::request::FeedRequest;
pub use self::{
    answer::{Accepted, Rehearsal},
    body::FeedBody,
};
use crate::{
    auth::{Caller, Scope},
    error::ApiError,
    query::{Documented, Word, no_parameters},
    response::{Encoded, Envelope},
    state::State,
    upload::Upload,
};

/// Seconds after which a run may have ended: workers look for jobs twice a second.
const RETRY_AFTER_SECONDS: u32 = 1;

/// The operations.
#[derive(Debug)]
pub struct FeedsApi(pub State);

/// A document, or a wish for one, was accepted.
#[derive(ApiResponse, Debug)]
pub enum FeedResponse {
    /// What it would change; only of a dry run
    #[oai(status = 200)]
    Rehearsed(Encoded<Envelope<Rehearsal>>),
    /// It is queued
    #[oai(status = 202)]
    Accepted(
        Encoded<Envelope<Accepted>>,
        /// Its run in the ledger
        #[oai(header = "Location")]
        String,
        /// Seconds after which the run may have ended
        #[oai(header = "Retry-After")]
        u32,
    ),
}

/// A copy is wanted.
#[derive(ApiResponse, Debug)]
pub enum SyncResponse {
    /// It is queued
    #[oai(status = 202)]
    Accepted(
        Encoded<Envelope<Accepted>>,
        /// Its run in the ledger
        #[oai(header = "Location")]
        String,
        /// Seconds after which the run may have ended
        #[oai(header = "Retry-After")]
        u32,
    ),
}

#[OpenApi]
impl FeedsApi {
    /// Push a feed
    ///
    /// A document in the provider's format, which may be compressed with gzip, br or zstd. It is stored and queued before it is answered;
    /// `Location` tells how it goes. Documents of one provider are applied in the order in which they were accepted. With an
    /// `Idempotency-Key` it may be sent again: the same key and document are applied once.
    #[oai(path = "/providers/:slug/feed", method = "post", operation_id = "push_feed")]
    #[expect(clippy::too_many_arguments, reason = "one for each parameter that the description lists")]
    async fn feed(
        &self,
        request: &Request,
        caller: Caller,
        /// The provider's slug
        slug: Path<String>,
        /// What the document says of what it does not hold: `snapshot` (the default), that it has left; `delta`, nothing: base events that
        /// it does not hold stay as they are
        #[oai(name = "mode")]
        _mode: Documented<Word>,
        /// `true` to hear what the document would change, and change nothing; a worker must be running
        #[oai(name = "dry_run")]
        _dry_run: Documented<Word>,
        /// A text of your own that names this document, such as a UUID
        #[oai(name = "Idempotency-Key")]
        _key: Header<Option<String>>,
        upload: Upload<FeedBody>,
    ) -> Result<FeedResponse, ApiError> {
        self.0.keys.admit(request, &caller, &Scope::Feed(slug.0.clone()))?;
        let wanted = FeedRequest::parse(request)?;
        let accepted = {
            let _room = self.0.writer.reserve_body().await?;
            let pushed = body::read(request, upload, &wanted).await?;
            accept::feed(&self.0.writer.database, &slug, pushed, &wanted).await?
        };
        match accepted.run_id {
            Some(run_id) => Ok(FeedResponse::Accepted(answer(run_id)?, location(run_id), RETRY_AFTER_SECONDS)),
            None => Ok(FeedResponse::Rehearsed(rehearsal::outcome(&self.0.writer.database, accepted.id).await?)),
        }
    }

    /// Copy a provider's catalogue now
    ///
    /// As its schedule would, and whatever its schedule says; a copy that waits already is this one.
    #[oai(path = "/providers/:slug/sync", method = "post", operation_id = "sync_now")]
    async fn sync(
        &self,
        request: &Request,
        caller: Caller,
        /// The provider's slug
        slug: Path<String>,
    ) -> Result<SyncResponse, ApiError> {
        self.0.keys.admit(request, &caller, &Scope::Admin)?;
        no_parameters(request)?;
        let run_id = accept::sync(&self.0.writer.database, &slug).await?;
        Ok(SyncResponse::Accepted(answer(run_id)?, location(run_id), RETRY_AFTER_SECONDS))
    }
}

fn location(run_id: i64) -> String {
    format!("/sync-runs/{run_id}")
}

fn answer(run_id: i64) -> Result<Encoded<Envelope<Accepted>>, ApiError> {
    Encoded::new(&Envelope::from(Accepted { sync_run: run_id }))
}
