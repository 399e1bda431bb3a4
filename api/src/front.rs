//! What every request meets first: the limit of its client, and the answer if the process has it, or if nobody will.
//!
//! An answer that is kept never reaches the router: this is the way of tens of thousands of requests a second, so it allocates little,
//! awaits nothing, and writes no line of the log unless it is asked for. All other requests go on to the rest of the service.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc, time::Instant};

use poem::{
    Endpoint, Request, Response,
    http::{Method, StatusCode, header},
};

use crate::{
    cache::{Asked, Cache},
    http::{Asker, Coding, RequestId, problem},
    metrics::RequestMetrics,
    search::SearchRequest,
    serve::rate::RateLimiter,
};

/// Queries that a thread remembers of each coding, and how long they may be: less than a megabyte, and more ranges than are asked for
/// all the time. When there are more, it begins anew.
const MAX_REMEMBERED: usize = 1_024;
const MAX_REMEMBERED_BYTES: usize = 256;

/// The first layer of the service.
pub(crate) struct Front<Rest> {
    pub(crate) rate: Option<Arc<RateLimiter>>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) metrics: Arc<RequestMetrics>,
    pub(crate) rest: Rest,
}

impl<Rest: Endpoint<Output = Response>> Endpoint for Front<Rest> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let standing = self.rate.as_ref().and_then(|rate| Some((rate, rate.count(&mut request)?)));
        let is_refused = standing.as_ref().is_some_and(|(_, standing)| standing.is_refused());
        let response = if is_refused { None } else { self.at_once(&request) };
        let mut response = match response {
            Some(response) => response,
            // Boxed, for it is large, and every connection would hold and move so much for every request.
            None => Box::pin(self.rest.get_response(request)).await,
        };
        if let Some((rate, standing)) = standing {
            rate.tell(&mut response, standing);
        }
        Ok(response)
    }
}

/// What is asked for, by the query string that asks for it.
type Understood = HashMap<Box<str>, Rc<Asked<SearchRequest>>>;

thread_local! {
    /// Queries that were understood lately, for each coding. To read one again would cost a tenth of its answer.
    static UNDERSTOOD: RefCell<[Understood; Coding::COUNT]> = RefCell::default();
}

/// What a query string asks for, if it is a search without a mistake.
fn asked(query: &str, coding: Coding) -> Option<Rc<Asked<SearchRequest>>> {
    UNDERSTOOD.with_borrow_mut(|understood| {
        let understood = &mut understood[coding as usize];
        if let Some(asked) = understood.get(query) {
            return Some(asked.clone());
        }
        let asked = Rc::new(Asked::new(SearchRequest::parse(query).ok()?, coding));
        if query.len() <= MAX_REMEMBERED_BYTES {
            if understood.len() >= MAX_REMEMBERED {
                understood.clear();
            }
            understood.insert(query.into(), asked.clone());
        }
        Some(asked)
    })
}

impl<Rest> Front<Rest> {
    fn at_once(&self, request: &Request) -> Option<Response> {
        let started = Instant::now();
        let headers = request.headers();
        let is_search = request.method() == Method::GET && request.uri().path() == "/search";
        // What has a body is for the layers that bound it.
        if !is_search || headers.contains_key(header::CONTENT_LENGTH) {
            return None;
        }
        let asked = asked(request.uri().query().unwrap_or_default(), Coding::wanted(headers)?)?;
        let request_id = RequestId::of(headers);
        let mut response = match self.cache.at_once(&asked) {
            Some(served) => served.respond(&Asker { headers, is_head: false }),
            // In a peak the refusals must cost next to nothing, or they take the time of those who are answered.
            None => problem(&self.cache.refusal()?, &request_id),
        };
        request_id.put_into(&mut response);
        match response.status() {
            StatusCode::OK => self.metrics.count_at_once(started.elapsed()),
            status => self.metrics.count("/search", "GET", status, started.elapsed()),
        }
        tracing::debug!(status = response.status().as_u16(), request_id = request_id.as_str(), "search answered at once");
        Some(response)
    }
}
