//! Pushed feeds: decoding, order and completion.

use entity::{database_now, pushed_feed, pushed_feed::Mode};
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

/// Decodes the document of a pushed feed.
pub(super) async fn decode(entry: &ProviderEntry, feed: &pushed_feed::Model) -> Result<FetchedDocument, SyncError> {
    let body = feed.body.clone().unwrap_or_default();
    let spool = fetch::decode_body(&feed.coding, body, entry.max_body_bytes).await.map_err(SyncError::Fetch)?;
    let validators = Validators::default();
    Ok(FetchedDocument { spool: spool.into(), http_status: None, validators, fresh_for: None, pages: None })
}

/// Rejects a feed if one that was accepted later has been applied, because the copy is newer. This happens only when an operator retries
/// a dead job.
pub(super) async fn check_order(database: &DatabaseConnection, feed: &pushed_feed::Model) -> Result<(), SyncError> {
    let later = pushed_feed::Entity::find()
        .filter(pushed_feed::COLUMN.provider_id.eq(feed.provider_id))
        .filter(pushed_feed::COLUMN.id.gt(feed.id))
        .filter(pushed_feed::Column::SettledAt.is_not_null())
        .filter(pushed_feed::Column::SyncRunId.is_not_null());
    if later.one(database).await?.is_some() { Err(SyncError::Overtaken) } else { Ok(()) }
}

/// Whether base events that the feed does not contain are unchanged.
pub(super) fn is_delta(feed: &pushed_feed::Model) -> bool {
    feed.mode == Mode::Delta
}

/// Marks a feed as completed and drops its body; its idempotency key is retained.
pub(crate) async fn complete(transaction: &impl ConnectionTrait, id: i64, result: Option<String>) -> Result<(), DbErr> {
    let completed = pushed_feed::ActiveModel {
        id: Unchanged(id),
        body: Set(None),
        settled_at: Set(Some(database_now(transaction).await?)),
        outcome: Set(result),
        ..Default::default()
    };
    completed.update(transaction).await?;
    Ok(())
}
