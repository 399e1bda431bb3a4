//! What a pushed document would change, found by applying it in a transaction that is rolled back.

use std::io;

use entity::{UtcInstant, begin_write, provider, pushed_feed};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};
use serde_json::{Value, json};

use super::{Compared, SyncError, TURNS, compared, diff::Origin, pushed, write};
use crate::{
    progress::Progress,
    provider::{
        entry::ProviderEntry,
        format::Locator,
        item::{Reject, RejectSubject},
        spool::Spool,
    },
};

/// Applies a feed without committing, and returns the result in the JSON of the API.
pub async fn dry_run(database: &DatabaseConnection, entry: &ProviderEntry, document: pushed_feed::Model) -> String {
    let found = apply(database, entry, &document).await;
    found.unwrap_or_else(|error| told(&error, 0, &Value::Array(Vec::new()))).to_string()
}

async fn apply(database: &DatabaseConnection, entry: &ProviderEntry, push: &pushed_feed::Model) -> Result<Value, SyncError> {
    let provider = provider::Entity::find_by_id(push.provider_id).one(database).await?;
    let provider = provider.ok_or_else(|| DbErr::RecordNotFound(format!("provider {}", push.provider_id)))?;
    if provider.currency != entry.currency.code() {
        return Err(SyncError::CurrencyChanged { copied_in: provider.currency });
    }
    let document = pushed::document(entry, push).await?;
    let _turn = TURNS.acquire().await.map_err(SyncError::Turn)?;
    let progress = Progress::none();
    let compared = compared(database, entry, &provider, (document, pushed::is_delta(push)), &progress).await?;
    let Compared { document, survey, comparison, refusal, .. } = compared;
    let rejects = rejects(&survey.rejects.kept, &document.spool).map_err(SyncError::Spool)?;
    if let Some(refusal) = refusal {
        return Ok(told(&refusal, survey.rejects.count, &rejects));
    }
    let transaction = begin_write(database).await?;
    let origin = Origin {
        provider_id: provider.id,
        slug: &entry.slug,
        taken_at: UtcInstant::now(),
        last_taken_at: provider.last_success_at,
    };
    let counts = write::apply(&transaction, origin, &document, &survey, comparison, &progress).await?;
    transaction.rollback().await?;
    let is_news = counts.inserted + counts.updated + counts.left > 0;
    Ok(json!({
        "state": if is_news { "succeeded" } else { "unchanged" },
        "fetched": counts.fetched,
        "inserted": counts.inserted,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "left": counts.left,
        "rejected": counts.rejected,
        "rejects": rejects,
    }))
}

/// A document that would be refused.
fn told(refusal: &SyncError, rejected: usize, rejects: &Value) -> Value {
    json!({
        "state": "failed",
        "reason_code": refusal.code(),
        "reason": refusal.to_string(),
        "rejected": rejected,
        "rejects": rejects,
    })
}

fn rejects(rejects: &[Reject], document: &Spool) -> io::Result<Value> {
    let mut locator = Locator::new(document);
    let told = rejects.iter().map(|reject| {
        let (base_event_id, event_id) = match &reject.subject {
            RejectSubject::BaseEvent(base_event) => (base_event.as_deref(), None),
            RejectSubject::Event { base_event, event } => (Some(base_event.as_str()), event.as_deref()),
        };
        let (line, column) = locator.locate(reject.span.start as u64)?;
        Ok(json!({
            "line": line, "column": column, "base_event_id": base_event_id, "event_id": event_id, "reason": reject.reason,
        }))
    });
    Ok(Value::Array(told.collect::<io::Result<Vec<Value>>>()?))
}
