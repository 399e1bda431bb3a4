//! `webhook`: endpoints to which changes are delivered. An endpoint is a position in the log of changes, with at most one frozen batch
//! that is being delivered ([ADR 60](../../../docs/adr/0060-webhooks.md)).
//!
//! Both programs write rows. Each write compares and increments [`revision`](Model::revision), so that none is lost.

mod attempt;
mod batch;
mod cleanup;
mod head;
mod secret;

use std::{collections::BTreeSet, sync::Arc};

use sea_orm::{
    ActiveValue::{self, Set},
    ConnectionTrait, DbErr, Iterable, QueryOrder, QuerySelect, QueryTrait,
    entity::prelude::*,
    sea_query::{Query, UpdateStatement},
};
use serde::{Deserialize, Serialize};

pub use self::{
    attempt::{AttemptOutcome, DeliveryAttempt, MAX_ATTEMPTS, MessageKind, add_attempt, parse_attempts},
    batch::{Batch, FrozenBatch, forget_event, forget_provider, remove_content},
    cleanup::{BATCH_RETENTION, delete_expired},
    head::{WebhookHead, advance, disable_expired, list_active, list_selections},
    secret::WebhookSecret,
};
use crate::{
    UtcInstant, catalogue_version,
    change::ChangeKind,
    change_log::{ChangeCursor, ChangesQuery, cursor_after},
    state_filter::StateFilter,
};

/// Whether changes are delivered to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum WebhookState {
    /// They are.
    #[sea_orm(string_value = "active")]
    Active,
    /// They are not, until it is enabled again.
    #[sea_orm(string_value = "disabled")]
    Disabled,
}

/// Why an endpoint is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum DisabledReason {
    /// All attempts of three days failed.
    #[sea_orm(string_value = "failing")]
    Failing,
    /// The receiver responded with 410.
    #[sea_orm(string_value = "gone")]
    Gone,
    /// The log no longer contains all changes after its position.
    #[sea_orm(string_value = "cursor_expired")]
    CursorExpired,
}

impl DisabledReason {
    /// The name in tables, JSON and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Gone => "gone",
            Self::CursorExpired => "cursor_expired",
        }
    }
}

/// An endpoint.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The name of the API key that created it.
    pub owner: String,
    /// Where changes are sent.
    pub url: String,
    /// Which changes, as a query string of `/changes`.
    pub query: String,
    /// The same as [`WebhookSelection`].
    pub selection: String,
    /// What signs the messages.
    pub secret: WebhookSecret,
    /// The secret before it, which signs them, too, for some time.
    pub previous_secret: Option<WebhookSecret>,
    /// Until when.
    pub previous_secret_until: Option<UtcInstant>,
    /// Whether changes are delivered.
    pub state: WebhookState,
    /// Why not.
    pub disabled_reason: Option<DisabledReason>,
    /// Since when not.
    pub disabled_at: Option<UtcInstant>,
    /// When it was created.
    pub created_at: UtcInstant,
    /// Version of the position after the last change that was delivered or not selected.
    pub version: i64,
    /// Ordinal of that position.
    pub ordinal: i32,
    /// When the release of that position was made.
    pub at: UtcInstant,
    /// The `webhook-id` of the batch that is being delivered.
    pub batch_id: Option<String>,
    /// Version of the position after the batch.
    pub batch_version: Option<i64>,
    /// Ordinal of that position.
    pub batch_ordinal: Option<i32>,
    /// When the release of that position was made.
    pub batch_at: Option<UtcInstant>,
    /// How many changes the batch has.
    pub batch_changes: Option<i32>,
    /// When the batch was frozen.
    pub frozen_at: Option<UtcInstant>,
    /// Failed attempts since the last successful one.
    pub failures: i32,
    /// How long they have been failing, in microseconds. It is a sum of pauses, so that a step of the clock does not count.
    pub failing_micros: i64,
    /// When the last attempt to deliver a batch ended.
    pub attempted_at: Option<UtcInstant>,
    /// When the next one is due, after a failed one.
    pub next_attempt_at: Option<UtcInstant>,
    /// When a batch was last delivered.
    pub delivered_at: Option<UtcInstant>,
    /// The last attempts as JSON.
    pub attempts: String,
    /// Incremented with each write.
    pub revision: i64,
    /// The body of the batch. The last column, because SQLite reads the ones before it without it.
    pub batch: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

/// Which changes an endpoint receives, as far as a query string of `/changes` states it. Regions and ids are looked up when the endpoint
/// is created.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSelection {
    /// The kinds; empty for all.
    pub kinds: BTreeSet<ChangeKind>,
    /// The slugs of providers; empty for all.
    pub providers: BTreeSet<String>,
    /// The states of events; `None` for all.
    pub states: Option<StateFilter>,
}

impl WebhookSelection {
    /// The changes of the log after a position.
    #[must_use]
    pub fn into_query(self, after: ChangeCursor, limit: u64) -> ChangesQuery {
        let Self { kinds, providers, states } = self;
        let states = states.map(Arc::new);
        ChangesQuery { kinds, providers, has_states: states.is_some(), states, ..ChangesQuery::all(Some(after), limit) }
    }
}

impl Model {
    /// The position after the last change that was delivered or not selected.
    #[must_use]
    pub fn position(&self) -> ChangeCursor {
        cursor_after(self.version, self.ordinal, self.at)
    }

    /// Whether an attempt may begin.
    #[must_use]
    pub fn is_due(&self, now: UtcInstant) -> bool {
        is_due(self.next_attempt_at, self.attempted_at, now)
    }

    /// Changes it to what [`update`] has written.
    pub fn apply(&mut self, columns: &ActiveModel) {
        for column in Column::iter() {
            if let ActiveValue::Set(value) = columns.get(column) {
                self.set(column, value);
            }
        }
        self.revision += 1;
    }

    /// The secrets that sign messages now.
    pub fn secrets(&self, now: UtcInstant) -> impl Iterator<Item = &WebhookSecret> {
        let is_valid = self.previous_secret_until.is_some_and(|until| now < until);
        [&self.secret].into_iter().chain(self.previous_secret.iter().filter(move |_| is_valid))
    }
}

/// If the clock was set back, an attempt would wait until it has caught up.
fn is_due(next_attempt_at: Option<UtcInstant>, attempted_at: Option<UtcInstant>, now: UtcInstant) -> bool {
    next_attempt_at.is_none_or(|next| next <= now) || attempted_at.is_some_and(|at| at.is_from_future(now))
}

impl ActiveModel {
    /// Moves the position, and ends the delivery of a batch.
    #[must_use]
    pub fn at_position(position: ChangeCursor) -> Self {
        let position = position.sort_key;
        Self {
            version: Set(position.version),
            ordinal: Set(position.ordinal),
            at: Set(UtcInstant(position.at)),
            ..Self::without_batch()
        }
    }

    fn without_batch() -> Self {
        Self {
            batch_id: Set(None),
            batch_version: Set(None),
            batch_ordinal: Set(None),
            batch_at: Set(None),
            batch_changes: Set(None),
            frozen_at: Set(None),
            batch: Set(None),
            ..Default::default()
        }
    }

    /// Forgets failures, so that an attempt is due now.
    #[must_use]
    pub fn without_failures(self) -> Self {
        Self { failures: Set(0), failing_micros: Set(0), attempted_at: Set(None), next_attempt_at: Set(None), ..self }
    }

    /// Delivers changes again.
    #[must_use]
    pub fn enabled(self) -> Self {
        Self { state: Set(WebhookState::Active), disabled_reason: Set(None), disabled_at: Set(None), ..self }.without_failures()
    }

    /// Delivers no more changes.
    #[must_use]
    pub fn disabled(self, reason: DisabledReason, now: UtcInstant) -> Self {
        let state = Set(WebhookState::Disabled);
        Self { state, disabled_reason: Set(Some(reason)), disabled_at: Set(Some(now)), next_attempt_at: Set(None), ..self }
    }
}

/// Writes columns of an endpoint if nothing has changed it since it was read; returns whether that is so.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn update(database: &impl ConnectionTrait, of: (Uuid, i64), columns: ActiveModel) -> Result<bool, DbErr> {
    Ok(database.execute(&update_statement(of, columns)).await?.rows_affected() == 1)
}

/// The same; returns the version of the catalogue if the columns were written.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn update_at_version(
    database: &impl ConnectionTrait,
    of: (Uuid, i64),
    columns: ActiveModel,
) -> Result<Option<i64>, DbErr> {
    let version = catalogue_version::Entity::find_by_id(catalogue_version::ONLY_ROW)
        .select_only()
        .column(catalogue_version::Column::Version)
        .into_query();
    let mut update = update_statement(of, columns);
    update.returning(Query::returning().expr(version));
    // To the end, which is where SQLite commits and reports a full disk.
    database.query_all(&update).await?.first().map(|row| row.try_get_by_index(0)).transpose()
}

fn update_statement((id, revision): (Uuid, i64), columns: ActiveModel) -> UpdateStatement {
    Entity::update_many()
        .set(ActiveModel { revision: Set(revision + 1), ..columns })
        .filter(COLUMN.id.eq(id))
        .filter(COLUMN.revision.eq(revision))
        .into_query()
}

/// Selects endpoints, the oldest first, without the bodies of their batches.
#[must_use]
pub fn select_without_batch() -> Select<Entity> {
    Entity::find()
        .select_only()
        .columns(Column::iter().filter(|column| !matches!(column, Column::Batch)))
        .expr_as(Expr::cust("CAST(NULL AS TEXT)"), "batch")
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
}

/// How many endpoints are active without failures, active with failures, and disabled, and since when the oldest batch of the first two
/// is being delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookCounts {
    /// Active endpoints without failures, and the oldest batch.
    pub healthy: (u64, Option<UtcInstant>),
    /// Active endpoints with failures, and the oldest batch.
    pub failing: (u64, Option<UtcInstant>),
    /// Disabled endpoints.
    pub disabled: u64,
}

/// Counts the endpoints.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn count(database: &impl ConnectionTrait) -> Result<WebhookCounts, DbErr> {
    let rows: Vec<(WebhookState, i32, Option<UtcInstant>)> = Entity::find()
        .select_only()
        .columns([Column::State, Column::Failures, Column::FrozenAt])
        .order_by_asc(Column::Id)
        .into_tuple()
        .all(database)
        .await?;
    let mut counts = WebhookCounts::default();
    for (state, failures, frozen_at) in rows {
        let (count, oldest) = match state {
            WebhookState::Disabled => {
                counts.disabled += 1;
                continue;
            }
            WebhookState::Active if failures == 0 => &mut counts.healthy,
            WebhookState::Active => &mut counts.failing,
        };
        *count += 1;
        *oldest = [*oldest, frozen_at].into_iter().flatten().min();
    }
    Ok(counts)
}
