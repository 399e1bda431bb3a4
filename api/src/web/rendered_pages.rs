//! Search pages as they were sent, so that a page that is opened all the time is not rendered each time.
//!
//! A rendered page is sent while every response from which it was made is current, and until the day of its links ends.

use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;
use moka::sync::Cache as StoredPages;
use poem::{
    Request, Response,
    http::{Method, header},
};

use super::{
    Policy,
    language::{Language, PageLanguage},
    search_page::find_today,
    send,
};
use crate::{
    cache::{Cache, CacheSource, MIN_VERSION_NAME},
    public_url::FORWARDED_SCHEME,
    response::{ContentCoding, Representation},
};

/// The part of the memory for cached responses that rendered pages may use in addition.
const SHARE: u64 = 8;
/// The maximum length of a path and query: more than those of links that many readers have.
const MAX_TARGET_BYTES: usize = 256;
/// Memory used by a page beside its key, its body and those of its sources, which the cache may not have any more.
const OVERHEAD_BYTES: usize = 2_048;

/// Rendered pages by coding, language, origin, path and query.
#[derive(Debug)]
pub struct RenderedPages(StoredPages<String, Arc<RenderedPage>>);

/// A page without the headers that each response has.
#[derive(Debug)]
pub(super) struct RenderedPage {
    /// The responses from which it was made, the one with events first.
    pub(super) sources: [CacheSource; 3],
    /// The day to which its links refer, in a time zone.
    pub(super) today: (Tz, NaiveDate),
    pub(super) language: Language,
    pub(super) policy: Policy,
    pub(super) representation: Representation,
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
        Self(StoredPages::builder().max_capacity(cache_bytes / SHARE).weigher(weigh).build())
    }

    /// The number of stored pages.
    #[must_use]
    pub fn count(&self) -> u64 {
        // Recent inserts are not counted yet.
        self.0.run_pending_tasks();
        self.0.entry_count()
    }

    /// The response to a request, if its page is stored and current.
    pub(crate) fn find(&self, cache: &Cache, request: &Request) -> Option<Response> {
        if request.uri().path() != "/"
            || request.method() != Method::GET
            || request.headers().contains_key(header::CONTENT_LENGTH)
            // Whether its catalogue is new enough is not known here.
            || request.headers().contains_key(MIN_VERSION_NAME)
        {
            return None;
        }
        let page = self.0.get(&key_of(request)?)?;
        let (zone, today) = page.today;
        let is_current = today == find_today(zone) && page.sources.iter().all(|source| cache.is_current(source));
        is_current.then(|| page.respond(request))
    }

    /// Stores the page of a request.
    pub(super) fn store(&self, request: &Request, page: RenderedPage) {
        if self.0.policy().max_capacity() != Some(0)
            && let Some(key) = key_of(request)
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
fn key_of(request: &Request) -> Option<String> {
    let target = request.uri().path_and_query()?.as_str();
    if target.len() > MAX_TARGET_BYTES {
        return None;
    }
    let coding = ContentCoding::negotiate(request.headers()).ok()?;
    let accepted = request.headers().get(header::ACCEPT_LANGUAGE);
    let PageLanguage { language, .. } = PageLanguage::of(request.uri().query(), accepted);
    // Links contain the origin if the service has no configured address.
    let [scheme, host] = [FORWARDED_SCHEME, header::HOST.as_str()].map(|name| request.header(name).unwrap_or_default());
    Some(format!("{} {} {scheme} {host} {target}", coding.name(), language.tag()))
}
