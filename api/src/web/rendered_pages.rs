//! Search pages as they were sent, so that a page that is opened all the time is not rendered each time.
//!
//! A rendered page is sent while every response from which it was made is current, and until the day of its links ends.

use std::sync::Arc;

use chrono::{NaiveDate, Utc};
use chrono_tz::Tz;
use moka::sync::Cache as StoredPages;
use poem::{
    Request, Response,
    http::{Method, header},
};

use super::{
    Policy,
    language::{Language, PageLanguage},
    send,
};
use crate::{
    cache::{Cache, CacheSource, MIN_VERSION_NAME},
    public_url::PublicUrl,
    response::{ContentCoding, Representation},
};

/// The memory for cached responses divided by this is what rendered pages may use in addition.
const DIVISOR: u64 = 8;
/// The maximum length of a key: more than that of a link that many readers have.
const MAX_KEY_BYTES: usize = 256;
/// Memory used by a page beside its key, its body and those of its sources, which the cache may not have any more.
const OVERHEAD_BYTES: usize = 2_048;

/// Rendered pages by coding, language, origin of the request, path and query.
#[derive(Debug)]
pub struct RenderedPages(StoredPages<String, Arc<RenderedPage>>);

/// A page without the headers that each response has.
#[derive(Debug)]
pub(super) struct RenderedPage {
    /// The responses from which it was made, the one with events first.
    pub(super) sources: [CacheSource; 3],
    /// The day to which its links refer.
    pub(super) day: PageDay,
    pub(super) language: Language,
    pub(super) policy: Policy,
    pub(super) representation: Representation,
}

/// A day in the time zone where the first event of a page takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageDay {
    zone: Tz,
    pub(super) date: NaiveDate,
}

impl PageDay {
    pub(super) fn now(zone: Tz) -> Self {
        Self { zone, date: Utc::now().with_timezone(&zone).date_naive() }
    }
}

impl RenderedPages {
    /// Pages beside this much memory for cached responses; 0 disables them.
    #[must_use]
    pub fn new(cache_bytes: u64) -> Self {
        let weigh = |key: &String, page: &Arc<RenderedPage>| {
            let sources = page.sources.iter().map(|source| &source.response.body.representation);
            let bodies = sources.chain([&page.representation]).map(|representation| representation.body.bytes().len());
            u32::try_from(key.len() + bodies.sum::<usize>() + OVERHEAD_BYTES).unwrap_or(u32::MAX)
        };
        Self(StoredPages::builder().max_capacity(cache_bytes / DIVISOR).weigher(weigh).build())
    }

    /// The number of stored pages.
    #[must_use]
    pub fn count(&self) -> u64 {
        // Recent inserts are not counted yet.
        self.0.run_pending_tasks();
        self.0.entry_count()
    }

    /// The response to a request, if its page is stored and current. `configured` is `PUBLIC_URL`.
    pub(crate) fn find(&self, cache: &Cache, request: &Request, configured: Option<&PublicUrl>) -> Option<Response> {
        if request.uri().path() != "/"
            || request.method() != Method::GET
            || request.headers().contains_key(header::CONTENT_LENGTH)
            // Whether its catalogue is new enough is not known here.
            || request.headers().contains_key(MIN_VERSION_NAME)
        {
            return None;
        }
        let page = self.0.get(&key_of(request, configured)?)?;
        let is_current = page.day == PageDay::now(page.day.zone) && page.sources.iter().all(|source| cache.is_current(source));
        is_current.then(|| page.respond(request))
    }

    /// Stores the page of a request. `configured` is `PUBLIC_URL`.
    pub(super) fn store(&self, request: &Request, configured: Option<&PublicUrl>, page: RenderedPage) {
        if self.0.policy().max_capacity() != Some(0)
            && let Some(key) = key_of(request, configured)
        {
            self.0.insert(key, Arc::new(page));
        }
    }
}

impl RenderedPage {
    /// The response to a request for it.
    fn respond(&self, request: &Request) -> Response {
        let mut response = send(request, self.language, self.policy, self.representation.clone());
        self.sources[0].response.as_hit().set_headers(response.headers_mut());
        response
    }
}

/// None for a page that is not stored.
fn key_of(request: &Request, configured: Option<&PublicUrl>) -> Option<String> {
    let target = request.uri().path_and_query()?.as_str();
    let coding = ContentCoding::negotiate(request.headers()).ok()?;
    let accepted = request.headers().get(header::ACCEPT_LANGUAGE);
    let PageLanguage { language, .. } = PageLanguage::of(request.uri().query(), accepted);
    let mut key = format!("{} {} ", coding.name(), language.tag());
    PublicUrl::append_key(configured, request.headers(), &mut key)?;
    // A target has no spaces.
    key.push(' ');
    key.push_str(target);
    (key.len() <= MAX_KEY_BYTES).then_some(key)
}
