//! The document that the pages of a run become.

use std::{sync::Arc, time::Duration};

use entity::feed_page::PageKind;
use reqwest::Url;

use super::{FetchedPage, FetchedPages, PageContent, PageStore, PagesError, links};
use crate::provider::{
    fetch::{FetchError, FetchOutcome, FetchResponse, FetchedDocument, Validators},
    format::{FeedFormat, Sitemap, parse_sitemap},
    spool::{Spool, SpoolWriter},
};

/// Bytes that are copied into the document at a time.
const STEP_BYTES: u64 = 1024 * 1024;
/// The position of a warning that is not in a page.
const NO_POSITION: usize = usize::MAX;

/// The document while pages are added.
pub(super) struct PagedDocument<'a, S> {
    format: FeedFormat,
    store: &'a S,
    spool: SpoolWriter,
    limit_bytes: u64,
    /// Bytes of all pages, also those that the spool does not contain.
    bytes: u64,
    pub(super) fetched: FetchedPages,
    is_modified: bool,
    fresh_for: Option<Duration>,
}

/// A page that was added to the document.
pub(super) struct AddedPage {
    /// Its URL after redirects.
    pub(super) url: Url,
    pub(super) kind: PageKind,
    pub(super) next: Option<Url>,
    /// The URLs in a sitemap, as they are written.
    pub(super) listed: Vec<String>,
}

impl<'a, S: PageStore> PagedDocument<'a, S> {
    /// An empty document. It is fresh for as long as its first page, unless another page is not.
    pub(super) fn new(format: FeedFormat, store: &'a S, limit_bytes: u64, first: &FetchOutcome) -> Self {
        let (FetchOutcome::Modified(FetchedDocument { fresh_for, .. }) | FetchOutcome::NotModified { fresh_for, .. }) = first;
        Self {
            format,
            store,
            spool: SpoolWriter::new(limit_bytes),
            limit_bytes,
            bytes: 0,
            fetched: FetchedPages::default(),
            is_modified: false,
            fresh_for: *fresh_for,
        }
    }

    /// The bytes that may be added.
    pub(super) fn remaining_bytes(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.bytes)
    }

    pub(super) fn too_large(&self) -> FetchError {
        FetchError::PagesTooLarge { limit_bytes: self.limit_bytes }
    }

    /// The number of pages that are parts of the document.
    pub(super) fn count_pages(&self) -> usize {
        self.fetched.pages.iter().filter(|page| page.kind == PageKind::Page).count()
    }

    /// The name of the next page for messages.
    pub(super) fn name_next_page(&self, url: &Url) -> String {
        format!("page {}, {}", self.count_pages() + 1, links::redact(url))
    }

    pub(super) fn warn(&mut self, reason: String) {
        self.fetched.warnings.push(NO_POSITION, reason);
    }

    /// Adds a page. It is a sitemap only if it `may_be_sitemap`.
    pub(super) async fn add(
        &mut self,
        url: &Url,
        response: FetchResponse,
        may_be_sitemap: bool,
    ) -> Result<AddedPage, PagesError> {
        let FetchResponse { outcome, url: final_url, next } = response;
        let mut page = FetchedPage {
            url: url.as_str().to_owned(),
            kind: PageKind::Page,
            validators: Validators::default(),
            next,
            content: PageContent::Stored,
        };
        let (listed, fresh_for) = match outcome {
            FetchOutcome::Modified(FetchedDocument { spool, validators, fresh_for, .. }) => {
                self.is_modified = true;
                page.validators = validators;
                (self.add_new(url, &spool, &mut page, may_be_sitemap).await?, fresh_for)
            }
            FetchOutcome::NotModified { validators, fresh_for, .. } => {
                page.validators = validators;
                (self.add_stored(url, &mut page).await?, fresh_for)
            }
        };
        self.fresh_for = self.fresh_for.zip(fresh_for).map(|(left, right)| left.min(right));
        let next = page.next.take().map(|next| links::resolve(&final_url, &next)).transpose();
        let next = next.map_err(|why| FetchError::LinkRefused { why })?;
        page.next = next.as_ref().map(|next| next.as_str().to_owned());
        let kind = page.kind;
        self.fetched.pages.push(page);
        Ok(AddedPage { url: final_url, kind, next, listed: listed.lines().map(str::to_owned).collect() })
    }

    /// Adds what was fetched, and returns the URLs in a sitemap.
    async fn add_new(
        &mut self,
        url: &Url,
        content: &Spool,
        page: &mut FetchedPage,
        may_be_sitemap: bool,
    ) -> Result<String, FetchError> {
        self.count_bytes(content.len())?;
        if may_be_sitemap && self.format.is_sitemap(content).map_err(FetchError::Disk)? {
            let (kind, listed) = read_sitemap(content)?;
            (page.kind, page.content) = (kind, PageContent::Urls(listed.clone()));
            return Ok(listed);
        }
        if page.next.is_none() {
            page.next = self.format.find_next_page(content).map_err(FetchError::Disk)?;
        }
        self.spool.begin_page(self.name_next_page(url));
        let start = self.spool.bytes_written();
        if let Some(reduced) = self.format.reduce_page(content).map_err(FetchError::Disk)? {
            self.spool.write(reduced).await?;
        } else {
            let mut position = 0;
            while position < content.len() {
                let end = content.len().min(position + STEP_BYTES);
                self.spool.write(content.read(position..end).map_err(FetchError::Disk)?).await?;
                position = end;
            }
        }
        page.content = PageContent::InDocument(start..self.spool.bytes_written());
        Ok(String::new())
    }

    /// Adds a page that is unmodified, and returns the URLs in a sitemap.
    async fn add_stored(&mut self, url: &Url, page: &mut FetchedPage) -> Result<String, PagesError> {
        let content = self.store.load(url.as_str()).await?;
        self.count_bytes(content.len() as u64)?;
        if let Some(stored) = self.store.pages().get(url.as_str()) {
            page.kind = stored.kind;
            // Most responses with 304 have no link.
            page.next = page.next.take().or_else(|| stored.next.clone());
        }
        if page.kind != PageKind::Page {
            return Ok(String::from_utf8_lossy(&content).into_owned());
        }
        self.spool.begin_page(self.name_next_page(url));
        self.spool.write(&content).await.map_err(FetchError::from)?;
        Ok(String::new())
    }

    fn count_bytes(&mut self, bytes: u64) -> Result<(), FetchError> {
        self.bytes += bytes;
        if self.bytes > self.limit_bytes { Err(self.too_large()) } else { Ok(()) }
    }

    /// The complete document, unless it consists of the stored pages.
    pub(super) async fn finish(self) -> Result<FetchOutcome, FetchError> {
        let is_same = !self.is_modified && self.fetched.pages.len() == self.store.pages().len();
        let (pages, fresh_for, validators) = (Some(Arc::new(self.fetched)), self.fresh_for, Validators::default());
        if is_same {
            return Ok(FetchOutcome::NotModified { validators, fresh_for, pages });
        }
        let spool = Arc::new(self.spool.finish().await?);
        Ok(FetchOutcome::Modified(FetchedDocument { spool, http_status: Some(200), validators, fresh_for, pages }))
    }
}

/// The kind of a sitemap, and its URLs in lines.
fn read_sitemap(spool: &Spool) -> Result<(PageKind, String), FetchError> {
    let document = spool.read(0..spool.len()).map_err(FetchError::Disk)?;
    let sitemap = parse_sitemap(&document).map_err(|error| FetchError::InvalidSitemap { detail: error.to_string() })?;
    let (kind, urls) = match sitemap {
        Sitemap::Pages(urls) => (PageKind::Sitemap, urls),
        Sitemap::Sitemaps(urls) => (PageKind::SitemapIndex, urls),
    };
    let lines: Vec<String> = urls.iter().map(|url| url.replace(['\r', '\n'], "")).filter(|url| !url.is_empty()).collect();
    Ok((kind, lines.join("\n")))
}
