//! The responses of requests for the ledger.

use std::collections::BTreeMap;

use entity::{provider, reject, sync_run};
use poem_openapi::{Object, types::Example};
use serde::Serialize;

use super::{rows::RunRow, severity::Severity, state::RunState};
use crate::response::{Instant, Nullable, ProviderSlug};

/// A page of runs.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct SyncRunList {
    /// The runs, newest first.
    pub sync_runs: Vec<SyncRun>,
}

/// An attempt to copy the catalogue of a provider. The counts are of events; they are 0 until the run has succeeded.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct SyncRun {
    /// The number of the run.
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// The provider's slug.
    pub provider: ProviderSlug,
    /// The state.
    pub state: RunState,
    /// The scheduled time of the run; null if it was not started by the schedule.
    pub tick: Nullable<Instant>,
    /// When the run started.
    pub started_at: Instant,
    /// When the run ended.
    pub ended_at: Nullable<Instant>,
    /// Milliseconds spent parsing the document; null until the run has succeeded.
    #[oai(validator(minimum(value = "0")))]
    pub parse_ms: Nullable<i32>,
    /// Milliseconds spent comparing the document with the copy.
    #[oai(validator(minimum(value = "0")))]
    pub diff_ms: Nullable<i32>,
    /// Milliseconds spent writing the differences.
    #[oai(validator(minimum(value = "0")))]
    pub write_ms: Nullable<i32>,
    /// The HTTP status of the provider's response.
    #[oai(validator(minimum(value = "100"), maximum(value = "999")))]
    pub http_status: Nullable<i16>,
    /// The size of the decompressed document.
    #[oai(validator(minimum(value = "0")))]
    pub bytes: Nullable<i64>,
    /// Events in the feed, without rejected ones.
    #[oai(validator(minimum(value = "0")))]
    pub fetched: i32,
    /// Events that are new.
    #[oai(validator(minimum(value = "0")))]
    pub inserted: i32,
    /// Events that changed or returned to the feed.
    #[oai(validator(minimum(value = "0")))]
    pub updated: i32,
    /// Events that did not change.
    #[oai(validator(minimum(value = "0")))]
    pub unchanged: i32,
    /// Events that were removed from the feed.
    #[oai(validator(minimum(value = "0")))]
    pub left: i32,
    /// Items that were rejected.
    #[oai(validator(minimum(value = "0")))]
    pub rejected: i32,
    /// Details of accepted items that were ignored or changed.
    #[oai(validator(minimum(value = "0")))]
    pub warned: i32,
    /// A stable code of the reason, if the run failed.
    pub reason_code: Nullable<String>,
    /// The reason, if the run failed.
    pub reason: Nullable<String>,
    /// The version of the catalogue that the run made; null if readers could see none of its changes.
    #[oai(validator(minimum(value = "1")))]
    pub release: Nullable<i64>,
    /// How many changes of each kind the run logged, as in `/changes`; null if it has no release.
    pub changes: Nullable<BTreeMap<String, u32>>,
}

/// A page of rejected items and warnings.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct RejectList {
    /// The rejected items, and then the warnings, both in document order.
    pub rejects: Vec<Reject>,
}

/// An item of a feed that could not be imported, or a detail of one that was imported.
#[derive(Clone, Debug, Object, Serialize)]
pub struct Reject {
    /// Whether the item was rejected, or imported without a detail.
    pub severity: Severity,
    /// The line of the document in which the item begins, from 1.
    #[oai(validator(minimum(value = "1")))]
    pub line: i64,
    /// The column in that line in characters, from 1.
    #[oai(validator(minimum(value = "1")))]
    pub column: i64,
    /// The provider's id of the base event, if it could be read.
    pub base_event_id: Nullable<String>,
    /// The provider's id of the event, if the item is an event and its id could be read.
    pub event_id: Nullable<String>,
    /// What is wrong, and what is accepted.
    pub reason: String,
    /// The first 2,000 characters of the item in the document; empty for a warning.
    pub raw: String,
}

impl From<Vec<RunRow>> for SyncRunList {
    fn from(rows: Vec<RunRow>) -> Self {
        Self { sync_runs: rows.into_iter().map(SyncRun::from).collect() }
    }
}

impl From<RunRow> for SyncRun {
    fn from((run, provider): (sync_run::Model, provider::Model)) -> Self {
        Self {
            id: run.id,
            provider: provider.slug.into(),
            state: run.state.into(),
            tick: run.tick_at.map(Instant::from).into(),
            started_at: run.started_at.into(),
            ended_at: run.ended_at.map(Instant::from).into(),
            parse_ms: run.parse_ms.into(),
            diff_ms: run.diff_ms.into(),
            write_ms: run.write_ms.into(),
            http_status: run.http_status.into(),
            bytes: run.bytes.into(),
            fetched: run.fetched,
            inserted: run.inserted,
            updated: run.updated,
            unchanged: run.unchanged,
            left: run.left,
            rejected: run.rejected,
            warned: run.warned,
            reason_code: run.reason_code.into(),
            reason: run.reason.into(),
            release: run.release.into(),
            // Not parsed as kinds, because a later release of the worker may log others.
            changes: run.changes.and_then(|changes| serde_json::from_str(&changes).ok()).into(),
        }
    }
}

impl From<Vec<reject::Model>> for RejectList {
    fn from(rows: Vec<reject::Model>) -> Self {
        Self { rejects: rows.into_iter().map(Reject::from).collect() }
    }
}

impl From<reject::Model> for Reject {
    fn from(reject: reject::Model) -> Self {
        Self {
            severity: reject.severity.into(),
            line: reject.line,
            column: reject.column,
            base_event_id: reject.base_event_source_id.into(),
            event_id: reject.event_source_id.into(),
            reason: reject.reason,
            raw: reject.raw,
        }
    }
}

impl Example for SyncRun {
    fn example() -> Self {
        Self {
            id: 42,
            provider: "fever".into(),
            state: RunState::Succeeded,
            tick: Nullable(Some("2021-02-09T09:00:00Z".into())),
            started_at: "2021-02-09T09:00:00.183Z".into(),
            ended_at: Nullable(Some("2021-02-09T09:00:00.433Z".into())),
            parse_ms: Nullable(Some(6)),
            diff_ms: Nullable(Some(1)),
            write_ms: Nullable(Some(12)),
            http_status: Nullable(Some(200)),
            bytes: Nullable(Some(400_507)),
            fetched: 500,
            inserted: 3,
            updated: 6,
            unchanged: 491,
            left: 2,
            rejected: 1,
            warned: 0,
            reason_code: Nullable(None),
            reason: Nullable(None),
            release: Nullable(Some(1_207)),
            changes: Nullable(Some(BTreeMap::from([
                ("created".to_owned(), 3),
                ("left".to_owned(), 2),
                ("price_changed".to_owned(), 6),
            ]))),
        }
    }
}

impl Example for SyncRunList {
    fn example() -> Self {
        Self { sync_runs: vec![SyncRun::example()] }
    }
}

impl Example for RejectList {
    fn example() -> Self {
        let reject = Reject {
            severity: Severity::Error,
            line: 18,
            column: 10,
            base_event_id: Nullable(Some("444".to_owned())),
            event_id: Nullable(Some("1642".to_owned())),
            reason: "`event_start_date` must be an existing date, got `2021-09-31T20:00:00`".to_owned(),
            raw: "<event event_id=\"1642\" event_start_date=\"2021-09-31T20:00:00\"/>".to_owned(),
        };
        Self { rejects: vec![reject] }
    }
}
