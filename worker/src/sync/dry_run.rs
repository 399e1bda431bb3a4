//! A dry run of a pushed feed: compares it with the copy, and writes nothing.

use std::io;

use entity::{database_now, deadline, provider, pushed_feed};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};
use serde_json::{Value, json};

use super::{
    SyncError,
    changes::FeedChanges,
    compare::{self, ComparedFeed},
    diff::FeedOrigin,
    price_guard::PriceGuard,
    pushed,
    run::{require_admitted, require_same_ids},
};
use crate::{
    progress::ProgressCounter,
    provider::{
        entry::ProviderEntry,
        format::Locator,
        item::{RejectSubject, RejectedItem},
        spool::Spool,
    },
};

/// Counts what a feed would change, and returns the result as the JSON that the API responds with.
pub async fn dry_run(database: &DatabaseConnection, entry: &ProviderEntry, feed: pushed_feed::Model) -> String {
    let result = count_changes(database, entry, &feed).await;
    result.unwrap_or_else(|error| describe_failure(&error, 0, &Value::Array(Vec::new()))).to_string()
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
    let _slot = compare::acquire_slot().await?;
    let progress = ProgressCounter::none();
    let compared = compare::compare(database, entry, &provider, (document, pushed::is_delta(pushed)), &progress).await?;
    let ComparedFeed { feed, summary, comparison, refusal, churn_guard, .. } = compared;
    let rejects = describe_rejects(&summary.rejects.first, &feed.spool).map_err(SyncError::Spool)?;
    if let Some(refusal) = refusal {
        return Ok(describe_failure(&refusal, summary.rejects.count, &rejects));
    }
    let origin = FeedOrigin {
        provider_id: provider.id,
        fetched_at: deadline::within(deadline::SHORT, database, database_now(database)).await?,
        last_fetched_at: provider.last_success_at,
    };
    let mut changes = FeedChanges::new(origin, &feed, &summary, comparison, None, &progress).guard_ids(churn_guard);
    if provider.last_success_at.is_some() && provider.loading_since.is_none() {
        changes = changes.guard_prices(PriceGuard::new(entry));
    }
    loop {
        match changes.next(database).await {
            Ok(Some(_)) => (),
            Ok(None) => break,
            Err(refusal) if refusal.is_refusal() => return Ok(describe_failure(&refusal, summary.rejects.count, &rejects)),
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
        "rejects": rejects,
    }))
}

fn describe_failure(error: &SyncError, rejected: usize, rejects: &Value) -> Value {
    json!({
        "state": "failed",
        "reason_code": error.code(),
        "reason": error.to_string(),
        "rejected": rejected,
        "rejects": rejects,
    })
}

fn describe_rejects(rejects: &[RejectedItem], document: &Spool) -> io::Result<Value> {
    let mut locator = Locator::new(document);
    let rejects = rejects.iter().map(|reject| {
        let (base_event_id, event_id) = match &reject.subject {
            RejectSubject::BaseEvent(base_event) => (base_event.as_deref(), None),
            RejectSubject::Event { base_event, event } => (Some(base_event.as_str()), event.as_deref()),
        };
        let (line, column) = locator.locate(reject.span.start as u64)?;
        Ok(json!({
            "line": line, "column": column, "base_event_id": base_event_id, "event_id": event_id, "reason": reject.reason,
        }))
    });
    Ok(Value::Array(rejects.collect::<io::Result<Vec<Value>>>()?))
}
