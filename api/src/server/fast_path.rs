//! What every request meets first: the limit of its client, and the answer if the process has it, or if nobody will.
//!
//! An answer that is kept never reaches the router: this is the way of tens of thousands of requests a second, so it allocates little,
//! awaits nothing, and writes no line of the log unless it is asked for. All other requests go on to the rest of the service.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc, time::Instant};

use poem::{
    Endpoint, Request, Response,
    http::{Method, StatusCode, header, uri::PathAndQuery},
};

use crate::{
    cache::{Asked, Cache, Served},
    metrics::RequestMetrics,
    resources::{concerts::ConcertsRequest, rates::RatesRequest, search::SearchRequest},
    response::{Asker, Coding},
    server::{RequestId, problem, rate_limit::RateLimiter},
};

/// Queries that a thread remembers of each coding, and how long they may be: less than a megabyte, and more ranges than are asked for
/// all the time. When there are more, it begins anew.
const MAX_REMEMBERED: usize = 1_024;
const MAX_REMEMBERED_BYTES: usize = 256;

/// Where the questions are asked whose answers are kept and asked for all the time.
const SEARCH: &str = "/search";
const CONCERTS: &str = "/concerts";
const RATES: &str = "/rates";
pub(crate) const ROUTES: [&str; 3] = [SEARCH, CONCERTS, RATES];

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

/// A question whose answer may be at hand.
enum Asking {
    Search(Asked<SearchRequest>),
    Concerts(Asked<ConcertsRequest>),
    Rates(Asked<RatesRequest>),
}

/// What is asked for, by the path and the query string that ask for it.
type Understood = HashMap<Box<str>, Rc<Asking>>;

thread_local! {
    /// Queries that were understood lately, for each coding. To read one again would cost a tenth of its answer.
    static UNDERSTOOD: RefCell<[Understood; Coding::COUNT]> = RefCell::default();
}

/// What a path and query ask for, if it is a question without an error.
fn understood(path_and_query: &PathAndQuery, coding: Coding) -> Option<Rc<Asking>> {
    let text = path_and_query.as_str();
    UNDERSTOOD.with_borrow_mut(|understood| {
        let understood = &mut understood[coding as usize];
        if let Some(asking) = understood.get(text) {
            return Some(asking.clone());
        }
        let query = path_and_query.query().unwrap_or_default();
        let asking = Rc::new(match path_and_query.path() {
            SEARCH => Asking::Search(Asked::new(SearchRequest::parse(query).ok()?, coding)),
            CONCERTS => Asking::Concerts(Asked::new(ConcertsRequest::parse(query).ok()?, coding)),
            RATES => Asking::Rates(Asked::new(RatesRequest::parse(query).ok()?, coding)),
            _ => return None,
        });
        if text.len() <= MAX_REMEMBERED_BYTES {
            if understood.len() >= MAX_REMEMBERED {
                understood.clear();
            }
            understood.insert(text.into(), asking.clone());
        }
        Some(asking)
    })
}

impl Asking {
    fn route(&self) -> &'static str {
        match self {
            Self::Search(_) => SEARCH,
            Self::Concerts(_) => CONCERTS,
            Self::Rates(_) => RATES,
        }
    }

    fn answer(&self, cache: &Arc<Cache>) -> Option<Served> {
        match self {
            Self::Search(asked) => cache.at_once(asked),
            Self::Concerts(asked) => cache.at_once(asked),
            Self::Rates(asked) => cache.at_once(asked),
        }
    }
}

impl<Rest> Front<Rest> {
    fn at_once(&self, request: &Request) -> Option<Response> {
        let started = Instant::now();
        let headers = request.headers();
        let is_question = request.method() == Method::GET && ROUTES.contains(&request.uri().path());
        // What has a body is for the layers that bound it.
        if !is_question || headers.contains_key(header::CONTENT_LENGTH) {
            return None;
        }
        let asking = understood(request.uri().path_and_query()?, Coding::wanted(headers)?)?;
        let request_id = RequestId::of(headers);
        let mut response = match asking.answer(&self.cache) {
            Some(served) => served.respond(&Asker { headers, is_head: false }),
            // In a peak the refusals must cost next to nothing, or they take the time of those who are answered.
            None => problem(&self.cache.refusal()?, &request_id, request.uri().path()),
        };
        request_id.put_into(&mut response);
        match response.status() {
            StatusCode::OK => self.metrics.count_at_once(asking.route(), started.elapsed()),
            status => self.metrics.count(asking.route(), "GET", status, started.elapsed()),
        }
        tracing::debug!(status = response.status().as_u16(), request_id = request_id.as_str(), "answered at once");
        Some(response)
    }
}
