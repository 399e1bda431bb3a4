//! Why there is no report of a feed, as text or JSON.

use std::{error::Error, fmt::Display};

use serde_json::json;

use super::output::{print_error, print_json};
use crate::provider::{fetch::FetchError, format::FeedDocumentError, pages::PagesError, spool::SpoolError};

/// A feed that could not be read, or is rejected as a whole.
pub(super) struct LintFailure {
    feed: String,
    /// The code of a sync that fails in the same way.
    code: &'static str,
    reason: String,
    /// The reason as a sentence for people.
    message: String,
}

impl LintFailure {
    pub(super) fn of_document(feed: &str, error: &FeedDocumentError) -> Self {
        let (feed, reason) = (feed.to_owned(), error.to_string());
        Self { message: format!("{feed} is rejected as a whole: {reason}"), code: error.code(), reason, feed }
    }

    pub(super) fn of_file(feed: &str, error: SpoolError) -> Self {
        let (code, reason) = match error {
            SpoolError::Unreadable(error) => ("unreadable_file", error.to_string()),
            other => {
                let reason = telemetry::with_causes(&other);
                (FetchError::from(other).code(), reason)
            }
        };
        let feed = feed.to_owned();
        Self { message: format!("{feed} cannot be read: {reason}"), code, reason, feed }
    }

    pub(super) fn of_fetch(feed: &str, error: &PagesError) -> Self {
        let code = match error {
            PagesError::Fetch(error) => error.code(),
            PagesError::Store(_) => "database_error",
        };
        let reason = telemetry::with_causes(error);
        Self { feed: feed.to_owned(), code, message: reason.clone(), reason }
    }

    /// Of a text that is not a URL. It may be secret.
    pub(super) fn of_url(error: impl Display) -> Self {
        let reason = format!("the feed {error}");
        Self { feed: "?".to_owned(), code: "invalid_url", message: reason.clone(), reason }
    }

    /// Prints it, in JSON as the report of the feed.
    pub(super) fn print(&self, is_json: bool) {
        let Self { feed, code, reason, message } = self;
        if is_json {
            print_json(&json!({ "feed": feed, "reason_code": code, "reason": reason }));
        } else {
            print_error(Box::<dyn Error>::from(message.as_str()).as_ref());
        }
    }
}
