//! The sentence that states what is wrong, and what is accepted.

use super::{ApiError, ValidationError, is_full};
use crate::response::to_rfc3339;

const AUTHENTICATION_REQUIRED: &str =
    "this request requires an API key: send `Authorization: Bearer KEY`, or the key as the password of Basic authentication";
const CURSOR_EXPIRED: &str = "changes after this cursor were removed, or the database was restored from a backup; copy \
                              `/events.ndjson`, and continue from its cursor";
const REMOTE_WRITE_FORBIDDEN: &str =
    "without API keys (`API_KEYS_FILE`), writes are accepted only from the local machine and not through a proxy";
const REMOTE_OPERATIONS_FORBIDDEN: &str = "without API keys (`API_KEYS_FILE`), the pages of operators are served only to the local machine \
                                           and not through a proxy";
const CROSS_ORIGIN_WRITE: &str =
    "a web page of another origin must send its writes with an API key, as `Authorization: Bearer KEY`";
const ORIGIN_NOT_ALLOWED: &str =
    "`Origin` must be one that the operator allows (`CORS_ALLOWED_ORIGINS`); programs that are not browsers send none";
const STORAGE_FULL: &str = "the disk of the server is full, so nothing was changed; retry later";

impl ApiError {
    /// What is wrong with the request, and what is accepted.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::InvalidParameters(errors) | Self::UnknownPlaces(errors) => {
                errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            }
            Self::InvalidItems { errors, count } => invalid_items(errors, *count),
            Self::InvalidBody(why) => (*why).to_owned(),
            Self::IncompleteBody => "the connection ended before the body was complete; nothing was imported".to_owned(),
            Self::BodyTimeout => "the body did not arrive in time; nothing was imported".to_owned(),
            Self::BodyTooLarge { what, limit } => format!("the body exceeds the limit of {limit} {what}"),
            Self::UnsupportedMediaType { accepted } => format!("the request must have {accepted}"),
            Self::CurrencyRequired { currencies } => currency_required(currencies),
            Self::QueryTooBroad { filters } => query_too_broad(filters),
            Self::CursorExpired => CURSOR_EXPIRED.to_owned(),
            Self::IdempotencyKeyInUse => "a request with this `Idempotency-Key` is in progress; retry later".to_owned(),
            Self::IdempotencyKeyReused => {
                "this `Idempotency-Key` was used with a different body; use a new key for each body".to_owned()
            }
            Self::WebhookLimitReached { limit, of } => {
                format!("there may be {limit} webhooks {of}; delete one that is not needed any more")
            }
            Self::RotationInProgress { until } => format!(
                "messages have signatures with two secrets until {}; replace the secret again after that",
                to_rfc3339(*until)
            ),
            Self::AuthenticationRequired => AUTHENTICATION_REQUIRED.to_owned(),
            Self::InvalidKey => "the API key is unknown or was revoked".to_owned(),
            Self::MissingScope { scope } => format!("the API key lacks the scope `{scope}`"),
            Self::WorkerUnavailable => {
                "no worker completed the job in time; check that a worker is running on the same database".to_owned()
            }
            Self::QueueFull => "the job queue is full; retry later".to_owned(),
            Self::RemoteWriteForbidden => REMOTE_WRITE_FORBIDDEN.to_owned(),
            Self::RemoteOperationsForbidden => REMOTE_OPERATIONS_FORBIDDEN.to_owned(),
            Self::CrossOriginWrite => CROSS_ORIGIN_WRITE.to_owned(),
            Self::OriginNotAllowed => ORIGIN_NOT_ALLOWED.to_owned(),
            Self::PreconditionFailed => {
                "`If-Match` does not contain the current `ETag`, so nothing was changed; read the resource again".to_owned()
            }
            Self::Malformed(detail) => (*detail).to_owned(),
            Self::UriTooLong { limit } => format!("the URL must be at most {limit} bytes long"),
            Self::HeadersTooLarge => "the request line and headers must be at most 32 KiB and 100 headers".to_owned(),
            Self::NotFound { what, id } => format!("{what} `{id}` does not exist"),
            Self::NotYetSeen { id, first_seen_at } => {
                format!("event `{id}` was not known at that time; it was first seen at {}", to_rfc3339(*first_seen_at))
            }
            Self::HistoryExpired { id, earliest } => {
                format!("what event `{id}` was is known since {}; `as_of` must not be earlier", to_rfc3339(*earliest))
            }
            Self::EventRemoved(id) => format!("event `{id}` was removed and will not return"),
            Self::EventMoved { id, location } => format!("event `{id}` has another id; it is at `{location}`"),
            Self::Moved { what, id, location } => format!("{what} `{id}` has moved; it is at `{location}`"),
            Self::Shared(error) => error.detail(),
            Self::NotAcceptable => {
                "`Accept-Encoding` excludes every supported content coding: identity, gzip, br and zstd".to_owned()
            }
            Self::RateLimited { retry_after: 1 } => "rate limit exceeded; retry in 1 second".to_owned(),
            Self::RateLimited { retry_after } => format!("rate limit exceeded; retry in {retry_after} seconds"),
            Self::PathNotFound => "this path does not exist; `/docs` lists all paths".to_owned(),
            Self::MethodNotAllowed => "this path does not support the method; `Allow` lists the supported ones".to_owned(),
            Self::Rejected(status) if status.is_client_error() => "the request is malformed".to_owned(),
            _ => self.detail_of_server(),
        }
    }

    /// What the server cannot do, and when to retry.
    fn detail_of_server(&self) -> String {
        match self {
            Self::Overloaded => "too many requests are waiting; retry later".to_owned(),
            Self::VersionUnavailable { minimum } => {
                format!(
                    "version {minimum} of the catalogue, which `Marquee-Min-Version` requests, is not available yet; retry later"
                )
            }
            Self::DatabaseUnavailable(_) | Self::DatabaseStillUnavailable | Self::DatabaseTimeout => {
                "the database is unavailable; retry later".to_owned()
            }
            Self::DatabaseCorrupt(_) | Self::DatabaseStillCorrupt => {
                "the database is corrupt; the operator must restore a backup".to_owned()
            }
            Self::StorageFull(_) => STORAGE_FULL.to_owned(),
            Self::Disk(error) if is_full(error) => STORAGE_FULL.to_owned(),
            Self::SchemaOutdated => {
                "the schema of the database is older than this program; the operator must run `marquee-migrate up`".to_owned()
            }
            Self::SchemaTooNew => "the schema of the database is too new; the operator must deploy a newer release".to_owned(),
            Self::ShuttingDown => "this process is shutting down; retry to reach another one".to_owned(),
            _ => "an internal error occurred; quote the request id when you report it".to_owned(),
        }
    }
}

fn currency_required(currencies: &[String]) -> String {
    format!("prices are in several currencies, which cannot be compared: add `currency`, such as {}", currencies.join(", "))
}

fn query_too_broad(filters: &[&str]) -> String {
    let filters = filters.iter().map(|filter| format!("`{filter}`")).collect::<Vec<_>>().join(", ");
    format!("the request would read too many events: add one of these filters, or a narrower one: {filters}")
}

fn invalid_items(errors: &[ValidationError], count: u64) -> String {
    let items = if count == 1 { "item is" } else { "items are" };
    let first = errors.first().map(ToString::to_string).unwrap_or_default();
    let listed = u64::try_from(errors.len()).unwrap_or(u64::MAX);
    let listed = if listed < count { format!(" (`errors` lists the first {listed})") } else { String::new() };
    format!("{count} {items} invalid{listed}, so nothing was imported; {first}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_items_are_counted_in_the_singular_and_the_plural() {
        let errors = [ValidationError::at_pointer("/places/0/code".to_owned(), "must not be empty")];
        assert_eq!(invalid_items(&errors, 1), "1 item is invalid, so nothing was imported; /places/0/code: must not be empty");
        assert_eq!(
            invalid_items(&errors, 3),
            "3 items are invalid (`errors` lists the first 1), so nothing was imported; /places/0/code: must not be empty"
        );
    }
}
