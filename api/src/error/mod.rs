//! Errors of the HTTP API: one enum of what can fail, and its mapping to what the client sees.
//!
//! The client and the log see different texts: `detail` and `errors` are written here, and causes go to the log only.

mod code;
mod conversions;
mod detail;
mod location;
mod validation;

use std::{io, sync::Arc};

use entity::UtcInstant;
use poem::http::StatusCode;
use sea_orm::{DbErr, prelude::Uuid};

pub use self::{code::ErrorCode, validation::ValidationError};

/// `Retry-After` while the database is unavailable or the process shuts down: most outages are restarts.
const RETRY_AFTER_SECONDS: u32 = 2;
/// `Retry-After` under load, and for an idempotency key in use: requests that wait now are completed by then.
const RETRY_AFTER_OVERLOAD_SECONDS: u32 = 1;
/// `Retry-After` of a full job queue: by then, running workers have claimed jobs from it.
const RETRY_AFTER_QUEUE_SECONDS: u32 = 10;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Parameters are invalid.
    #[error("the request has invalid parameters")]
    InvalidParameters(Vec<ValidationError>),
    /// The requested resource does not exist.
    #[error("{what} `{id}` does not exist")]
    NotFound {
        /// The kind of resource.
        what: &'static str,
        /// Its id or slug.
        id: String,
    },
    /// The event was first seen after the requested instant.
    #[error("event `{id}` was first seen later")]
    NotYetSeen {
        /// Its id.
        id: Uuid,
        /// When readers could first see it.
        first_seen_at: UtcInstant,
    },
    /// The log does not have what an event was at the requested instant.
    #[error("the log does not have what event `{id}` was")]
    HistoryExpired {
        /// Its id.
        id: Uuid,
        /// Since when it is known.
        earliest: UtcInstant,
    },
    /// The event was removed for legal reasons.
    #[error("event `{0}` was removed")]
    EventRemoved(Uuid),
    /// The event has another id.
    #[error("event `{id}` has another id")]
    EventMoved {
        /// The id of the request.
        id: Uuid,
        /// The same resource with the current id, relative to the URL of the request.
        location: String,
    },
    /// The resource has another id or slug.
    #[error("{what} `{id}` has moved")]
    Moved {
        /// The kind of resource.
        what: &'static str,
        /// The id or slug of the request.
        id: String,
        /// The same resource with the current id or slug, relative to the URL of the request.
        location: String,
    },
    /// The request refers to places that do not exist.
    #[error("the request refers to unknown places")]
    UnknownPlaces(Vec<ValidationError>),
    /// The body contains invalid items, so nothing was imported.
    #[error("the request contains {count} invalid items")]
    InvalidItems {
        /// The first of them.
        errors: Vec<ValidationError>,
        /// The number of all of them.
        count: u64,
    },
    /// The body cannot be decoded as its headers declare.
    #[error("the body cannot be decoded")]
    InvalidBody(&'static str),
    /// The connection ended before the body was complete.
    #[error("the body is incomplete")]
    IncompleteBody,
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    BodyTimeout,
    /// The body exceeds a limit.
    #[error("the body exceeds the limit of {limit} {what}")]
    BodyTooLarge {
        /// What is limited: `bytes per feed`.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The body has a media type or content coding that is not supported here.
    #[error("the media type is not supported")]
    UnsupportedMediaType {
        /// What is supported.
        accepted: &'static str,
    },
    /// Prices of several currencies cannot be compared.
    #[error("prices of several currencies cannot be compared")]
    CurrencyRequired {
        /// The currencies of the events.
        currencies: Vec<String>,
    },
    /// The request would read too many events.
    #[error("the request would read too many events")]
    QueryTooBroad {
        /// Filters that would restrict it.
        filters: Vec<&'static str>,
    },
    /// The log of changes does not contain all changes after a cursor.
    #[error("the log does not contain all changes after the cursor")]
    CursorExpired,
    /// Another request with the same idempotency key is in progress.
    #[error("a request with the same idempotency key is in progress")]
    IdempotencyKeyInUse,
    /// The idempotency key was used before with a different body.
    #[error("the idempotency key was used with a different body")]
    IdempotencyKeyReused,
    /// There are too many webhooks.
    #[error("there are {limit} webhooks {of}")]
    WebhookLimitReached {
        /// The limit.
        limit: u64,
        /// Of what: `per API key`.
        of: &'static str,
    },
    /// Two secrets of a webhook are valid.
    #[error("two secrets of the webhook are valid")]
    RotationInProgress {
        /// When the older one becomes invalid.
        until: UtcInstant,
    },
    /// The request has no API key.
    #[error("the request has no API key")]
    AuthenticationRequired,
    /// The API key is unknown.
    #[error("the API key is unknown")]
    InvalidKey,
    /// The API key lacks a scope.
    #[error("the API key lacks the scope {scope}")]
    MissingScope {
        /// The required scope.
        scope: String,
    },
    /// The job queue is full.
    #[error("the job queue is full")]
    QueueFull,
    /// No worker completed the job in time.
    #[error("no worker completed the job in time")]
    WorkerUnavailable,
    /// Without API keys, only the local machine may write.
    #[error("a remote write without API keys")]
    RemoteWriteForbidden,
    /// Without keys, only the local machine may see the pages of operators.
    #[error("the pages of operators are for the local machine only")]
    RemoteOperationsForbidden,
    /// A web page of another origin sent the write.
    #[error("a cross-origin write without an API key")]
    CrossOriginWrite,
    /// A web page of an origin that may not read sent the request.
    #[error("a request of a page of an origin that may not read")]
    OriginNotAllowed,
    /// `If-Match` does not contain the current `ETag`.
    #[error("the resource has changed since the client read it")]
    PreconditionFailed,
    /// The request is not valid HTTP.
    #[error("the request is malformed")]
    Malformed(&'static str),
    /// The URL is too long.
    #[error("the URL is longer than {limit} bytes")]
    UriTooLong {
        /// The limit.
        limit: usize,
    },
    /// The head of the request is larger than the HTTP parser accepts.
    #[error("the head of the request is too large")]
    HeadersTooLarge,
    /// A temporary file could not be written or read.
    #[error("a temporary file failed")]
    Disk(#[source] io::Error),
    /// The database is unavailable.
    #[error("the database is unavailable")]
    DatabaseUnavailable(#[source] DbErr),
    /// The database did not respond in time.
    #[error("the database did not respond in time")]
    DatabaseTimeout,
    /// The database has been unavailable since an earlier request, which logged the cause.
    #[error("the database is still unavailable")]
    DatabaseStillUnavailable,
    /// The files of the database are damaged.
    #[error("the database is corrupt")]
    DatabaseCorrupt(#[source] DbErr),
    /// An earlier request found that the files of the database are damaged, and logged the cause.
    #[error("the database is still corrupt")]
    DatabaseStillCorrupt,
    /// The disk of the database is full.
    #[error("the disk of the database is full")]
    StorageFull(#[source] DbErr),
    /// The schema of the database is older than this program.
    #[error("the schema of the database is outdated")]
    SchemaOutdated,
    /// The schema of the database excludes this program.
    #[error("the schema of the database is too new")]
    SchemaTooNew,
    /// Too many requests wait for the database.
    #[error("too many requests wait for the database")]
    Overloaded,
    /// The process has not seen a version of the catalogue in time.
    #[error("version {minimum} of the catalogue is unavailable")]
    VersionUnavailable {
        /// The oldest version that the client accepts.
        minimum: i64,
    },
    /// `Accept-Encoding` excludes every supported content coding.
    #[error("the request accepts no supported content coding")]
    NotAcceptable,
    /// The database rejected a statement.
    #[error("the database rejected a statement")]
    Database(#[source] DbErr),
    /// The response could not be serialized.
    #[error("the response could not be serialized")]
    Encoding(#[source] serde_json::Error),
    /// The response body could not be produced.
    #[error("the response body could not be produced")]
    ResponseBody,
    /// A task of the request panicked.
    #[error("a task of the request panicked")]
    TaskPanicked,
    /// The error of a query that several requests share.
    #[error(transparent)]
    Shared(Arc<ApiError>),
    /// The client exceeded its rate limit.
    #[error("the client exceeded its rate limit")]
    RateLimited {
        /// Seconds until the next request is allowed.
        retry_after: u32,
    },
    /// The process is shutting down.
    #[error("the process is shutting down")]
    ShuttingDown,
    /// No operation has this path.
    #[error("the path does not exist")]
    PathNotFound,
    /// The path does not support the method.
    #[error("the method is not allowed")]
    MethodNotAllowed,
    /// The framework rejected the request.
    #[error("the framework rejected the request with status {0}")]
    Rejected(StatusCode),
}

impl ApiError {
    /// A single invalid parameter.
    pub fn parameter(parameter: &str, message: impl Into<String>) -> Self {
        Self::InvalidParameters(vec![ValidationError::for_parameter(parameter, message)])
    }

    /// A resource that does not exist.
    pub fn not_found(what: &'static str, id: &(impl ToString + ?Sized)) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    /// The code, which determines the status and the title.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidParameters(_) => ErrorCode::InvalidParameter,
            Self::NotFound { .. } | Self::NotYetSeen { .. } => ErrorCode::NotFound,
            Self::HistoryExpired { .. } => ErrorCode::HistoryExpired,
            Self::EventRemoved(_) => ErrorCode::EventRemoved,
            Self::EventMoved { .. } => ErrorCode::EventMoved,
            Self::Moved { .. } => ErrorCode::Moved,
            Self::UnknownPlaces(_) => ErrorCode::UnknownPlace,
            Self::InvalidItems { .. } => ErrorCode::InvalidItems,
            Self::InvalidBody(_) => ErrorCode::InvalidBody,
            Self::IncompleteBody => ErrorCode::IncompleteBody,
            Self::BodyTimeout => ErrorCode::BodyTimeout,
            Self::BodyTooLarge { .. } => ErrorCode::BodyTooLarge,
            Self::UnsupportedMediaType { .. } => ErrorCode::UnsupportedMediaType,
            Self::CurrencyRequired { .. } => ErrorCode::CurrencyRequired,
            Self::QueryTooBroad { .. } => ErrorCode::QueryTooBroad,
            Self::CursorExpired => ErrorCode::CursorExpired,
            Self::IdempotencyKeyInUse => ErrorCode::IdempotencyKeyInUse,
            Self::WebhookLimitReached { .. } => ErrorCode::WebhookLimitReached,
            Self::RotationInProgress { .. } => ErrorCode::RotationInProgress,
            Self::IdempotencyKeyReused => ErrorCode::IdempotencyKeyReused,
            Self::RemoteWriteForbidden | Self::RemoteOperationsForbidden => ErrorCode::RemoteWriteForbidden,
            Self::CrossOriginWrite => ErrorCode::CrossOriginWrite,
            Self::OriginNotAllowed => ErrorCode::OriginNotAllowed,
            Self::PreconditionFailed => ErrorCode::PreconditionFailed,
            Self::Malformed(_) => ErrorCode::BadRequest,
            Self::UriTooLong { .. } => ErrorCode::UriTooLong,
            Self::HeadersTooLarge => ErrorCode::HeadersTooLarge,
            Self::AuthenticationRequired => ErrorCode::AuthenticationRequired,
            Self::InvalidKey => ErrorCode::InvalidKey,
            Self::MissingScope { .. } => ErrorCode::MissingScope,
            Self::QueueFull => ErrorCode::QueueFull,
            Self::WorkerUnavailable => ErrorCode::WorkerUnavailable,
            Self::DatabaseUnavailable(_) | Self::DatabaseStillUnavailable | Self::DatabaseTimeout => {
                ErrorCode::DatabaseUnavailable
            }
            Self::DatabaseCorrupt(_) | Self::DatabaseStillCorrupt => ErrorCode::DatabaseCorrupt,
            Self::StorageFull(_) => ErrorCode::StorageFull,
            Self::Disk(error) if is_full(error) => ErrorCode::StorageFull,
            Self::RateLimited { .. } => ErrorCode::RateLimited,
            Self::ShuttingDown => ErrorCode::ShuttingDown,
            Self::SchemaOutdated => ErrorCode::SchemaOutdated,
            Self::SchemaTooNew => ErrorCode::SchemaTooNew,
            Self::Overloaded => ErrorCode::Overloaded,
            Self::VersionUnavailable { .. } => ErrorCode::VersionUnavailable,
            Self::NotAcceptable => ErrorCode::NotAcceptable,
            Self::Shared(error) => error.code(),
            Self::PathNotFound => ErrorCode::PathNotFound,
            Self::MethodNotAllowed => ErrorCode::MethodNotAllowed,
            Self::Rejected(status) if status.is_client_error() => ErrorCode::BadRequest,
            Self::Database(_)
            | Self::Disk(_)
            | Self::Encoding(_)
            | Self::ResponseBody
            | Self::TaskPanicked
            | Self::Rejected(_) => ErrorCode::InternalError,
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.code().status()
    }

    /// Seconds after which to retry, where a retry can succeed.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::RateLimited { retry_after } => Some(*retry_after),
            Self::Overloaded | Self::IdempotencyKeyInUse | Self::VersionUnavailable { .. } => Some(RETRY_AFTER_OVERLOAD_SECONDS),
            Self::QueueFull | Self::WorkerUnavailable => Some(RETRY_AFTER_QUEUE_SECONDS),
            Self::ShuttingDown | Self::SchemaOutdated => Some(RETRY_AFTER_SECONDS),
            Self::Shared(error) => error.retry_after(),
            _ => self.is_database_unavailable().then_some(RETRY_AFTER_SECONDS),
        }
    }

    /// Whether the request's log line includes the error. Client errors are not logged. Errors of load and of outages affect thousands of
    /// requests, so they are logged once where they are detected, and counted.
    #[must_use]
    pub fn should_log(&self) -> bool {
        match self {
            Self::Overloaded
            | Self::VersionUnavailable { .. }
            | Self::QueueFull
            | Self::WorkerUnavailable
            | Self::DatabaseStillUnavailable
            | Self::DatabaseStillCorrupt
            | Self::SchemaOutdated
            | Self::SchemaTooNew
            | Self::ShuttingDown => false,
            Self::Shared(error) => error.should_log(),
            error => error.status().is_server_error(),
        }
    }

    /// Whether the database cannot serve the request, so that the same request may succeed later.
    #[must_use]
    pub fn is_database_unavailable(&self) -> bool {
        matches!(
            self.code(),
            ErrorCode::DatabaseUnavailable | ErrorCode::DatabaseCorrupt | ErrorCode::SchemaTooNew | ErrorCode::StorageFull
        )
    }

    /// The invalid parts of the request.
    #[must_use]
    pub fn errors(&self) -> &[ValidationError] {
        match self {
            Self::InvalidParameters(errors) | Self::UnknownPlaces(errors) | Self::InvalidItems { errors, .. } => errors,
            Self::Shared(error) => error.errors(),
            _ => &[],
        }
    }
}

/// Whether a file could not be written because the disk, a quota or the allowed size of a file is exhausted.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}
