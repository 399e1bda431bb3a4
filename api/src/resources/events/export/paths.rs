//! The paths of one event with a suffix: `/events/{id}.ics`.
//!
//! The macro of poem-openapi knows only parameters that are whole segments. The router knows others, but loses them when a route that it
//! adds later has a part of the same segment, and the order of routes is random. So `/events/{id}` chooses the operation.

use std::collections::HashMap;

use poem::{Endpoint, EndpointExt, Request, Response, endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi,
    registry::{MetaApi, Registry},
};

use super::operations::ExportOperations;
use crate::{error::ApiError, state::State};

/// The path of one event, in the router. poem-openapi numbers the parameters.
const EVENT_PATH: &str = "/events/:param0";
/// The last segments of the operations' paths, and the suffixes that replace them.
const SUFFIXES: [(&str, &str); 2] = [("/ics", ".ics"), ("/jsonld", ".jsonld")];

/// The operations.
#[derive(Debug)]
pub struct ExportsApi(ExportOperations);

/// An operation of one event that leaves paths with a suffix to others.
struct BySuffix {
    /// The operation for each suffix, if it has this method.
    suffixed: Vec<(&'static str, Option<BoxEndpoint<'static>>)>,
    other: BoxEndpoint<'static>,
}

impl ExportsApi {
    /// The operations on this state. They follow those of [`EventsApi`](crate::resources::events::EventsApi), of which they take paths.
    #[must_use]
    pub fn new(state: State) -> Self {
        Self(ExportOperations(state))
    }
}

impl OpenApi for ExportsApi {
    fn meta() -> Vec<MetaApi> {
        let mut apis = ExportOperations::meta();
        for path in apis.iter_mut().flat_map(|api| &mut api.paths) {
            for (segment, suffix) in SUFFIXES {
                if let Some(event) = path.path.strip_suffix(segment) {
                    path.path = format!("{event}{suffix}");
                }
            }
        }
        apis
    }

    fn register(registry: &mut Registry) {
        ExportOperations::register(registry);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        self.0.add_routes(routes);
        let mut operations =
            SUFFIXES.map(|(segment, suffix)| (suffix, routes.remove(&format!("{EVENT_PATH}{segment}")).unwrap_or_default()));
        let methods = routes.remove(EVENT_PATH).unwrap_or_default().into_iter().map(|(method, other)| {
            let suffixed = operations.iter_mut().map(|(suffix, methods)| (*suffix, methods.remove(&method))).collect();
            (method, BySuffix { suffixed, other }.boxed())
        });
        let methods = methods.collect();
        routes.insert(EVENT_PATH.to_owned(), methods);
    }
}

impl Endpoint for BySuffix {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let id = request.raw_path_param("param0").unwrap_or_default();
        match self.suffixed.iter().find(|(suffix, _)| id.ends_with(suffix)) {
            Some((_, Some(operation))) => operation.call(request).await,
            Some((_, None)) => Err(ApiError::MethodNotAllowed.into()),
            None => self.other.call(request).await,
        }
    }
}
