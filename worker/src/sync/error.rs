//! Why a run fails, in words for the ledger, and who is to blame: that decides who tries again, and when.

use sea_orm::DbErr;
use tokio::sync::AcquireError;

use crate::provider::{
    fetch::FetchError,
    format::{FeedDocumentError, FeedReadError},
};

/// Why a run failed. Display is for the ledger and for clients; causes are for the log.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// There is no document.
    #[error("{0}")]
    Fetch(#[source] FetchError),
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[source] std::io::Error),
    /// The document cannot be trusted.
    #[error("{0}")]
    Document(#[from] FeedDocumentError),
    /// Too much of the feed is faulty for the rest to be believed.
    #[error("{rejects} of {items} items are rejects, over the share of {allowed_share} that is allowed; the first: {first}")]
    TooManyRejects {
        /// How many are.
        rejects: usize,
        /// Of how many.
        items: usize,
        /// The limit.
        allowed_share: f64,
        /// What is wrong with the first.
        first: String,
    },
    /// The feed holds so much less than the copy before that part of it was probably lost on the way.
    #[error(
        "{now} events after {before} before, a loss over the share of {allowed_share} that is allowed; \
         `marquee-worker sync SLUG --accept-shrink` takes it all the same"
    )]
    Shrunk {
        /// Events of the copy before.
        before: usize,
        /// Events of this feed.
        now: usize,
        /// The limit.
        allowed_share: f64,
    },
    /// Another run of the provider ended well while this one was under way.
    #[error("another run has taken a newer copy meanwhile; the next one goes on from there")]
    Superseded,
    /// What was pushed later is in the copy already.
    #[error("a document that was pushed later has been applied before; push this one again if it is still right")]
    Overtaken,
    /// Another worker does this job meanwhile: this one was away for longer than its lease.
    #[error("the lease ran out and another worker has taken over; nothing of this run was kept")]
    LeaseLost,
    /// The settings name another currency than the copy's, whose prices would mean something else.
    #[error("the copy's prices are in {copied_in}: a provider that changes its currency wants a new slug")]
    CurrencyChanged {
        /// The currency of the copy.
        copied_in: String,
    },
    /// The process is ending.
    #[error("the worker is ending")]
    Turn(#[source] AcquireError),
    /// The parser died, which is a fault of ours.
    #[error("the feed could not be read because of a fault in Marquee")]
    Reader(#[source] tokio::task::JoinError),
    /// The spool's file cannot be read or written.
    #[error("the document could not be kept on disk while it was read")]
    Spool(#[source] std::io::Error),
    /// The copy could not be written.
    #[error("the database could not be read or written")]
    Database(#[from] DbErr),
}

impl From<FeedReadError> for SyncError {
    fn from(error: FeedReadError) -> Self {
        match error {
            FeedReadError::Document(error) => Self::Document(error),
            FeedReadError::Spool(error) => Self::Spool(error),
        }
    }
}

impl SyncError {
    /// A stable word for the ledger.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.code(),
            Self::File(_) => "unreadable_file",
            Self::Document(error) => error.code(),
            Self::TooManyRejects { .. } => "too_many_rejects",
            Self::Shrunk { .. } => "shrunk",
            Self::Superseded => "superseded",
            Self::Overtaken => "overtaken",
            Self::LeaseLost => "lease_lost",
            Self::CurrencyChanged { .. } => "currency_changed",
            Self::Spool(_) => "spool",
            Self::Turn(_) | Self::Reader(_) => "internal",
            Self::Database(_) => "database",
        }
    }

    /// Whether the fault is ours and no provider's: what was tried may go well a moment later.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        let is_disk = matches!(self, Self::Fetch(FetchError::Disk(_)));
        is_disk || matches!(self, Self::Turn(_) | Self::Reader(_) | Self::Spool(_) | Self::Database(_) | Self::LeaseLost)
    }

    /// Whether the provider or its document is to blame.
    #[must_use]
    pub fn is_provider_error(&self) -> bool {
        let is_answer = matches!(self, Self::Fetch(_) | Self::Document(_) | Self::TooManyRejects { .. } | Self::Shrunk { .. });
        is_answer && !self.is_internal()
    }

    /// Whether the provider may answer well before its next tick.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Fetch(FetchError::Status { status, .. }) => *status == 429 || *status >= 500,
            Self::Fetch(error) => {
                matches!(
                    error,
                    FetchError::Unreachable(_) | FetchError::NotHttp(_) | FetchError::TimedOut(_) | FetchError::BrokenBody(_)
                )
            }
            _ => false,
        }
    }

    /// Whether the very same document may go in a moment later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.is_internal() || matches!(self, Self::Superseded)
    }

    pub(super) fn http_status(&self) -> Option<u16> {
        match self {
            Self::Fetch(error) => error.http_status(),
            _ => None,
        }
    }
}
