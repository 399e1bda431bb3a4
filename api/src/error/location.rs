//! Where a resource with another id is.

use poem::Request;

use super::ApiError;

impl ApiError {
    /// Where the resource is now, relative to the URL of the request.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        match self {
            Self::EventMoved { location, .. } | Self::Moved { location, .. } => Some(location),
            Self::Shared(error) => error.location(),
            _ => None,
        }
    }

    /// The same error, with the query of the request at the location of the resource.
    #[must_use]
    pub fn with_query(self, request: &Request) -> Self {
        match (self, request.uri().query()) {
            (Self::EventMoved { id, location }, Some(query)) => Self::EventMoved { id, location: format!("{location}?{query}") },
            (error, _) => error,
        }
    }
}
