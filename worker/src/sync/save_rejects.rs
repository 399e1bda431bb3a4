//! Stores the rejected items of a run.

use std::io;

use entity::{chunks, reject, sync_run, takedown::REMOVED_TEXT};
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use super::{SyncError, summary::SpooledFeed, tombstones::Tombstones};
use crate::provider::{
    format::Locator,
    item::{RejectSubject, RejectedItem},
    spool::Spool,
};

/// How much of a reject's raw text is stored: enough to recognize the item.
const MAX_RAW_CHARACTERS: usize = 2_000;

/// Stores the rejected items of a run with their position and raw text.
pub(super) async fn save_rejects(
    database: &impl ConnectionTrait,
    run: &sync_run::Model,
    rejects: &[RejectedItem],
    feed: &SpooledFeed,
) -> Result<(), SyncError> {
    let tombstones = Tombstones::fetch(database, run.provider_id, &feed.slug).await?;
    let document = &feed.spool;
    let mut locator = Locator::new(document);
    let build_row = |(position, reject): (i32, &RejectedItem)| {
        let row = build_row(run.id, position, reject, &mut locator, document)?;
        let is_removed = tombstones.may_be_quoted_by(&reject.subject);
        let redacted = || reject::Model { raw: String::new(), reason: REMOVED_TEXT.to_owned(), ..row.clone() };
        Ok(if is_removed { redacted() } else { row })
    };
    let rows: Result<Vec<reject::Model>, io::Error> = (0..).zip(rejects).map(build_row).collect();
    for chunk in chunks(rows.map_err(SyncError::Spool)?) {
        let chunk = chunk.into_iter().map(IntoActiveModel::into_active_model);
        reject::Entity::insert_many(chunk).exec_without_returning(database).await?;
    }
    Ok(())
}

fn build_row(
    sync_run_id: i64,
    position: i32,
    reject: &RejectedItem,
    locator: &mut Locator<'_>,
    document: &Spool,
) -> io::Result<reject::Model> {
    let (base_event_source_id, event_source_id) = match reject.subject.clone() {
        RejectSubject::BaseEvent(base_event) => (base_event, None),
        RejectSubject::Event { base_event, event } => (Some(base_event), event),
    };
    let start = reject.span.start as u64;
    let (line, column) = locator.locate(start)?;
    // A character has at most four bytes.
    let raw = document.read(start..start + reject.span.len().min(4 * MAX_RAW_CHARACTERS) as u64)?;
    Ok(reject::Model {
        sync_run_id,
        position,
        line: i64::try_from(line).unwrap_or(i64::MAX),
        column: i64::try_from(column).unwrap_or(i64::MAX),
        base_event_source_id,
        event_source_id,
        reason: reject.reason.clone(),
        raw: String::from_utf8_lossy(&raw).chars().take(MAX_RAW_CHARACTERS).collect(),
    })
}
