//! Documents that were pushed: how they are read, in which order they may be applied, and when they are done with.

use entity::{UtcInstant, pushed_feed, pushed_feed::Mode};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter,
};

use super::SyncError;
use crate::provider::{
    entry::ProviderEntry,
    fetch::{self, FetchedDocument, Validators},
};

/// The document of a push.
pub(super) async fn document(entry: &ProviderEntry, pushed: &pushed_feed::Model) -> Result<FetchedDocument, SyncError> {
    let body = pushed.body.clone().unwrap_or_default();
    let spool = fetch::decode_body(&pushed.coding, body, entry.max_body_bytes).await.map_err(SyncError::Fetch)?;
    Ok(FetchedDocument { spool: spool.into(), http_status: None, validators: Validators::default(), fresh_for: None })
}

/// Refuses a document that comes after one that was accepted later: what it says is older than the copy. Only an operator who revives a
/// job that was given up can bring that about.
pub(super) async fn check_order(database: &DatabaseConnection, pushed: &pushed_feed::Model) -> Result<(), SyncError> {
    let later = pushed_feed::Entity::find()
        .filter(pushed_feed::COLUMN.provider_id.eq(pushed.provider_id))
        .filter(pushed_feed::COLUMN.id.gt(pushed.id))
        .filter(pushed_feed::Column::SettledAt.is_not_null())
        .filter(pushed_feed::Column::SyncRunId.is_not_null());
    if later.one(database).await?.is_some() { Err(SyncError::Overtaken) } else { Ok(()) }
}

/// Whether base events that the document does not hold stay as they are.
pub(super) fn is_delta(pushed: &pushed_feed::Model) -> bool {
    pushed.mode == Mode::Delta
}

/// Notes that a document is done with: it is not kept, only its key is.
///
/// # Errors
///
/// When the database is away.
pub(crate) async fn complete(transaction: &impl ConnectionTrait, id: i64, outcome: Option<String>) -> Result<(), DbErr> {
    let settled = pushed_feed::ActiveModel {
        id: Unchanged(id),
        body: Set(None),
        settled_at: Set(Some(UtcInstant::now())),
        outcome: Set(outcome),
        ..Default::default()
    };
    settled.update(transaction).await?;
    Ok(())
}
