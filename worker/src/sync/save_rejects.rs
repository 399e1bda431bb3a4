//! Stores the rejected items of a run, and its warnings.

use std::io;

use entity::{
    chunks,
    reject::{self, Severity},
    sync_run,
    takedown::REMOVED_TEXT,
};
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use super::{
    SyncError,
    summary::{FeedSummary, SpooledFeed},
    tombstones::Tombstones,
};
use crate::provider::{
    format::Locator,
    item::{FeedWarning, RejectSubject, RejectedItem},
    spool::Spool,
};

/// How much of a reject's raw text is stored: enough to recognize the item.
const MAX_RAW_CHARACTERS: usize = 2_000;

/// Stores the rejected items of a run with their position and raw text, and then its warnings.
pub(super) async fn save_rejects(
    database: &impl ConnectionTrait,
    run: &sync_run::Model,
    summary: &FeedSummary,
    feed: &SpooledFeed,
) -> Result<(), SyncError> {
    if summary.rejects.first.is_empty() && summary.warnings.listed.is_empty() {
        return Ok(());
    }
    let tombstones = Tombstones::fetch(database, run.provider_id).await?;
    let document = &feed.spool;
    let mut locator = Locator::new(document);
    let mut rows = Vec::with_capacity(summary.rejects.first.len() + summary.warnings.listed.len());
    for reject in &summary.rejects.first {
        rows.push(build_reject_row(reject, &mut locator, document).map_err(SyncError::Spool)?);
    }
    for warning in &summary.warnings.listed {
        rows.push(build_warning_row(warning, &mut locator).map_err(SyncError::Spool)?);
    }
    let subjects = summary.rejects.first.iter().map(|reject| Some(&reject.subject));
    let subjects = subjects.chain(summary.warnings.listed.iter().map(|warning| warning.subject.as_ref()));
    for ((row, subject), position) in rows.iter_mut().zip(subjects).zip(0..) {
        (row.sync_run_id, row.position) = (run.id, position);
        // A warning about the document may quote any item.
        if tombstones.may_be_quoted_by(subject.unwrap_or(&RejectSubject::BaseEvent(None)), &feed.ids) {
            (row.raw, row.reason) = (String::new(), REMOVED_TEXT.to_owned());
        }
    }
    for chunk in chunks(rows) {
        let chunk = chunk.into_iter().map(IntoActiveModel::into_active_model);
        reject::Entity::insert_many(chunk).exec_without_returning(database).await?;
    }
    Ok(())
}

/// The row of a rejected item, without its place in the run.
fn build_reject_row(reject: &RejectedItem, locator: &mut Locator<'_>, document: &Spool) -> io::Result<reject::Model> {
    let start = reject.span.start as u64;
    // A character has at most four bytes.
    let raw = document.read(start..start + reject.span.len().min(4 * MAX_RAW_CHARACTERS) as u64)?;
    let raw = String::from_utf8_lossy(&raw).chars().take(MAX_RAW_CHARACTERS).collect();
    build_row((start, Some(&reject.subject)), (Severity::Error, &reject.reason, raw), locator)
}

/// The row of a warning, of which the reason has the value.
fn build_warning_row(warning: &FeedWarning, locator: &mut Locator<'_>) -> io::Result<reject::Model> {
    let place = (warning.position as u64, warning.subject.as_ref());
    build_row(place, (Severity::Warning, &warning.reason, String::new()), locator)
}

fn build_row(
    (start, subject): (u64, Option<&RejectSubject>),
    (severity, reason, raw): (Severity, &str, String),
    locator: &mut Locator<'_>,
) -> io::Result<reject::Model> {
    let (base_event, event) = subject.map(RejectSubject::ids).unwrap_or_default();
    let (line, column) = locator.locate(start)?;
    let reason = locator.describe(reason, start).into_owned();
    Ok(reject::Model {
        sync_run_id: 0,
        position: 0,
        line: i64::try_from(line).unwrap_or(i64::MAX),
        column: i64::try_from(column).unwrap_or(i64::MAX),
        base_event_source_id: base_event.map(str::to_owned),
        event_source_id: event.map(str::to_owned),
        reason,
        raw,
        severity,
    })
}
