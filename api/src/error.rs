//! Every way in which a call can fail, and the one place that says what the client hears of it.
//!
//! What a client reads and what the log reads are two texts: `detail` and `errors` come from here, causes go to the log alone.

use std::{io, sync::Arc};

use poem::http::StatusCode;
use sea_orm::DbErr;

use crate::response::{ErrorCode, Mistake, Nullable, Problem};

/// Seconds after which a client may ask again while the database is away: it mostly comes back within a restart.
const RETRY_AFTER_SECONDS: u32 = 2;
/// Seconds after which a client may ask again in a peak: those that wait now have been answered by then.
const RETRY_AFTER_OVERLOAD_SECONDS: u32 = 1;

/// Seconds after which workers that are alive have taken something from a full queue.
const RETRY_AFTER_QUEUE_SECONDS: u32 = 10;

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
    /// Places are asked for that are none; each is named.
    #[error("the request names places that are not known")]
    UnknownPlaces(Vec<Mistake>),
    /// What was sent holds items that cannot be taken, so nothing was.
    #[error("the request holds {count} items that cannot be taken")]
    InvalidItems {
        /// The first of them.
        mistakes: Vec<Mistake>,
        /// How many there are.
        count: u64,
    },
    /// The body is not what its headers say.
    #[error("the body cannot be read")]
    UnreadableBody(&'static str),
    /// The body did not come to its end.
    #[error("the body ended before it was whole")]
    BrokenOff,
    /// The body comes too slowly.
    #[error("the body did not come in time")]
    TooSlow,
    /// The body is too long.
    #[error("the body is over the limit")]
    TooLarge {
        /// What is limited.
        what: &'static str,
        /// How much of it there may be.
        limit: u64,
    },
    /// The body is of a kind that is not taken here.
    #[error("the body is of a kind that is not taken")]
    UnsupportedMediaType {
        /// What is taken.
        wanted: &'static str,
    },
    /// The same idempotency key is in use.
    #[error("a request with the same idempotency key is under way")]
    KeyRunning,
    /// The same idempotency key came with another body.
    #[error("the idempotency key was used with another body")]
    KeyReused,
    /// The request shows no key.
    #[error("a write without a key")]
    NoKey,
    /// The request shows a key that nobody knows.
    #[error("a write with an unknown key")]
    WrongKey,
    /// The key may not do that.
    #[error("a write with a key that lacks the scope {scope}")]
    MissingScope {
        /// What it would have to be for.
        scope: String,
    },
    /// So much waits for the workers that more would wait in vain.
    #[error("too much waits for the workers")]
    QueueFull,
    /// What only a worker can answer was not answered in time.
    #[error("no worker has answered")]
    NoWorker,
    /// Only this machine may do that.
    #[error("a write from another machine")]
    NotLocal,
    /// A fault of this machine's disk.
    #[error("the body could not be put aside")]
    Disk(#[source] io::Error),
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

impl ApiError {
    /// The fault of a single parameter.
    pub fn parameter(parameter: &str, message: impl Into<String>) -> Self {
        Self::InvalidParameters(vec![Mistake::of_parameter(parameter, message)])
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidParameters(_) => StatusCode::BAD_REQUEST,
            Self::NotFound { .. } | Self::UnknownPlaces(_) => StatusCode::NOT_FOUND,
            Self::UnreadableBody(_) | Self::BrokenOff => StatusCode::BAD_REQUEST,
            Self::NoKey | Self::WrongKey => StatusCode::UNAUTHORIZED,
            Self::NotLocal | Self::MissingScope { .. } => StatusCode::FORBIDDEN,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::KeyRunning => StatusCode::CONFLICT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::InvalidItems { .. } | Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::DatabaseAway(_)
            | Self::DatabaseKnownAway
            | Self::DatabaseSilent
            | Self::Overloaded
            | Self::QueueFull
            | Self::NoWorker
            | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::Database(_) | Self::Disk(_) | Self::Encoding(_) | Self::Body | Self::Flight => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Refused(status) => *status,
            Self::OfFlight(error) => error.status(),
        }
    }

    /// Seconds after which to ask again, where that helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TooManyRequests { retry_after } => Some(*retry_after),
            Self::Overloaded | Self::KeyRunning => Some(RETRY_AFTER_OVERLOAD_SECONDS),
            Self::QueueFull | Self::NoWorker => Some(RETRY_AFTER_QUEUE_SECONDS),
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
            Self::Overloaded | Self::QueueFull | Self::NoWorker | Self::DatabaseKnownAway | Self::Draining => false,
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
            errors: self.mistakes().to_vec(),
            request_id: request_id.to_owned(),
            data: Nullable(None),
            error: ErrorCode { code: self.code().to_owned(), message: detail.clone() },
            detail,
        }
    }

    fn mistakes(&self) -> &[Mistake] {
        match self {
            Self::InvalidParameters(mistakes) | Self::UnknownPlaces(mistakes) | Self::InvalidItems { mistakes, .. } => mistakes,
            Self::OfFlight(error) => error.mistakes(),
            _ => &[],
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InvalidParameters(_) => "invalid_parameter",
            Self::NotFound { .. } => "not_found",
            Self::UnknownPlaces(_) => "unknown_place",
            Self::InvalidItems { .. } => "invalid_items",
            Self::UnreadableBody(_) => "unreadable_body",
            Self::BrokenOff => "broken_off",
            Self::TooSlow => "too_slow",
            Self::TooLarge { .. } => "too_large",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::KeyRunning => "key_running",
            Self::KeyReused => "key_reused",
            Self::NotLocal => "not_local",
            Self::NoKey => "no_key",
            Self::WrongKey => "wrong_key",
            Self::MissingScope { .. } => "missing_scope",
            Self::QueueFull => "queue_full",
            Self::NoWorker => "no_worker",
            Self::DatabaseAway(_) | Self::DatabaseKnownAway | Self::DatabaseSilent => "database_unavailable",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Draining => "draining",
            Self::Overloaded => "overloaded",
            Self::NotAcceptable => "not_acceptable",
            Self::OfFlight(error) => error.code(),
            Self::Database(_) | Self::Disk(_) | Self::Encoding(_) | Self::Body | Self::Flight => "internal",
            Self::Refused(StatusCode::NOT_FOUND) => "no_such_path",
            Self::Refused(StatusCode::METHOD_NOT_ALLOWED) => "method_not_allowed",
            Self::Refused(status) if status.is_server_error() => "internal",
            Self::Refused(_) => "bad_request",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::InvalidParameters(mistakes) | Self::UnknownPlaces(mistakes) => {
                mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            }
            Self::InvalidItems { mistakes, count } => {
                let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
                format!("nothing was taken, because of {count} wrong items, of which errors lists {}: {first}", mistakes.len())
            }
            Self::UnreadableBody(why) => (*why).to_owned(),
            Self::BrokenOff => "the body ended before it was whole; nothing was taken".to_owned(),
            Self::TooSlow => "the body did not come in time; nothing was taken".to_owned(),
            Self::TooLarge { what, limit } => format!("there may be {limit} {what} at most; nothing was taken"),
            Self::UnsupportedMediaType { wanted } => format!("want {wanted}"),
            Self::KeyRunning => "a request with this Idempotency-Key is under way; ask again shortly".to_owned(),
            Self::KeyReused => "this Idempotency-Key came with another body before; give each body a key of its own".to_owned(),
            Self::NoKey => "this takes a key: send it as `Authorization: Bearer KEY`, or as the password of Basic".to_owned(),
            Self::WrongKey => "this key is not known, or not any more".to_owned(),
            Self::MissingScope { scope } => format!("this key lacks the scope {scope}"),
            Self::NoWorker => "no worker has answered in time: does one run, and on the same database?".to_owned(),
            Self::QueueFull => "so much waits for the workers that no more is accepted; send it again shortly".to_owned(),
            Self::NotLocal => {
                "without keys (API_KEYS_FILE) this is taken from the machine itself alone, and not through a proxy".to_owned()
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
            Self::Database(_) | Self::Disk(_) | Self::Encoding(_) | Self::Body | Self::Flight | Self::Refused(_) => {
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

/// Hands the error to [`observe`](crate::server::observe), which alone knows the request's id.
impl From<ApiError> for poem::Error {
    fn from(error: ApiError) -> Self {
        let mut carrier = Self::from_status(error.status());
        carrier.set_data(Arc::new(error));
        carrier
    }
}
