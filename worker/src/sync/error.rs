//! Why a run failed, and whether the provider or Marquee caused it: that decides when it is retried.

use sea_orm::DbErr;
use tokio::sync::AcquireError;

use crate::provider::{
    fetch::FetchError,
    format::{FeedDocumentError, FeedReadError},
};

/// Why a run failed. Display is for the ledger and for clients; sources are for the log.
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
    /// Too many items were rejected for the rest to be trusted.
    #[error(
        "{rejects} of {items} items were rejected, more than the allowed share of {allowed_share}; the first reason: {first}"
    )]
    TooManyRejects {
        /// Rejected items.
        rejects: usize,
        /// All items.
        items: usize,
        /// The limit.
        allowed_share: f64,
        /// The reason of the first reject.
        first: String,
    },
    /// Nothing of the feed could be accepted.
    #[error("no item of the feed was accepted (rejected: {rejects}); the first reason: {first}")]
    AllRejected {
        /// Rejected items.
        rejects: usize,
        /// The reason of the first reject.
        first: String,
    },
    /// Too many events are missing: part of the feed was probably lost.
    #[error(
        "the feed has {now} events after {before}, a loss of more than the allowed share of {allowed_share}; if this is correct, run \
         `marquee-worker sync SLUG --accept-shrink`"
    )]
    Shrunk {
        /// Events of the previous copy.
        before: usize,
        /// Events of this feed.
        now: usize,
        /// The limit.
        allowed_share: f64,
    },
    /// Most ids are new: the provider has probably changed them.
    #[error(
        "at least {new} of {fetched} events have new ids, and {gone} of the {before} previous events are gone, more than the allowed share \
         of {allowed_share} of both; the provider has probably changed its ids. If this is correct, run \
         `marquee-worker sync SLUG --accept-churn`"
    )]
    Churned {
        /// Events that are not in the copy. The rest of the feed may not have been read.
        new: usize,
        /// Events of this feed.
        fetched: usize,
        /// Events of the previous feed that are missing, except those that have ended since.
        gone: usize,
        /// Events of the previous feed.
        before: usize,
        /// The limit.
        allowed_share: f64,
    },
    /// The changes of this document were reverted.
    #[error(
        "the changes of this document were reverted; it is accepted again after another document, or by `marquee-worker sync SLUG \
         --accept-reverted`"
    )]
    RevertedDocument,
    /// Too many prices have changed by a large factor: the provider has probably changed their unit.
    #[error(
        "the lowest prices of at least {jumps} of {compared} events have changed by more than a factor of {factor}, more than the \
         allowed share of {allowed_share}; if this is correct, run `marquee-worker sync SLUG --accept-prices`"
    )]
    PriceJump {
        /// Events with such a price. The rest of the feed was not read.
        jumps: usize,
        /// Events that are in the copy and in this feed.
        compared: usize,
        /// The allowed factor.
        factor: f64,
        /// The limit.
        allowed_share: f64,
    },
    /// Another run of the provider succeeded during this one.
    #[error("another run has written a newer copy; the next run continues from there")]
    Superseded,
    /// A feed that was pushed later has been applied.
    #[error("a feed that was pushed later has already been applied; push this one again if it is still correct")]
    Overtaken,
    /// Another worker holds the job: this one did not renew its lease in time.
    #[error("the lease expired and another worker took over; the copy is unchanged")]
    LeaseLost,
    /// The currency in the settings differs from that of the copy. The copied prices would change their meaning.
    #[error("the prices of the copy are in {copied_in}; to change the currency, use a new slug")]
    CurrencyChanged {
        /// The currency of the copy.
        copied_in: String,
    },
    /// The ids of the copy were read from another property. Every event would be in it twice.
    #[error(
        "the ids of the copy were read from {copied_from}, and `id_from` is now {configured}; run `marquee-worker rekey SLUG`, which \
         preserves them"
    )]
    IdFromChanged {
        /// From where the ids of the copy were read.
        copied_from: String,
        /// From where they would be read.
        configured: String,
    },
    /// The catalogue of the provider was removed for legal reasons.
    #[error(
        "the catalogue of the provider was purged; remove the provider from the providers file, or run \
         `marquee-worker purge --provider SLUG --readmit`"
    )]
    ProviderPurged,
    /// The process is shutting down.
    #[error("the worker is shutting down")]
    Slot(#[source] AcquireError),
    /// The parser panicked.
    #[error("the feed could not be read because of a bug in Marquee")]
    Panic(#[source] tokio::task::JoinError),
    /// The temporary file cannot be read or written.
    #[error("the temporary file of the document could not be read or written")]
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
    /// A stable code for the ledger, the log and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.code(),
            Self::File(_) => "unreadable_file",
            Self::Document(error) => error.code(),
            Self::TooManyRejects { .. } => "too_many_rejects",
            Self::AllRejected { .. } => "all_rejected",
            Self::Shrunk { .. } => "shrunk",
            Self::Churned { .. } => "churned",
            Self::RevertedDocument => "reverted_document",
            Self::PriceJump { .. } => "price_jump",
            Self::Superseded => "superseded",
            Self::Overtaken => "overtaken",
            Self::LeaseLost => "lease_lost",
            Self::CurrencyChanged { .. } => "currency_changed",
            Self::IdFromChanged { .. } => "id_from_changed",
            Self::ProviderPurged => "provider_purged",
            Self::Spool(_) => "spool_error",
            Self::Slot(_) | Self::Panic(_) => "internal_error",
            Self::Database(_) => "database_error",
        }
    }

    /// Whether Marquee and not the provider caused it: a retry may succeed soon.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        let is_own = |error: &FetchError| matches!(error.of_request(), FetchError::Disk(_) | FetchError::Stopped);
        matches!(self, Self::Fetch(error) if is_own(error))
            || matches!(self, Self::Slot(_) | Self::Panic(_) | Self::Spool(_) | Self::Database(_) | Self::LeaseLost)
    }

    /// Whether the provider or its document caused it.
    #[must_use]
    pub fn is_provider_error(&self) -> bool {
        (matches!(self, Self::Fetch(_) | Self::Document(_)) || self.is_refusal()) && !self.is_internal()
    }

    /// Whether a well-formed feed is not plausible.
    #[must_use]
    pub(super) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::TooManyRejects { .. }
                | Self::AllRejected { .. }
                | Self::Shrunk { .. }
                | Self::Churned { .. }
                | Self::PriceJump { .. }
        )
    }

    /// Whether the provider may recover before its next tick.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Fetch(error) => match error.of_request() {
                FetchError::Status { status, .. } => *status == 429 || *status >= 500,
                error => {
                    matches!(
                        error,
                        FetchError::Unreachable(_) | FetchError::NotHttp(_) | FetchError::TimedOut(_) | FetchError::BrokenBody(_)
                    )
                }
            },
            _ => false,
        }
    }

    /// Whether the same document may be applied by a retry.
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
