//! One run over the pages of a feed: which URL is requested next.

use std::{collections::HashSet, time::Duration};

use entity::{RedactedUrl, feed_page::PageKind};
use reqwest::Url;
use tokio::time::Instant;

use super::{
    PageLimits, PageStore, PagesError,
    document::{AddedPage, PagedDocument},
    links::{host_of, key_of, redact, resolve},
    robots::{RobotsFiles, RobotsRules},
};
use crate::{
    progress::ProgressCounter,
    provider::{
        fetch::{self, FeedClient, FetchError, FetchOutcome, FetchRequest, FetchResponse, FetchTarget, Validators},
        quote::quote,
    },
};

/// A run over the pages.
pub(super) struct Crawl<'a, S> {
    pub(super) client: &'a FeedClient,
    pub(super) request: &'a FetchRequest<'a>,
    pub(super) limits: PageLimits,
    pub(super) store: &'a S,
    pub(super) progress: &'a ProgressCounter,
    pub(super) robots: RobotsFiles,
    /// URLs that were requested, or are listed.
    pub(super) known: HashSet<String>,
    pub(super) document: PagedDocument<'a, S>,
}

impl<S: PageStore> Crawl<'_, S> {
    /// Fetches the pages that follow the first one.
    pub(super) async fn run(mut self, first: FetchResponse) -> Result<FetchOutcome, PagesError> {
        let url = self.request.url;
        self.client.paces.reserve(host_of(url), self.interval(Duration::ZERO), Instant::now());
        self.known.extend([url, &first.url].map(key_of));
        let first = self.document.add(url, first, true).await?;
        match first.kind {
            PageKind::Page => self.follow(first.next).await?,
            PageKind::Sitemap | PageKind::SitemapIndex => self.fetch_listed(first).await?,
        }
        Ok(self.document.finish().await?)
    }

    /// Follows the links from page to page.
    async fn follow(&mut self, mut next: Option<Url>) -> Result<(), PagesError> {
        while let Some(url) = next {
            let page = self.document.name_next_page(&url);
            if !self.known.insert(key_of(&url)) {
                return Err(FetchError::PageLoop { page }.into());
            }
            self.check_count(1)?;
            if !self.is_allowed(&url).await? {
                return Err(FetchError::RobotsDisallowed { page }.into());
            }
            let response = self.fetch(&url).await.map_err(|error| error.in_page(&page))?;
            if key_of(&response.url) != key_of(&url) && !self.known.insert(key_of(&response.url)) {
                return Err(FetchError::PageLoop { page }.into());
            }
            next = self.document.add(&url, response, false).await?.next;
        }
        Ok(())
    }

    /// Fetches the pages in a sitemap, or in the sitemaps of an index.
    async fn fetch_listed(&mut self, first: AddedPage) -> Result<(), PagesError> {
        let host = host_of(&first.url).to_owned();
        let mut listed = self.resolve_listed(&first);
        if first.kind == PageKind::SitemapIndex {
            let sitemaps = std::mem::take(&mut listed);
            for url in sitemaps {
                if self.known.insert(key_of(&url)) && self.admit(&url, &host).await? {
                    self.check_count(1)?;
                    let response = self.fetch(&url).await.map_err(|error| error.in_page(&redact(&url)))?;
                    let sitemap = self.document.add(&url, response, true).await?;
                    if sitemap.kind != PageKind::Sitemap {
                        let detail = format!("the index lists {}, which is not a sitemap with pages", redact(&url));
                        return Err(FetchError::InvalidSitemap { detail }.into());
                    }
                    listed.extend(self.resolve_listed(&sitemap));
                }
            }
        }
        let mut pages = Vec::new();
        for url in listed {
            if self.known.insert(key_of(&url)) && self.admit(&url, &host).await? {
                pages.push(url);
            }
        }
        self.check_count(pages.len())?;
        for url in pages {
            self.fetch_listed_page(&url, &host).await?;
        }
        if self.document.count_pages() > 0 {
            return Ok(());
        }
        let reason =
            self.document.fetched.warnings.listed.first().map(|warning| format!(": {}", warning.reason)).unwrap_or_default();
        Err(FetchError::InvalidSitemap { detail: format!("it has no page that can be fetched{reason}") }.into())
    }

    async fn fetch_listed_page(&mut self, url: &Url, host: &str) -> Result<(), PagesError> {
        match self.fetch(url).await {
            Ok(response) => {
                let is_redirected = key_of(&response.url) != key_of(url);
                // The target of a redirect is another listed page, or must be admitted like one.
                if is_redirected && !(self.known.insert(key_of(&response.url)) && self.admit(&response.url, host).await?) {
                    return Ok(());
                }
                // The sitemap is complete without its links.
                let response = FetchResponse { next: None, ..response };
                self.document.add(url, response, false).await.map(drop)
            }
            Err(FetchError::Status { status: status @ (404 | 410), .. }) => {
                self.document.warn(format!("the page {} in the sitemap does not exist (status {status}); left out", redact(url)));
                Ok(())
            }
            Err(error) => Err(error.in_page(&self.document.name_next_page(url)).into()),
        }
    }

    /// Whether a listed URL may be requested; else a warning.
    async fn admit(&mut self, url: &Url, host: &str) -> Result<bool, PagesError> {
        let why = if host_of(url) != host {
            format!("is on another host than the sitemap ({host})")
        } else if self.is_allowed(url).await? {
            return Ok(true);
        } else {
            "is disallowed by robots.txt".to_owned()
        };
        self.document.warn(format!("the page {} in the sitemap {why}; left out", redact(url)));
        Ok(false)
    }

    fn resolve_listed(&mut self, sitemap: &AddedPage) -> Vec<Url> {
        let mut urls = Vec::with_capacity(sitemap.listed.len());
        for text in &sitemap.listed {
            match resolve(&sitemap.url, text) {
                Ok(url) => urls.push(url),
                Err(why) => {
                    let text = quote(&RedactedUrl::from(text.clone()).to_string());
                    self.document.warn(format!("the sitemap has {text}, which leads {why}; left out"));
                }
            }
        }
        urls
    }

    /// Whether `robots.txt` allows a URL.
    async fn is_allowed(&mut self, url: &Url) -> Result<bool, FetchError> {
        if self.robots.find(url).is_none() {
            self.wait(url).await?;
            self.robots.request(self.client, self.request, url).await?;
            if let Some(delay) = self.robots.find(url).map(RobotsRules::crawl_delay).filter(|delay| !delay.is_zero()) {
                self.client.paces.reserve(host_of(url), self.interval(delay), Instant::now());
            }
        }
        Ok(self.robots.find(url).is_none_or(|rules| rules.allow(url)))
    }

    /// Requests a page.
    async fn fetch(&self, url: &Url) -> Result<FetchResponse, FetchError> {
        self.wait(url).await?;
        let unconditional = Validators::default();
        let validators = self.store.pages().get(url.as_str()).map_or(&unconditional, |page| &page.validators);
        let target = FetchTarget { url, validators, limit_bytes: self.document.remaining_bytes() };
        let response = fetch::fetch_target(self.client, self.request, target, (self.progress, false)).await;
        response.map_err(|error| match error {
            FetchError::TooLarge { .. } => self.document.too_large(),
            error => error,
        })
    }

    /// Waits until the next request to a host may be sent.
    async fn wait(&self, url: &Url) -> Result<(), FetchError> {
        let delay = self.robots.find(url).map(RobotsRules::crawl_delay).unwrap_or_default();
        tokio::select! {
            biased;
            () = self.client.stop.cancelled() => Err(FetchError::Stopped),
            () = self.client.paces.wait(host_of(url), self.interval(delay)) => Ok(()),
        }
    }

    /// The time between two requests to a host with this delay.
    fn interval(&self, crawl_delay: Duration) -> Duration {
        let interval = Duration::from_secs_f64(1.0 / self.limits.max_requests_per_second);
        // A longer one has the same effect: the pages are not fetched in time.
        interval.max(crawl_delay.min(self.limits.timeout))
    }

    /// Checks that this many pages may be added.
    fn check_count(&self, pages: usize) -> Result<(), FetchError> {
        let limit = self.limits.max_pages;
        if self.document.fetched.pages.len() + pages > limit { Err(FetchError::TooManyPages { limit }) } else { Ok(()) }
    }
}
