//! The first layer of the service: what applies to every request (keys, rate limits, cross-origin headers), the fast path, and the
//! router for all other requests.

use std::{future::ready, sync::Arc, time::Instant};

use poem::{
    Endpoint, Request, Response,
    http::{HeaderMap, HeaderValue, Method, header},
};

use super::{
    RequestId,
    fast_path::{self, HotQuery, PAGE},
    observe::{Observer, RequestContext},
    request_target,
    routes::RouteSet,
};
use crate::{
    auth::{KeyRecord, Keys},
    cache::{Cache, MinVersion},
    error::ApiError,
    public_url::PublicUrl,
    rate_limit::{self, RateDecision, RateLimiter},
    response::{Cors, problem_response},
    web::{RenderedPages, ops},
};

/// Disables the detection of content types.
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// The service without its sockets.
pub(crate) struct ServiceEntry<Router> {
    pub(crate) keys: Keys,
    pub(crate) limiter: Option<Arc<RateLimiter>>,
    pub(crate) cors: Cors,
    pub(crate) cache: Arc<Cache>,
    pub(crate) pages: Arc<RenderedPages>,
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) routes: RouteSet,
    pub(crate) observer: Observer,
    pub(crate) router: Router,
}

impl<Router: Endpoint<Output = Response>> Endpoint for ServiceEntry<Router> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let is_limited = rate_limit::is_limited(&request);
        let identified = match request_target::check(&mut request) {
            // Health checks must not fail because of a key that was revoked.
            Ok(()) if is_limited => self.keys.identify(request.headers()),
            Ok(()) => Ok(None),
            Err(error) => Err(error),
        };
        // A page of another origin must not read what operators see.
        let is_readable = !ops::is_below(request.uri().path());
        let allowed_origin = self.cors.allow(request.headers()).filter(|_| is_readable);
        let key = identified.as_ref().ok().and_then(Option::as_deref);
        let decision = if is_limited { self.limit(&request, key) } else { None };
        let rejection = decision.as_ref().and_then(RateDecision::rejection).or(identified.err());
        let hot_route = fast_path::find_route(&request).filter(|_| self.routes.has_public());
        let mut response = match (rejection, hot_route) {
            (Some(error), _) => self.reject(RequestContext::new(&request, started), error).await,
            (None, Some(route)) => self.respond_hot(route, request, started).await,
            (None, None) => match self.find_page(&request, started) {
                Some(page) => page,
                None => {
                    let context = RequestContext::new(&request, started);
                    request.extensions_mut().insert(context.id().clone());
                    // Boxed, because the future is large, and every connection would hold and move it for every request.
                    Box::pin(self.observer.observe(context, self.route(request))).await
                }
            },
        };
        if let Some(decision) = decision {
            decision.set_headers(&mut response);
        }
        self.cors.set_headers(&mut response, allowed_origin);
        // Browsers must not guess that text of a feed or of a client is a page or a script.
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        Ok(response)
    }
}

impl<Router: Endpoint<Output = Response>> ServiceEntry<Router> {
    /// Takes the request from the bucket of its client, if there is a limit, and counts it for its key.
    fn limit(&self, request: &Request, key: Option<&KeyRecord>) -> Option<RateDecision> {
        let decision = match key.and_then(|key| key.limiter.as_ref()) {
            Some(limiter) => Some(limiter.decide()),
            None => self.limiter.as_ref().map(|limiter| limiter.decide(request, key.map(|key| key.name.as_str()))),
        };
        if let Some(key) = key {
            key.count(decision.as_ref().is_some_and(|decision| decision.rejection().is_some()));
        }
        decision
    }

    /// Responds to requests that the fast path does not handle.
    async fn route(&self, request: Request) -> poem::Result<Response> {
        if *request.method() == Method::OPTIONS
            && let Some(methods) = self.observer.routes.allow(request.uri().path())
        {
            return Ok(Cors::respond_to_options(request.headers(), methods));
        }
        if let Some(redirect) = request_target::redirect_to_canonical(&request, &self.observer.routes) {
            return Ok(redirect);
        }
        self.router.call(request).await
    }

    /// Responds to a GET of a hot route, which is parsed once, whether or not the process has the response.
    async fn respond_hot(&self, route: &'static str, request: Request, started: Instant) -> Response {
        let query = HotQuery::parse(route, &request, &self.cache);
        let (query, minimum) = match query.and_then(|query| Ok((query, MinVersion::of(request.headers())?))) {
            Ok(parsed) => parsed,
            Err(error) => return self.reject(RequestContext::new(&request, started), error).await,
        };
        // A client that expects a version may wait.
        if minimum.is_any()
            && let Some(response) = self.respond_immediately(&query, route, &request, started)
        {
            return response;
        }
        let context = RequestContext::new(&request, started);
        let headers = request.headers().clone();
        drop(request);
        Box::pin(self.observer.observe(context, self.fetch(query, headers, minimum))).await
    }

    /// A cache hit, or a rejection because too many requests wait. Under load, rejections must cost almost nothing, or they take time
    /// from the requests that are served.
    fn respond_immediately(
        &self,
        query: &HotQuery,
        route: &'static str,
        request: &Request,
        started: Instant,
    ) -> Option<Response> {
        let hit = query.get_cached(&self.cache);
        let id = RequestId::from_headers(request.headers());
        let mut response = match hit {
            Some(hit) => hit.respond(request.headers()),
            None => problem_response(&query.shed(&self.cache)?, id.as_str(), route),
        };
        id.set_header(&mut response);
        self.observer.record_hit(&id, route, response.status(), started.elapsed());
        Some(response)
    }

    /// A page that is stored and current.
    fn find_page(&self, request: &Request, started: Instant) -> Option<Response> {
        let mut response =
            self.pages.find(&self.cache, request, self.public_url.as_ref()).filter(|_| self.routes.has_public())?;
        let id = RequestId::from_headers(request.headers());
        id.set_header(&mut response);
        self.observer.record_hit(&id, PAGE, response.status(), started.elapsed());
        Some(response)
    }

    async fn reject(&self, request: RequestContext, error: ApiError) -> Response {
        // Boxed as in `call`.
        Box::pin(self.observer.observe(request, ready(Err(error.into())))).await
    }

    async fn fetch(&self, query: Arc<HotQuery>, request_headers: HeaderMap, minimum: MinVersion) -> poem::Result<Response> {
        // The process lacks the response, unless the client expects a version.
        let response =
            if minimum.is_any() { query.fetch(&self.cache).await? } else { query.get_at_least(&self.cache, minimum).await? };
        Ok(response.respond(&request_headers))
    }
}
