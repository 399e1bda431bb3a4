//! Where the document of a sync comes from.

use std::path::PathBuf;

use entity::pushed_feed;

use super::{SyncError, pushed};
use crate::{
    progress::ProgressCounter,
    provider::{
        document,
        entry::ProviderEntry,
        fetch::{FeedClient, FetchOutcome, FetchRequest, FetchedDocument, Validators},
        pages::{self, PageLimits, PageStore, PagesError},
        spool::SpoolError,
    },
};

/// Where the document comes from.
#[derive(Clone, Debug)]
pub enum FeedSource {
    /// The provider's URL.
    Provider(FeedClient),
    /// A file, as if the provider had sent it.
    File(PathBuf),
    /// A feed that the provider has pushed.
    Pushed(Box<pushed_feed::Model>),
}

impl FeedSource {
    /// The pushed feed, if it is one.
    pub(super) fn pushed(&self) -> Option<&pushed_feed::Model> {
        match self {
            Self::Pushed(feed) => Some(feed),
            Self::Provider(_) | Self::File(_) => None,
        }
    }

    /// Obtains the document, unless the provider confirms that the copied one is current. `stored` has the pages of the copied one.
    pub(super) async fn fetch(
        &self,
        entry: &ProviderEntry,
        copied: &Validators,
        stored: &impl PageStore,
        progress: &ProgressCounter,
    ) -> Result<FetchOutcome, SyncError> {
        match self {
            Self::Provider(client) => {
                let request = FetchRequest {
                    url: entry.url.expose(),
                    headers: &entry.headers,
                    validators: copied,
                    response_timeout: entry.response_timeout,
                    limit_bytes: entry.max_body_bytes,
                    allow_private_addresses: entry.allow_private_addresses,
                };
                let limits = PageLimits {
                    max_pages: entry.max_pages,
                    max_requests_per_second: entry.max_requests_per_second,
                    timeout: entry.pages_timeout,
                };
                pages::fetch(client, &request, (entry.format, limits), stored, progress).await.map_err(|error| match error {
                    PagesError::Fetch(error) => SyncError::Fetch(error),
                    PagesError::Store(error) => SyncError::Database(error),
                })
            }
            Self::File(path) => {
                let spool = document::copy_file(path, entry.max_body_bytes).await.map_err(|error| match error {
                    SpoolError::Unreadable(error) => SyncError::File(error),
                    other => SyncError::Fetch(other.into()),
                })?;
                let validators = Validators::default();
                let document =
                    FetchedDocument { spool: spool.into(), http_status: None, validators, fresh_for: None, pages: None };
                Ok(FetchOutcome::Modified(document))
            }
            Self::Pushed(feed) => Ok(FetchOutcome::Modified(pushed::decode(entry, feed).await?)),
        }
    }
}
