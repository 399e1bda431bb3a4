//! What the workers that dispatch read and write: positions of many endpoints together.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbErr, ExprTrait, QuerySelect, entity::prelude::*};

use super::{ActiveModel, COLUMN, Column, DisabledReason, Entity, WebhookState, is_due};
use crate::{
    UtcInstant,
    change_log::{ChangeCursor, ChangePosition, cursor_after},
};

/// An endpoint without its secrets and its batch, for the workers that dispatch.
#[derive(Clone, Debug, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct WebhookHead {
    /// [`Model::id`](super::Model::id).
    pub id: Uuid,
    /// [`Model::version`](super::Model::version).
    pub version: i64,
    /// [`Model::ordinal`](super::Model::ordinal).
    pub ordinal: i32,
    /// [`Model::at`](super::Model::at).
    pub at: UtcInstant,
    /// [`Model::batch_id`](super::Model::batch_id).
    pub batch_id: Option<String>,
    /// [`Model::batch_version`](super::Model::batch_version).
    pub batch_version: Option<i64>,
    /// [`Model::batch_ordinal`](super::Model::batch_ordinal).
    pub batch_ordinal: Option<i32>,
    /// [`Model::batch_at`](super::Model::batch_at).
    pub batch_at: Option<UtcInstant>,
    /// [`Model::attempted_at`](super::Model::attempted_at).
    pub attempted_at: Option<UtcInstant>,
    /// [`Model::next_attempt_at`](super::Model::next_attempt_at).
    pub next_attempt_at: Option<UtcInstant>,
    /// [`Model::revision`](super::Model::revision).
    pub revision: i64,
}

impl WebhookHead {
    /// The position after the last change that was delivered or not selected.
    #[must_use]
    pub fn position(&self) -> ChangeCursor {
        cursor_after(self.version, self.ordinal, self.at)
    }

    /// Up to where the receiver may have got changes.
    #[must_use]
    pub fn reached(&self) -> ChangePosition {
        let batch = self.batch_version.zip(self.batch_ordinal).zip(self.batch_at);
        batch.map_or_else(|| self.position(), |((version, ordinal), at)| cursor_after(version, ordinal, at)).sort_key
    }

    /// Whether an attempt may begin.
    #[must_use]
    pub fn is_due(&self, now: UtcInstant) -> bool {
        is_due(self.next_attempt_at, self.attempted_at, now)
    }
}

/// The active endpoints.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn list_active(database: &impl ConnectionTrait) -> Result<Vec<WebhookHead>, DbErr> {
    Entity::find().filter(COLUMN.state.eq(WebhookState::Active)).into_partial_model().all(database).await
}

/// The [filters](super::Model::selection) of endpoints by their ids.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn list_selections(database: &impl ConnectionTrait, ids: Vec<Uuid>) -> Result<HashMap<Uuid, String>, DbErr> {
    let selections = Entity::find().select_only().columns([Column::Id, Column::Selection]);
    let rows: Vec<(Uuid, String)> = selections.filter(COLUMN.id.is_in(ids)).into_tuple().all(database).await?;
    Ok(rows.into_iter().collect())
}

/// Moves endpoints from one position to a later one, between which they select nothing. Those that have moved already, or deliver a
/// batch, are skipped.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn advance(database: &impl ConnectionTrait, ids: Vec<Uuid>, from: ChangeCursor, to: ChangeCursor) -> Result<(), DbErr> {
    for ids in crate::chunks(ids) {
        Entity::update_many()
            .set(ActiveModel::at_position(to))
            .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
            .filter(COLUMN.id.is_in(ids))
            .filter(COLUMN.state.eq(WebhookState::Active))
            .filter(Column::BatchId.is_null())
            .filter(COLUMN.version.eq(from.sort_key.version))
            .filter(COLUMN.ordinal.eq(from.sort_key.ordinal))
            .exec(database)
            .await?;
    }
    Ok(())
}

/// Disables active endpoints, because the log does not have all changes after their positions.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn disable_expired(database: &impl ConnectionTrait, ids: &[Uuid], now: UtcInstant) -> Result<(), DbErr> {
    // One after another, because a statement that locks many rows could wait for a takedown that waits for it.
    for id in ids {
        Entity::update_many()
            .set(<ActiveModel as Default>::default().disabled(DisabledReason::CursorExpired, now))
            .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
            .filter(COLUMN.id.eq(*id))
            .filter(COLUMN.state.eq(WebhookState::Active))
            .exec(database)
            .await?;
    }
    Ok(())
}
