//! The operations with the paths that their macro cannot state.

use std::collections::HashMap;

use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi,
    registry::{MetaApi, Registry},
};

use super::operations::ExportOperations;
use crate::state::State;

/// Paths as the macro accepts them, which knows only parameters that are whole segments.
const SEGMENTS: [(&str, &str); 2] = [("/ics", ".ics"), ("/jsonld", ".jsonld")];
/// The pattern of an id that a suffix follows, in paths of the router.
const ID_PATTERN: &str = "<^[^./]+>";

/// The operations.
#[derive(Debug)]
pub struct ExportsApi(ExportOperations);

impl ExportsApi {
    /// The operations on this state.
    #[must_use]
    pub fn new(state: State) -> Self {
        Self(ExportOperations(state))
    }
}

impl OpenApi for ExportsApi {
    fn meta() -> Vec<MetaApi> {
        let mut apis = ExportOperations::meta();
        for path in apis.iter_mut().flat_map(|api| &mut api.paths) {
            if let Some(suffixed) = with_suffix(&path.path, "") {
                path.path = suffixed;
            }
        }
        apis
    }

    fn register(registry: &mut Registry) {
        ExportOperations::register(registry);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        let mut table = HashMap::new();
        self.0.add_routes(&mut table);
        routes.extend(table.into_iter().map(|(path, methods)| (with_suffix(&path, ID_PATTERN).unwrap_or(path), methods)));
    }
}

/// A path that ends with a parameter and a suffix: `/events/{id}/ics` becomes `/events/{id}.ics`.
fn with_suffix(path: &str, pattern: &str) -> Option<String> {
    SEGMENTS.into_iter().find_map(|(segment, suffix)| Some(format!("{}{pattern}{suffix}", path.strip_suffix(segment)?)))
}
