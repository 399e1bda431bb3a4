//! The table of error codes: the name, HTTP status and title of each problem that a client can receive.
//!
//! `docs/errors.md` describes each code; a test compares it with this table.

use poem::http::StatusCode;
use poem_openapi::Enum;
use serde::Serialize;

macro_rules! error_codes {
    ($($variant:ident = $name:literal, $status:ident, $title:literal;)+) => {
        /// A stable identifier of a kind of error. `/errors` describes each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $(
                #[doc = $title]
                #[oai(rename = $name)]
                #[serde(rename = $name)]
                $variant,
            )+
        }

        impl ErrorCode {
            /// All codes, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code as clients see it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$variant => StatusCode::$status,)+
                }
            }

            /// A short summary of the problem, the same for each occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)+
                }
            }
        }
    };
}

error_codes! {
    BadRequest = "bad_request", BAD_REQUEST, "Malformed request";
    InvalidParameter = "invalid_parameter", BAD_REQUEST, "Invalid parameter";
    InvalidBody = "invalid_body", BAD_REQUEST, "Invalid body";
    IncompleteBody = "incomplete_body", BAD_REQUEST, "Incomplete body";
    CurrencyRequired = "currency_required", BAD_REQUEST, "Currency required";
    AuthenticationRequired = "authentication_required", UNAUTHORIZED, "Authentication required";
    EventMoved = "event_moved", PERMANENT_REDIRECT, "Event has another id";
    Moved = "moved", PERMANENT_REDIRECT, "Resource has moved";
    InvalidKey = "invalid_key", UNAUTHORIZED, "Invalid API key";
    MissingScope = "missing_scope", FORBIDDEN, "Missing scope";
    RemoteWriteForbidden = "remote_write_forbidden", FORBIDDEN, "Remote write forbidden";
    CrossOriginWrite = "cross_origin_write", FORBIDDEN, "Cross-origin write";
    OriginNotAllowed = "origin_not_allowed", FORBIDDEN, "Origin not allowed";
    PathNotFound = "path_not_found", NOT_FOUND, "Path not found";
    NotFound = "not_found", NOT_FOUND, "Not found";
    UnknownPlace = "unknown_place", NOT_FOUND, "Unknown place";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    NotAcceptable = "not_acceptable", NOT_ACCEPTABLE, "No acceptable content coding";
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, "Body timeout";
    IdempotencyKeyInUse = "idempotency_key_in_use", CONFLICT, "Idempotency key in use";
    WebhookLimitReached = "webhook_limit_reached", CONFLICT, "Too many webhooks";
    RotationInProgress = "rotation_in_progress", CONFLICT, "Rotation in progress";
    EventRemoved = "event_removed", GONE, "Event removed";
    CursorExpired = "cursor_expired", GONE, "Cursor expired";
    HistoryExpired = "history_expired", GONE, "History expired";
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED, "Precondition failed";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "Body too large";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type";
    InvalidItems = "invalid_items", UNPROCESSABLE_ENTITY, "Invalid items";
    QueryTooBroad = "query_too_broad", UNPROCESSABLE_ENTITY, "Query too broad";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "Idempotency key reused";
    UriTooLong = "uri_too_long", URI_TOO_LONG, "URI too long";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "Headers too large";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Rate limit exceeded";
    InternalError = "internal_error", INTERNAL_SERVER_ERROR, "Internal error";
    DatabaseUnavailable = "database_unavailable", SERVICE_UNAVAILABLE, "Database unavailable";
    DatabaseCorrupt = "database_corrupt", SERVICE_UNAVAILABLE, "Database corrupt";
    SchemaOutdated = "schema_outdated", SERVICE_UNAVAILABLE, "Schema outdated";
    SchemaTooNew = "schema_too_new", SERVICE_UNAVAILABLE, "Schema too new";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Server overloaded";
    VersionUnavailable = "version_unavailable", SERVICE_UNAVAILABLE, "Version unavailable";
    QueueFull = "queue_full", SERVICE_UNAVAILABLE, "Job queue full";
    WorkerUnavailable = "worker_unavailable", SERVICE_UNAVAILABLE, "Worker unavailable";
    ShuttingDown = "shutting_down", SERVICE_UNAVAILABLE, "Server shutting down";
    StorageFull = "storage_full", INSUFFICIENT_STORAGE, "Storage full";
}
