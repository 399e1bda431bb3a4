//! A dry run of a pushed feed: compares it with the copy, and writes nothing.

use std::io;

use entity::{database_now, deadline, provider, pushed_feed, takedown::REMOVED_TEXT};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};
use serde_json::{Value, json};

use super::{
    SyncError,
    changes::FeedChanges,
    compare::{self, ComparedFeed},
    diff::FeedOrigin,
    dry_run_changes::FirstChanges,
    price_guard::PriceGuard,
    pushed,
    run::{require_admitted, require_same_ids},
    summary::{FeedSummary, SpooledFeed},
    tombstones::Tombstones,
};
use crate::{
    progress::ProgressCounter,
    provider::{
        entry::ProviderEntry,
        format::{Locator, ReadMonth},
        item::RejectSubject,
    },
};

/// Counts what a feed would change, and returns the result as the JSON that the API responds with.
pub async fn dry_run(database: &DatabaseConnection, entry: &ProviderEntry, feed: pushed_feed::Model) -> String {
    let result = count_changes(database, entry, &feed).await;
    result.unwrap_or_else(|error| describe_failure(&error, &ItemReports::default())).to_string()
}

async fn count_changes(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    pushed: &pushed_feed::Model,
) -> Result<Value, SyncError> {
    let finding = provider::Entity::find_by_id(pushed.provider_id).one(database);
    let provider = deadline::within(deadline::BULK, database, finding).await?;
    let provider = provider.ok_or_else(|| DbErr::RecordNotFound(format!("provider {}", pushed.provider_id)))?;
    require_admitted(&provider)?;
    if provider.currency != entry.currency.code() {
        return Err(SyncError::CurrencyChanged { copied_in: provider.currency });
    }
    deadline::within(deadline::BULK, database, require_same_ids(database, entry, &provider)).await?;
    let document = pushed::decode(entry, pushed).await?;
    if provider.reverted_body_hash == Some(document.spool.hash()) {
        return Err(SyncError::RevertedDocument);
    }
    let _slot = compare::acquire_slot().await?;
    let progress = ProgressCounter::none();
    let now = deadline::within(deadline::SHORT, database, database_now(database)).await?;
    let compared =
        compare::compare(database, entry, &provider, (document, pushed::is_delta(pushed), false, ReadMonth::of(now)), &progress)
            .await?;
    let ComparedFeed { feed, summary, comparison, refusal, churn_guard, .. } = compared;
    let tombstones = deadline::within(deadline::BULK, database, Tombstones::fetch(database, provider.id)).await?;
    let reports = ItemReports::new(&summary, &feed, &tombstones).map_err(SyncError::Spool)?;
    if let Some(refusal) = refusal {
        return Ok(describe_failure(&refusal, &reports));
    }
    let origin = FeedOrigin { provider_id: provider.id, fetched_at: now, last_fetched_at: provider.last_success_at };
    let mut changes = FeedChanges::new(origin, &feed, &summary, comparison, None, &progress).guard_ids(churn_guard);
    if provider.last_success_at.is_some() && provider.loading_since.is_none() {
        changes = changes.guard_prices(PriceGuard::new(entry));
    }
    let mut first = FirstChanges::default();
    loop {
        match changes.next(database).await {
            Ok(Some(batch)) => first.add(&batch),
            Ok(None) => break,
            Err(refusal) if refusal.is_refusal() => return Ok(describe_failure(&refusal, &reports)),
            Err(error) => return Err(error),
        }
    }
    let counts = changes.counts();
    Ok(json!({
        "state": counts.state().name(),
        "fetched": counts.fetched,
        "inserted": counts.inserted,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "left": counts.left,
        "rejected": counts.rejected,
        "warned": counts.warned,
        "rejects": reports.rejects,
        "warnings": reports.warnings,
        "changes": first.describe(database).await?,
    }))
}

/// The rejected items and the warnings of a document, as JSON.
#[derive(Default)]
struct ItemReports {
    rejected: usize,
    warned: usize,
    rejects: Vec<Value>,
    warnings: Vec<Value>,
}

impl ItemReports {
    /// Describes the first of them. The report is stored, so it does not quote what was removed for legal reasons.
    fn new(summary: &FeedSummary, feed: &SpooledFeed, tombstones: &Tombstones) -> io::Result<Self> {
        let mut locator = Locator::new(&feed.spool);
        let mut describe = |start: usize, subject: Option<&RejectSubject>, reason: &str| {
            let (base_event_id, event_id) = subject.map(RejectSubject::ids).unwrap_or_default();
            let (line, column) = locator.locate(start as u64)?;
            // A warning about the document may quote any item.
            let is_removed = tombstones.may_be_quoted_by(subject.unwrap_or(&RejectSubject::BaseEvent(None)), &feed.ids);
            let reason = if is_removed { REMOVED_TEXT.into() } else { locator.describe(reason, start as u64) };
            Ok(json!({
                "line": line, "column": column, "base_event_id": base_event_id, "event_id": event_id, "reason": reason,
            }))
        };
        let (rejects, warnings) = (&summary.rejects, &summary.warnings);
        Ok(Self {
            rejected: rejects.count,
            warned: warnings.count,
            rejects: rejects
                .first
                .iter()
                .map(|reject| describe(reject.span.start, Some(&reject.subject), &reject.reason))
                .collect::<io::Result<_>>()?,
            warnings: warnings
                .listed
                .iter()
                .map(|warning| describe(warning.position, warning.subject.as_ref(), &warning.reason))
                .collect::<io::Result<_>>()?,
        })
    }
}

fn describe_failure(error: &SyncError, reports: &ItemReports) -> Value {
    let quotes_first_reject = matches!(error, SyncError::TooManyRejects { .. } | SyncError::AllRejected { .. });
    let is_removed = quotes_first_reject && reports.rejects.first().is_some_and(|first| first["reason"] == REMOVED_TEXT);
    json!({
        "state": "failed",
        "reason_code": error.code(),
        "reason": if is_removed { REMOVED_TEXT.to_owned() } else { error.to_string() },
        "rejected": reports.rejected,
        "warned": reports.warned,
        "rejects": reports.rejects,
        "warnings": reports.warnings,
    })
}
