//! What is told of the ledger.

use entity::{provider, reject, sync_run};
use poem_openapi::{Object, types::Example};
use serde::Serialize;

use super::rows::RunRow;
use crate::{query::to_rfc3339, response::Nullable};

/// A page of runs.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct SyncRunsAnswer {
    /// What was found.
    pub data: SyncRuns,
    /// Always null: errors have their own shape.
    pub error: Nullable<bool>,
}

/// The runs of a page.
#[derive(Debug, Object, Serialize)]
pub struct SyncRuns {
    /// Newest first.
    pub sync_runs: Vec<SyncRun>,
}

/// One run.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct SyncRunAnswer {
    /// The run.
    pub data: SyncRun,
    /// Always null: errors have their own shape.
    pub error: Nullable<bool>,
}

/// One attempt to copy a catalogue. The counts are of events, and 0 until the run has ended well.
#[derive(Debug, Object, Serialize)]
pub struct SyncRun {
    /// Its number.
    pub id: i64,
    /// Whose catalogue: the provider's slug.
    pub provider: String,
    /// `queued`, `running`, `succeeded`, `unchanged` or `failed`.
    pub state: String,
    /// The tick of the schedule that it answers; null for any other attempt.
    pub tick: Nullable<String>,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Nullable<String>,
    /// Milliseconds of reading the document; null until the run has ended well.
    pub parse_ms: Nullable<i32>,
    /// Milliseconds of holding it against the copy.
    pub diff_ms: Nullable<i32>,
    /// Milliseconds of writing what differs.
    pub write_ms: Nullable<i32>,
    /// The status of the provider's answer.
    pub http_status: Nullable<i16>,
    /// Size of the document, decompressed.
    pub bytes: Nullable<i64>,
    /// That the feed held, rejected ones not counted.
    pub fetched: i32,
    /// That no copy held before.
    pub inserted: i32,
    /// That changed, or came back.
    pub updated: i32,
    /// That said what they said before.
    pub unchanged: i32,
    /// That the copy before held and this feed did not.
    pub left: i32,
    /// Items that could not be taken.
    pub rejected: i32,
    /// A stable word for why it failed.
    pub reason_code: Nullable<String>,
    /// Why it failed.
    pub reason: Nullable<String>,
}

/// A page of rejects.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct RejectsAnswer {
    /// What was found.
    pub data: Rejects,
    /// Always null: errors have their own shape.
    pub error: Nullable<bool>,
}

/// The rejects of a page.
#[derive(Debug, Object, Serialize)]
pub struct Rejects {
    /// In the order of the document.
    pub rejects: Vec<Reject>,
}

/// One item of a feed that could not be taken.
#[derive(Debug, Object, Serialize)]
pub struct Reject {
    /// Line of the document where it begins, from 1.
    pub line: i64,
    /// Column of that line, from 1, in characters.
    pub column: i64,
    /// The provider's id of the base event, if it could be read.
    pub base_event_id: Nullable<String>,
    /// The provider's id of the event, if the item is one and it could be read.
    pub event_id: Nullable<String>,
    /// What is wrong, and what would be right.
    pub reason: String,
    /// The item as it stands in the document, its first 2,000 characters.
    pub raw: String,
}

impl From<Vec<RunRow>> for SyncRunsAnswer {
    fn from(rows: Vec<RunRow>) -> Self {
        Self { data: SyncRuns { sync_runs: rows.into_iter().map(SyncRun::from).collect() }, error: Nullable(None) }
    }
}

impl From<RunRow> for SyncRunAnswer {
    fn from(row: RunRow) -> Self {
        Self { data: row.into(), error: Nullable(None) }
    }
}

impl From<RunRow> for SyncRun {
    fn from((run, provider): (sync_run::Model, provider::Model)) -> Self {
        Self {
            id: run.id,
            provider: provider.slug,
            state: run.state.name().to_owned(),
            tick: run.tick_at.map(to_rfc3339).into(),
            started_at: to_rfc3339(run.started_at),
            ended_at: run.ended_at.map(to_rfc3339).into(),
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
            reason_code: run.reason_code.into(),
            reason: run.reason.into(),
        }
    }
}

impl From<Vec<reject::Model>> for RejectsAnswer {
    fn from(rows: Vec<reject::Model>) -> Self {
        Self { data: Rejects { rejects: rows.into_iter().map(Reject::from).collect() }, error: Nullable(None) }
    }
}

impl From<reject::Model> for Reject {
    fn from(reject: reject::Model) -> Self {
        Self {
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
            provider: "fever".to_owned(),
            state: "succeeded".to_owned(),
            tick: Nullable(Some("2021-02-09T09:00:00Z".to_owned())),
            started_at: "2021-02-09T09:00:00.183Z".to_owned(),
            ended_at: Nullable(Some("2021-02-09T09:00:00.433Z".to_owned())),
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
            reason_code: Nullable(None),
            reason: Nullable(None),
        }
    }
}

impl Example for SyncRunAnswer {
    fn example() -> Self {
        Self { data: SyncRun::example(), error: Nullable(None) }
    }
}

impl Example for SyncRunsAnswer {
    fn example() -> Self {
        Self { data: SyncRuns { sync_runs: vec![SyncRun::example()] }, error: Nullable(None) }
    }
}

impl Example for RejectsAnswer {
    fn example() -> Self {
        let reject = Reject {
            line: 18,
            column: 10,
            base_event_id: Nullable(Some("444".to_owned())),
            event_id: Nullable(Some("1642".to_owned())),
            reason: "date `2021-09-31T20:00:00`: there is no such day".to_owned(),
            raw: "<event event_id=\"1642\" event_start_date=\"2021-09-31T20:00:00\"/>".to_owned(),
        };
        Self { data: Rejects { rejects: vec![reject] }, error: Nullable(None) }
    }
}
