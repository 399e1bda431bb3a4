//! The routes of the service, for logs, metrics and the `Allow` header.

use poem_openapi::registry::{MetaApi, MetaPath};

use crate::{
    mcp,
    web::{self, ops},
};

/// The metrics, in the format of Prometheus.
pub(crate) const METRICS: &str = "/metrics";

/// Documents that are not part of the OpenAPI document.
const DOCUMENTS: [&str; 3] = ["/docs", "/errors", "/openapi.json"];
/// Files of the pages of every address.
const FILES: [&str; 2] = ["/favicon.ico", web::ASSETS];
/// The methods of documents.
const DOCUMENT_METHODS: &str = "GET, HEAD, OPTIONS";
/// The methods of `/mcp`, which has the messages of another protocol.
const MCP_METHODS: &str = "POST, OPTIONS";
/// The methods of all routes, for `OPTIONS *`.
const ALL_METHODS: &str = "GET, HEAD, POST, PUT, DELETE, OPTIONS";

/// Which routes an address has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteSet {
    /// All.
    All,
    /// Those of clients.
    Public,
    /// Health checks, metrics, and the pages of operators.
    Operations,
}

/// The routes of an address.
#[derive(Debug)]
pub(crate) struct Routes(Vec<Route>);

/// A path template and its methods.
#[derive(Debug)]
pub(crate) struct Route {
    /// The path as the OpenAPI document writes it: `/events/{id}`.
    pub(crate) template: String,
    /// The value of `Allow`.
    allow: String,
    specificity: Specificity,
}

/// The number of parameters, and of those without a suffix: a literal takes precedence over a parameter, as in the router.
type Specificity = (usize, usize);

impl Routes {
    /// The routes of these operations, of the documents and of the pages.
    pub(crate) fn new(apis: &[MetaApi], set: RouteSet) -> Self {
        let mut routes: Vec<Route> = apis.iter().flat_map(|api| &api.paths).map(Route::of_operations).collect();
        let document = |path: &str| Route::new(path, DOCUMENT_METHODS.to_owned());
        routes.extend(FILES.map(document));
        if set.has_public() {
            routes.extend(DOCUMENTS.into_iter().chain(web::ROUTES).map(document));
            routes.push(Route::new(mcp::PATH, MCP_METHODS.to_owned()));
        }
        if set.has_operations() {
            routes.push(document(METRICS));
            routes.extend(ops::ROUTES.map(|(path, methods)| Route::new(path, methods.to_owned())));
        }
        routes.sort_by_key(|route| route.specificity);
        Self(routes)
    }

    /// The methods of a path: the value of `Allow`. The path `*` stands for the whole server.
    pub(crate) fn allow(&self, path: &str) -> Option<&str> {
        if path == "*" { Some(ALL_METHODS) } else { self.find(path).map(|route| route.allow.as_str()) }
    }

    /// The route of a path.
    pub(crate) fn find(&self, path: &str) -> Option<&Route> {
        self.0.iter().find(|route| route.matches(path))
    }
}

impl RouteSet {
    pub(crate) fn has_public(self) -> bool {
        self != Self::Operations
    }

    pub(crate) fn has_operations(self) -> bool {
        self != Self::Public
    }
}

impl Route {
    fn of_operations(path: &MetaPath) -> Self {
        let mut methods: Vec<&str> = path.operations.iter().map(|operation| operation.method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        Self::new(&path.path, methods.join(", "))
    }

    fn new(template: &str, allow: String) -> Self {
        let suffixes: Vec<&str> = template.split('/').filter_map(suffix_of_parameter).collect();
        let specificity = (suffixes.len(), suffixes.iter().filter(|suffix| suffix.is_empty()).count());
        Self { template: template.to_owned(), allow, specificity }
    }

    fn matches(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        self.template.split('/').all(|expected| segments.next().is_some_and(|given| is_match(expected, given)))
            && segments.next().is_none()
    }
}

fn is_match(expected: &str, given: &str) -> bool {
    match suffix_of_parameter(expected) {
        None => given == expected,
        Some(suffix) => given.len() > suffix.len() && given.ends_with(suffix),
    }
}

/// What follows the parameter in a segment that begins with one: `.ics` in `{id}.ics`.
fn suffix_of_parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.split_once('}').map(|(_, suffix)| suffix)
}
