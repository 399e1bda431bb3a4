//! What is told of documents that were pushed.

use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};

use crate::response::Nullable;

/// What was queued.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Accepted {
    /// The number of its run: `/sync-runs/{id}` tells how it goes.
    pub sync_run: i64,
}

/// What a document would change. The counts are of events, and all 0 if it would be refused.
#[derive(Clone, Debug, Default, Deserialize, Object, Serialize)]
#[oai(example)]
#[serde(default)]
pub struct Rehearsal {
    /// How its run would end: `succeeded`, `unchanged` or `failed`.
    pub state: String,
    /// Why it would fail, a stable word.
    pub reason_code: Nullable<String>,
    /// The same in a sentence.
    pub reason: Nullable<String>,
    /// Events that the document holds, rejected ones not counted.
    pub fetched: u64,
    /// Events that no copy held before.
    pub inserted: u64,
    /// Events that would change, or come back.
    pub updated: u64,
    /// Events that say what they said before.
    pub unchanged: u64,
    /// Events that the copy holds and this document does not.
    pub left: u64,
    /// Items that could not be taken.
    pub rejected: u64,
    /// The first thousand of them.
    pub rejects: Vec<RehearsedReject>,
}

/// An item that could not be taken.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct RehearsedReject {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// The provider's id of the base event, as far as it could be read.
    pub base_event_id: Nullable<String>,
    /// The provider's id of the event, if it is one.
    pub event_id: Nullable<String>,
    /// Why.
    pub reason: String,
}

impl Example for Accepted {
    fn example() -> Self {
        Self { sync_run: 42 }
    }
}

impl Example for Rehearsal {
    fn example() -> Self {
        let reject = RehearsedReject {
            line: 12,
            column: 5,
            base_event_id: Nullable(Some("322".to_owned())),
            event_id: Nullable(Some("1642".to_owned())),
            reason: "event_start_date: there is no such day as 2021-09-31".to_owned(),
        };
        Self {
            state: "succeeded".to_owned(),
            fetched: 3,
            inserted: 1,
            updated: 1,
            unchanged: 1,
            rejected: 1,
            rejects: vec![reject],
            ..Self::default()
        }
    }
}
