//! The first layer of the service: the rate limit, the fast path, and the router for all other requests.

use std::{future::ready, sync::Arc, time::Instant};

use poem::{Endpoint, Request, Response, http::HeaderMap};

use super::{
    RequestId,
    fast_path::{self, HotQuery},
    observe::{Observer, RequestContext},
};
use crate::{cache::Cache, error::ApiError, rate_limit::RateLimiter, response::problem_response};

/// The service without its sockets.
pub(crate) struct ServiceEntry<Router> {
    pub(crate) limiter: Option<Arc<RateLimiter>>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) observer: Observer,
    pub(crate) router: Router,
}

impl<Router: Endpoint<Output = Response>> Endpoint for ServiceEntry<Router> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let limited = self.limiter.as_ref().and_then(|limiter| Some((limiter, limiter.decide(&request)?)));
        let rejection = limited.as_ref().and_then(|(_, decision)| decision.rejection());
        let mut response = match (rejection, fast_path::find_route(&request)) {
            (Some(error), _) => self.reject(RequestContext::new(&request, started), error).await,
            (None, Some(route)) => self.respond_hot(route, request, started).await,
            (None, None) => {
                let context = RequestContext::new(&request, started);
                // Boxed, because the future is large, and every connection would hold and move it for every request.
                Box::pin(self.observer.observe(context, self.router.call(request))).await
            }
        };
        if let Some((limiter, decision)) = limited {
            limiter.set_headers(&mut response, decision);
        }
        Ok(response)
    }
}

impl<Router: Endpoint<Output = Response>> ServiceEntry<Router> {
    /// Responds to a GET of a hot route, which is parsed once, whether or not the process has the response.
    async fn respond_hot(&self, route: &'static str, request: Request, started: Instant) -> Response {
        let query = match HotQuery::parse(route, &request) {
            Ok(query) => query,
            Err(error) => return self.reject(RequestContext::new(&request, started), error).await,
        };
        if let Some(response) = self.respond_immediately(&query, route, &request, started) {
            return response;
        }
        let context = RequestContext::new(&request, started);
        let headers = request.headers().clone();
        drop(request);
        Box::pin(self.observer.observe(context, self.fetch(query, headers))).await
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
            None => problem_response(&self.cache.shed()?, id.as_str(), route),
        };
        id.set_header(&mut response);
        self.observer.record_hit(&id, route, response.status(), started.elapsed());
        Some(response)
    }

    async fn reject(&self, request: RequestContext, error: ApiError) -> Response {
        // Boxed as in `call`.
        Box::pin(self.observer.observe(request, ready(Err(error.into())))).await
    }

    async fn fetch(&self, query: Arc<HotQuery>, request_headers: HeaderMap) -> poem::Result<Response> {
        Ok(query.fetch(&self.cache).await?.respond(&request_headers))
    }
}
