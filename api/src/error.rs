//! Every way in which a call can fail, and the one place that says what the client hears of it.
//!
//! What a client reads and what the log reads are two texts: `detail` and `errors` come from here, causes go to the log alone.

use std::sync::Arc;

use poem::http::StatusCode;
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use sea_orm::DbErr;
use serde::Serialize;

use crate::http::Nullable;

/// The media type of an error.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Seconds after which a client may ask again while the database is away: it mostly comes back within a restart.
const RETRY_AFTER_SECONDS: u32 = 2;
/// Seconds after which a client may ask again in a peak: those that wait now have been answered by then.
const RETRY_AFTER_OVERLOAD_SECONDS: u32 = 1;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Parameters are not what they should be; all of them are named.
    #[error("the request has parameters that cannot be understood")]
    InvalidParameters(Vec<Mistake>),
    /// There is no such thing.
    #[error("there is no such {what}")]
    NotFound {
        /// What was asked for.
        what: &'static str,
    },
    /// The database is away.
    #[error("the database is away")]
    DatabaseAway(#[source] DbErr),
    /// The database took the query and never answered.
    #[error("the database does not answer")]
    DatabaseSilent,
    /// The database was found away before, and has not come back yet.
    #[error("the database is away since an earlier question")]
    DatabaseKnownAway,
    /// So many wait for the database that one more would wait in vain.
    #[error("too many requests wait for the database")]
    Overloaded,
    /// The client refuses every form in which there is an answer.
    #[error("the request refuses every content coding")]
    NotAcceptable,
    /// A fault of ours in talking to the database.
    #[error("the database refused a statement")]
    Database(#[source] DbErr),
    /// A fault of ours in writing the answer.
    #[error("the answer could not be encoded")]
    Encoding(#[source] serde_json::Error),
    /// A fault of ours in sending the answer.
    #[error("the answer could not be sent")]
    Body,
    /// The task that fetched the answer panicked.
    #[error("the flight that fetched the answer crashed")]
    Flight,
    /// Of a flight with several passengers, each of whom hears of it.
    #[error(transparent)]
    OfFlight(Arc<ApiError>),
    /// The client has used up what it may ask for.
    #[error("the client asks too much")]
    TooManyRequests {
        /// Seconds after which it may ask again.
        retry_after: u32,
    },
    /// The process is about to leave.
    #[error("the process is about to stop")]
    Draining,
    /// What the framework answers by itself: no such path, no such method, a body that is too large.
    #[error("the request was refused with status {0}")]
    Refused(StatusCode),
}

/// One fault in a request.
#[derive(Clone, Debug, PartialEq, Eq, Object, Serialize)]
pub struct Mistake {
    /// The parameter's name.
    pub parameter: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

/// What every error looks like (RFC 9457), with the members of the search contract beside.
#[derive(Clone, Debug, Object, Serialize)]
pub struct Problem {
    /// Always `about:blank`: `error.code` tells problems apart.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// Each fault in the request.
    pub errors: Vec<Mistake>,
    /// The id of this request in our logs.
    pub request_id: String,
    /// Always null.
    pub data: Nullable<bool>,
    /// The same for programs.
    pub error: ErrorCode,
}

/// An error for programs.
#[derive(Clone, Debug, Object, Serialize)]
pub struct ErrorCode {
    /// A stable word.
    pub code: String,
    /// What is wrong, in a sentence.
    pub message: String,
}

impl ApiError {
    /// The fault of a single parameter.
    pub fn parameter(parameter: &str, message: impl Into<String>) -> Self {
        Self::InvalidParameters(vec![Mistake { parameter: parameter.to_owned(), message: message.into() }])
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidParameters(_) => StatusCode::BAD_REQUEST,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::DatabaseAway(_) | Self::DatabaseKnownAway | Self::DatabaseSilent | Self::Overloaded | Self::Draining => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Database(_) | Self::Encoding(_) | Self::Body | Self::Flight => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Refused(status) => *status,
            Self::OfFlight(error) => error.status(),
        }
    }

    /// Seconds after which to ask again, where that helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TooManyRequests { retry_after } => Some(*retry_after),
            Self::Overloaded => Some(RETRY_AFTER_OVERLOAD_SECONDS),
            Self::Draining => Some(RETRY_AFTER_SECONDS),
            Self::OfFlight(error) => error.retry_after(),
            _ => self.is_of_database().then_some(RETRY_AFTER_SECONDS),
        }
    }

    /// Whether the log is to tell of it: what the client did wrong is no fault of ours, and what thousands of requests meet in a peak or
    /// an outage is told once, by who finds it, and counted.
    #[must_use]
    pub fn is_news(&self) -> bool {
        match self {
            Self::Overloaded | Self::DatabaseKnownAway | Self::Draining => false,
            Self::OfFlight(error) => error.is_news(),
            error => error.status().is_server_error(),
        }
    }

    /// Whether the database is away, so that the same call may succeed when it is back.
    #[must_use]
    pub fn is_of_database(&self) -> bool {
        match self {
            Self::DatabaseAway(_) | Self::DatabaseKnownAway | Self::DatabaseSilent => true,
            Self::OfFlight(error) => error.is_of_database(),
            _ => false,
        }
    }

    /// What the client reads.
    #[must_use]
    pub fn problem(&self, request_id: &str) -> Problem {
        let status = self.status();
        let detail = self.detail();
        Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            errors: match self {
                Self::InvalidParameters(mistakes) => mistakes.clone(),
                _ => Vec::new(),
            },
            request_id: request_id.to_owned(),
            data: Nullable(None),
            error: ErrorCode { code: self.code().to_owned(), message: detail.clone() },
            detail,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InvalidParameters(_) => "invalid_parameter",
            Self::NotFound { .. } => "not_found",
            Self::DatabaseAway(_) | Self::DatabaseKnownAway | Self::DatabaseSilent => "database_unavailable",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Draining => "draining",
            Self::Overloaded => "overloaded",
            Self::NotAcceptable => "not_acceptable",
            Self::OfFlight(error) => error.code(),
            Self::Database(_) | Self::Encoding(_) | Self::Body | Self::Flight => "internal",
            Self::Refused(StatusCode::NOT_FOUND) => "no_such_path",
            Self::Refused(StatusCode::METHOD_NOT_ALLOWED) => "method_not_allowed",
            Self::Refused(status) if status.is_server_error() => "internal",
            Self::Refused(_) => "bad_request",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::InvalidParameters(mistakes) => {
                let texts: Vec<String> =
                    mistakes.iter().map(|mistake| format!("{}: {}", mistake.parameter, mistake.message)).collect();
                texts.join("; ")
            }
            Self::NotFound { what } => format!("there is no such {what}"),
            Self::OfFlight(error) => error.detail(),
            Self::Overloaded => "too many requests wait already; ask again shortly".to_owned(),
            Self::NotAcceptable => "Accept-Encoding refuses all that there is: identity, gzip, br and zstd".to_owned(),
            Self::DatabaseAway(_) | Self::DatabaseKnownAway | Self::DatabaseSilent => {
                "the catalogue cannot be reached right now; ask again shortly".to_owned()
            }
            Self::TooManyRequests { retry_after } => format!("too many requests; ask again in {retry_after} s"),
            Self::Draining => "this process is about to stop; another one answers".to_owned(),
            Self::Refused(StatusCode::NOT_FOUND) => "there is nothing at this path; /docs lists what there is".to_owned(),
            Self::Refused(StatusCode::METHOD_NOT_ALLOWED) => {
                "this path does not take this method; Allow lists those that it takes".to_owned()
            }
            Self::Refused(status) if !status.is_server_error() => {
                status.canonical_reason().unwrap_or("bad request").to_lowercase()
            }
            Self::Database(_) | Self::Encoding(_) | Self::Body | Self::Flight | Self::Refused(_) => {
                "something went wrong on our side; quote the request id when you ask for help".to_owned()
            }
        }
    }
}

impl From<DbErr> for ApiError {
    fn from(error: DbErr) -> Self {
        if entity::is_unavailable(&error) { Self::DatabaseAway(error) } else { Self::Database(error) }
    }
}

/// Hands the error to [`observe`](crate::http::observe), which alone knows the request's id.
impl From<ApiError> for poem::Error {
    fn from(error: ApiError) -> Self {
        let mut carrier = Self::from_status(error.status());
        carrier.set_data(Arc::new(error));
        carrier
    }
}

impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        let problem = |status, description| MetaResponse {
            description,
            status,
            status_range: None,
            content: vec![MetaMediaType { content_type: PROBLEM_JSON, schema: Problem::schema_ref() }],
            headers: Vec::new(),
        };
        MetaResponses {
            responses: vec![
                problem(Some(400), "The request cannot be understood; `errors` says why"),
                problem(Some(429), "More requests than a client may make; `Retry-After` says when to ask again"),
                problem(Some(503), "The database is away; `Retry-After` says when to ask again"),
                problem(None, "Any other error, in the same shape"),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}
