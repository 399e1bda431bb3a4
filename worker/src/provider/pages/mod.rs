//! Fetches a feed that consists of several pages: linked by `Link: rel="next"`, by a Hydra view, or listed in a sitemap.
//!
//! Whether a feed has pages is detected in its first document. All pages of a run become one document, so that everything after it is
//! the same as for a single document. A page that the provider confirms with 304 is read from a [`PageStore`]. A run has all pages or
//! fails. `fetch` sends the requests; this module decides which.

mod crawl;
mod document;
mod links;
mod robots;

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    time::Duration,
};

use bytes::Bytes;
use entity::feed_page::PageKind;
use sea_orm::DbErr;

use self::{crawl::Crawl, document::PagedDocument, robots::RobotsFiles};
use super::{
    fetch::{self, FeedClient, FetchError, FetchOutcome, FetchRequest, Validators},
    format::FeedFormat,
    item::FeedWarnings,
};
use crate::progress::ProgressCounter;

/// Pages of a feed by default: a large venue has some hundred, and more are often a calendar without an end.
const MAX_PAGES: usize = 1_000;
/// Requests for pages to one host in a second by default: few enough that a small web server does not notice them.
const MAX_REQUESTS_PER_SECOND: f64 = 2.0;
/// How long all pages may take by default: more than the default number of pages at the default rate, if each responds in two seconds.
const PAGES_TIMEOUT: Duration = Duration::from_secs(3600);

/// The default of a provider's `max_pages`.
pub(crate) fn default_max_pages() -> usize {
    MAX_PAGES
}

/// The default of a provider's `max_requests_per_second`.
pub(crate) fn default_max_requests_per_second() -> f64 {
    MAX_REQUESTS_PER_SECOND
}

/// The default of a provider's `pages_timeout_seconds`.
pub(crate) fn default_pages_timeout() -> Duration {
    PAGES_TIMEOUT
}

/// The limits of a feed with several pages. Its bytes have the limit of a document.
#[derive(Clone, Copy, Debug)]
pub struct PageLimits {
    /// Pages, including sitemaps.
    pub max_pages: usize,
    /// Requests to one host in a second.
    pub max_requests_per_second: f64,
    /// How long all pages may take.
    pub timeout: Duration,
}

impl Default for PageLimits {
    fn default() -> Self {
        Self { max_pages: MAX_PAGES, max_requests_per_second: MAX_REQUESTS_PER_SECOND, timeout: PAGES_TIMEOUT }
    }
}

/// The pages of a document that was fetched in several.
#[derive(Debug, Default)]
pub struct FetchedPages {
    /// The pages, including sitemaps.
    pub pages: Vec<FetchedPage>,
    /// The pages that were left out.
    pub warnings: FeedWarnings,
}

/// One page of a document.
#[derive(Debug)]
pub struct FetchedPage {
    /// Its URL, with its secrets.
    pub url: String,
    /// What it contains.
    pub kind: PageKind,
    /// The validators for the next conditional request.
    pub validators: Validators,
    /// The URL of the next page.
    pub next: Option<String>,
    /// Its content.
    pub content: PageContent,
}

/// The content of a page.
#[derive(Debug)]
pub enum PageContent {
    /// The same as in the store (304).
    Stored,
    /// A range of the document.
    InDocument(Range<u64>),
    /// Lines with the URLs in a sitemap.
    Urls(String),
}

/// A page of an earlier run.
#[derive(Clone, Debug)]
pub struct StoredPage {
    /// What it contains.
    pub kind: PageKind,
    /// The validators for the next conditional request.
    pub validators: Validators,
    /// The URL of the next page.
    pub next: Option<String>,
}

/// The pages of the copied document.
pub trait PageStore: Sync {
    /// The pages by their URLs.
    fn pages(&self) -> &HashMap<String, StoredPage>;

    /// Reads the content of a page.
    fn load(&self, url: &str) -> impl Future<Output = Result<Bytes, DbErr>> + Send;
}

/// No pages: all requests are unconditional.
#[derive(Debug, Default)]
pub struct NoPages(HashMap<String, StoredPage>);

impl PageStore for NoPages {
    fn pages(&self) -> &HashMap<String, StoredPage> {
        &self.0
    }

    async fn load(&self, url: &str) -> Result<Bytes, DbErr> {
        Err(DbErr::RecordNotFound(url.to_owned()))
    }
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// A page could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A stored page could not be read.
    #[error("a stored page could not be read")]
    Store(#[from] DbErr),
}

/// Fetches the document of a feed with all its pages, unless all of it is unmodified.
///
/// # Errors
///
/// When a page cannot be fetched, a limit is exceeded, or a stored page cannot be read.
pub async fn fetch(
    client: &FeedClient,
    request: &FetchRequest<'_>,
    (format, limits): (FeedFormat, PageLimits),
    store: &impl PageStore,
    progress: &ProgressCounter,
) -> Result<FetchOutcome, PagesError> {
    let stored = store.pages().get(request.url.as_str());
    let validators = stored.map_or(request.validators, |page| &page.validators);
    let mut first = fetch::fetch_document(client, &FetchRequest { validators, ..*request }, progress).await?;
    if stored.is_none() && first.next.is_some() && matches!(first.outcome, FetchOutcome::NotModified { .. }) {
        // The copied document was the only page until now, so that it is not stored.
        first = fetch::fetch_document(client, &FetchRequest { validators: &Validators::default(), ..*request }, progress).await?;
    }
    let is_paged = match &first.outcome {
        FetchOutcome::NotModified { .. } => stored.is_some(),
        FetchOutcome::Modified(document) => {
            let spool = &document.spool;
            let is_linked = || Ok(format.find_next_page(spool)?.is_some() || format.is_sitemap(spool)?);
            first.next.is_some() || is_linked().map_err(FetchError::Disk)?
        }
    };
    if !is_paged {
        return Ok(first.outcome);
    }
    progress.forget_total();
    let document = PagedDocument::new(format, store, request.limit_bytes, &first.outcome);
    let (robots, known) = (RobotsFiles::default(), HashSet::new());
    let crawling = Crawl { client, request, limits, store, progress, robots, known, document }.run(first);
    let timed_out = |_| FetchError::PagesTimedOut { seconds: limits.timeout.as_secs() };
    tokio::time::timeout(limits.timeout, crawling).await.map_err(timed_out)?
}
