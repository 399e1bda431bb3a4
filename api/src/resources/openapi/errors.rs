//! The errors of each operation, with examples.
//!
//! The match over all codes is the only place that states which operation returns which error: a new code does not compile without it,
//! and the tests of the API compare every response with the document.

use std::io;

use entity::UtcInstant;
use sea_orm::prelude::Uuid;

use super::{
    json::{Json, Object},
    operation::Operation,
};
use crate::{
    error::{ApiError, ErrorCode, ValidationError},
    query::{MAX_TARGET_BYTES, Parameters},
    response::{PROBLEM_JSON, Problem},
};

const REQUEST_ID: &str = "5f0c2b9e-6f6d-4e0a-9a51-3f1d0c7b8a42";

/// Adds the responses of all errors to an operation.
pub(super) fn add_responses(operation: &Operation<'_>, responses: &mut Object) {
    let mut codes: Vec<ErrorCode> = ErrorCode::ALL.iter().copied().filter(|code| can_return(*code, operation)).collect();
    codes.sort_by_key(|code| code.status());
    responses.remove("default");
    for codes in codes.chunk_by(|left, right| left.status() == right.status()) {
        responses.set(codes[0].status().as_str(), response(codes, operation));
    }
}

/// The error that a code of an operation stands for.
pub(super) fn samples(operation: &Operation<'_>, status: &str) -> Vec<ApiError> {
    let codes = ErrorCode::ALL.iter().filter(|code| code.status().as_str() == status && can_return(**code, operation));
    codes.map(|code| sample(*code, operation)).collect()
}

fn can_return(code: ErrorCode, operation: &Operation<'_>) -> bool {
    let Operation { id, is_read, is_write, is_protected, has_body, .. } = *operation;
    let is_health = operation.is_health();
    match code {
        // Health checks ignore parameters and keys. Elsewhere, an unknown key is an error wherever it is sent.
        ErrorCode::InvalidParameter | ErrorCode::InvalidKey | ErrorCode::RateLimited => !is_health,
        ErrorCode::AuthenticationRequired | ErrorCode::MissingScope => is_protected,
        ErrorCode::RemoteWriteForbidden | ErrorCode::CrossOriginWrite => is_write || ["webhooks", "webhook"].contains(&id),
        ErrorCode::WebhookLimitReached => id == "create_webhook",
        ErrorCode::RotationInProgress => id == "rotate_webhook",
        ErrorCode::PreconditionFailed => operation.has_parameter("If-Match"),
        ErrorCode::UriTooLong => operation.has_query_parameter(),
        ErrorCode::NotFound => operation.has_path_parameter(),
        ErrorCode::EventMoved | ErrorCode::EventRemoved => {
            ["event", "event_ics", "event_jsonld", "event_rates", "event_history"].contains(&id)
        }
        ErrorCode::Moved => ["performer", "venue", "provider"].contains(&id),
        ErrorCode::UnknownPlace => ["rates", "event_rates"].contains(&id),
        ErrorCode::HistoryExpired => id == "event",
        ErrorCode::CursorExpired => {
            ["changes", "changes_stream", "event_history", "create_webhook", "enable_webhook", "replay_webhook"].contains(&id)
        }
        ErrorCode::CurrencyRequired | ErrorCode::QueryTooBroad => {
            operation.has_parameter("sort") || ["event_calendar", "event_facets"].contains(&id)
        }
        ErrorCode::NotAcceptable => is_read,
        ErrorCode::InvalidBody
        | ErrorCode::IncompleteBody
        | ErrorCode::BodyTimeout
        | ErrorCode::BodyTooLarge
        | ErrorCode::UnsupportedMediaType => has_body,
        ErrorCode::InvalidItems => ["put_places", "post_rate_batch"].contains(&id),
        ErrorCode::IdempotencyKeyInUse => id == "post_rate_batch",
        ErrorCode::IdempotencyKeyReused => operation.has_parameter("Idempotency-Key"),
        ErrorCode::InternalError
        | ErrorCode::DatabaseUnavailable
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::SchemaOutdated
        | ErrorCode::SchemaTooNew => id != "livez",
        ErrorCode::StorageFull => !is_health,
        ErrorCode::Overloaded => {
            is_read && !is_health || ["put_places", "push_feed", "post_rate_batch", "create_webhook"].contains(&id)
        }
        ErrorCode::VersionUnavailable => operation.has_version(),
        ErrorCode::QueueFull => ["push_feed", "multivac_data"].contains(&id),
        ErrorCode::WorkerUnavailable => id == "push_feed",
        ErrorCode::ShuttingDown => ["readyz", "post_rate_batch"].contains(&id),
        // Of requests that are malformed, or that reach no operation.
        ErrorCode::BadRequest
        | ErrorCode::OriginNotAllowed
        | ErrorCode::PathNotFound
        | ErrorCode::MethodNotAllowed
        | ErrorCode::HeadersTooLarge => false,
    }
}

fn response(codes: &[ErrorCode], operation: &Operation<'_>) -> Object {
    let titles: Vec<&str> = codes.iter().map(|code| code.title()).collect();
    let mut examples = Object::default();
    for code in codes {
        let problem = Json::of(&Problem::new(&sample(*code, operation), REQUEST_ID, operation.path));
        examples.set(code.name(), Object::default().with("summary", code.title()).with("value", problem));
    }
    let schema = Object::default().with("$ref", "#/components/schemas/Problem");
    let media_type = Object::default().with("schema", schema).with("examples", examples);
    Object::default().with("description", titles.join("; ")).with("content", Object::default().with(PROBLEM_JSON, media_type))
}

/// An error of an operation that has this code.
fn sample(code: ErrorCode, operation: &Operation<'_>) -> ApiError {
    let item = |pointer: &str, message: &str| ValidationError::at_pointer(pointer.to_owned(), message);
    match code {
        ErrorCode::InvalidParameter => invalid_parameter(operation),
        ErrorCode::InvalidBody => {
            ApiError::InvalidBody("the body cannot be decoded as its `Content-Encoding` declares, or it is truncated")
        }
        ErrorCode::IncompleteBody => ApiError::IncompleteBody,
        ErrorCode::AuthenticationRequired => ApiError::AuthenticationRequired,
        ErrorCode::InvalidKey => ApiError::InvalidKey,
        ErrorCode::MissingScope => ApiError::MissingScope { scope: operation.scope() },
        ErrorCode::RemoteWriteForbidden => ApiError::RemoteWriteForbidden,
        ErrorCode::CrossOriginWrite => ApiError::CrossOriginWrite,
        ErrorCode::OriginNotAllowed => ApiError::OriginNotAllowed,
        ErrorCode::NotFound => ApiError::not_found(operation.resource(), operation.sample_id()),
        ErrorCode::EventRemoved => ApiError::EventRemoved(Uuid::nil()),
        ErrorCode::EventMoved => ApiError::EventMoved { id: Uuid::nil(), location: Uuid::max().to_string() },
        ErrorCode::Moved => {
            ApiError::Moved { what: operation.resource(), id: operation.sample_id().to_owned(), location: "fever".to_owned() }
        }
        ErrorCode::UnknownPlace => {
            let message = "must be the code of a place or the slug of a region, as in /places, got `EETLL`";
            ApiError::UnknownPlaces(vec![ValidationError::for_parameter("orig_code", message)])
        }
        ErrorCode::HistoryExpired => ApiError::HistoryExpired { id: Uuid::nil(), earliest: UtcInstant(1_612_137_600_000_000) },
        ErrorCode::CursorExpired => ApiError::CursorExpired,
        ErrorCode::CurrencyRequired => ApiError::CurrencyRequired { currencies: vec!["EUR".to_owned(), "GBP".to_owned()] },
        ErrorCode::QueryTooBroad => ApiError::QueryTooBroad { filters: vec!["starts_at", "city"] },
        ErrorCode::NotAcceptable => ApiError::NotAcceptable,
        ErrorCode::BodyTimeout => ApiError::BodyTimeout,
        ErrorCode::IdempotencyKeyInUse => ApiError::IdempotencyKeyInUse,
        ErrorCode::PreconditionFailed => ApiError::PreconditionFailed,
        ErrorCode::WebhookLimitReached => ApiError::WebhookLimitReached { limit: 20, of: "per API key" },
        ErrorCode::RotationInProgress => ApiError::RotationInProgress { until: UtcInstant(1_612_947_600_000_000) },
        ErrorCode::BodyTooLarge => ApiError::BodyTooLarge { what: "bytes", limit: 16 << 20 },
        ErrorCode::UnsupportedMediaType => ApiError::UnsupportedMediaType { accepted: operation.accepted() },
        ErrorCode::InvalidItems => {
            let error = match operation.id {
                "put_places" => item("/places/0/region_slug", "must be the slug of a region in the list, got `baltic`"),
                _ => ValidationError {
                    line: Some(1),
                    ..item("/0", "`orig_code` must be the code of a place that was imported with PUT /places, got `ZZAAA`")
                },
            };
            ApiError::InvalidItems { errors: vec![error], count: 1 }
        }
        ErrorCode::IdempotencyKeyReused => ApiError::IdempotencyKeyReused,
        ErrorCode::RateLimited => ApiError::RateLimited { retry_after: 1 },
        ErrorCode::InternalError => ApiError::ResponseBody,
        ErrorCode::DatabaseUnavailable => ApiError::DatabaseStillUnavailable,
        ErrorCode::DatabaseCorrupt => ApiError::DatabaseStillCorrupt,
        ErrorCode::StorageFull => ApiError::Disk(io::ErrorKind::StorageFull.into()),
        ErrorCode::Overloaded => ApiError::Overloaded,
        ErrorCode::VersionUnavailable => ApiError::VersionUnavailable { minimum: 43 },
        ErrorCode::QueueFull => ApiError::QueueFull,
        ErrorCode::WorkerUnavailable => ApiError::WorkerUnavailable,
        ErrorCode::SchemaOutdated => ApiError::SchemaOutdated,
        ErrorCode::SchemaTooNew => ApiError::SchemaTooNew,
        ErrorCode::ShuttingDown => ApiError::ShuttingDown,
        ErrorCode::BadRequest => ApiError::Rejected(code.status()),
        ErrorCode::PathNotFound => ApiError::PathNotFound,
        ErrorCode::MethodNotAllowed => ApiError::MethodNotAllowed,
        ErrorCode::UriTooLong => ApiError::UriTooLong { limit: MAX_TARGET_BYTES },
        ErrorCode::HeadersTooLarge => ApiError::HeadersTooLarge,
    }
}

/// The error of an invalid or missing parameter, or of an unknown one if the operation has none.
fn invalid_parameter(operation: &Operation<'_>) -> ApiError {
    if let Some(most) = operation.maximum("limit") {
        return ApiError::parameter("limit", format!("must be an integer between 1 and {most}, got `0`"));
    }
    if let Some(name) = operation.required_query_parameter() {
        return ApiError::parameter(name, "is required");
    }
    if operation.id == "create_webhook" {
        return ApiError::parameter("url", "must begin with https://");
    }
    if operation.has_parameter("mode") {
        return ApiError::parameter("mode", "must be `snapshot` or `delta`, got `full`");
    }
    if operation.has_parameter("provider") {
        return ApiError::parameter("provider", "must be the slug of a provider as in `/providers`, got `Fever`");
    }
    match Parameters::parse("page=2").finish(()) {
        Err(error) => error,
        Ok(()) => unreachable!("no parameter was read"),
    }
}
