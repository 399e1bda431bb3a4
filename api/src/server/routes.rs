//! The routes of the service, for logs, metrics and the `Allow` header.

use poem_openapi::registry::MetaApi;

use crate::{mcp, web};

/// Documents that are not part of the OpenAPI document.
const DOCUMENTS: [&str; 5] = ["/docs", "/errors", "/favicon.ico", "/metrics", "/openapi.json"];
/// The methods of documents.
const DOCUMENT_METHODS: &str = "GET, HEAD, OPTIONS";
/// The methods of `/mcp`, which has the messages of another protocol.
const MCP_METHODS: &str = "POST, OPTIONS";
/// The methods of all routes, for `OPTIONS *`.
const ALL_METHODS: &str = "GET, HEAD, POST, PUT, DELETE, OPTIONS";

/// All routes.
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
    pub(crate) fn new(apis: &[MetaApi]) -> Self {
        let operations = apis.iter().flat_map(|api| &api.paths).map(|path| {
            let mut methods: Vec<&str> = path.operations.iter().map(|operation| operation.method.as_str()).collect();
            if methods.contains(&"GET") {
                methods.push("HEAD");
            }
            methods.push("OPTIONS");
            Route::new(&path.path, methods.join(", "))
        });
        let documents = DOCUMENTS.into_iter().chain(web::ROUTES).map(|path| Route::new(path, DOCUMENT_METHODS.to_owned()));
        let mut routes: Vec<Route> = operations.chain(documents).chain([Route::new(mcp::PATH, MCP_METHODS.to_owned())]).collect();
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

impl Route {
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
