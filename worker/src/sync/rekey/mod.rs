//! `marquee-worker rekey`: preserves the ids of a copy when they are read from another property.
//!
//! A document is read with the keys of the copy and with those of the entry. The items at the same position are the same: their rows get
//! the new keys, and the ids that the new keys compute become aliases. All of it is one transaction, together with the new `id_from`.

mod plan;
mod readings;

use std::collections::HashSet;

use entity::{
    alias, base_event, begin_write, daily_total, database_now, deadline, event,
    footprint::{Footprint, Scope},
    job::{self, Claim},
    key_chunks, listing, performer, provider,
    release::{self, Cause},
    tombstone, undo, venue,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr,
    EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait,
};
use uuid::Uuid;

use self::{
    plan::{CopiedRows, RekeyPlan, plan},
    readings::Readings,
};
use super::{
    FeedSource, SyncError,
    changes::fetch_copied,
    compare::{self, build_conventions},
    identity::ItemIds,
    insert::{SameKey, execute, insert_statements},
    register,
    run::require_admitted,
};
use crate::{
    progress::ProgressCounter,
    provider::{
        entry::ProviderEntry,
        fetch::{FetchOutcome, Validators},
        format::{Conventions, ReadMonth},
        id_from::{self, IdFrom},
        pages::NoPages,
    },
    release_metrics,
};

/// Why the keys were not replaced. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RekeyError {
    /// There is no copy.
    #[error("provider {0} was never synced; its first sync reads ids from its `id_from`")]
    UnknownProvider(String),
    /// The document cannot be read with the keys of the copy.
    #[error(
        "the ids of the copy were read from {copied_from}, which the format {format} does not have; restore the previous `format` in the \
         providers file first"
    )]
    OtherFormat {
        /// From where the ids of the copy were read.
        copied_from: String,
        /// The format of the entry.
        format: &'static str,
    },
    /// The document cannot be fetched or read, or the database is unavailable.
    #[error(transparent)]
    Sync(#[from] SyncError),
}

impl From<DbErr> for RekeyError {
    fn from(error: DbErr) -> Self {
        Self::Sync(error.into())
    }
}

/// What a command has replaced.
#[derive(Debug, PartialEq, Eq)]
pub struct RekeyReport {
    /// From where the ids were read before, for a message.
    pub copied_from: String,
    /// From where they are read now.
    pub configured: String,
    /// Events with a new key and their id. Of the other kinds, only those with other keys are counted.
    pub events: usize,
    /// Base events with a new key.
    pub base_events: usize,
    /// Performers with a new key.
    pub performers: usize,
    /// Venues with a new key.
    pub venues: usize,
    /// Events that were not matched, because their new keys are not unique, each with its keys.
    pub ambiguous: Vec<String>,
    /// Listed events that are not in the document, or have no new key.
    pub unmatched: usize,
}

/// Replaces the keys of a copy with those of its entry; `None` if they are the same. Without a lease nothing is changed.
///
/// # Errors
///
/// When the document cannot be read in both ways, or the database is unavailable.
pub async fn rekey(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    source: &FeedSource,
    lease: Option<&Claim>,
    progress: &ProgressCounter,
) -> Result<Option<RekeyReport>, RekeyError> {
    let provider = deadline::within(deadline::SHORT, database, register::find(database, entry)).await?;
    let provider = provider.ok_or_else(|| RekeyError::UnknownProvider(entry.slug.clone()))?;
    require_admitted(&provider)?;
    let configured = entry.id_from.as_ref().map(IdFrom::as_str);
    if provider.id_from.as_deref() == configured {
        return Ok(None);
    }
    let month = ReadMonth::of(deadline::within(deadline::SHORT, database, database_now(database)).await?);
    let readings = read((entry, month), &provider, source, progress).await?;
    let transaction = begin_write(database).await?;
    let replacing = replace_keys(&transaction, (entry, &provider), readings, lease.is_none());
    let (report, footprint) = deadline::within(deadline::BULK, &transaction, replacing).await?;
    let Some(lease) = lease else {
        transaction.rollback().await?;
        return Ok(Some(report));
    };
    if !job::queue::finish(&transaction, lease).await? {
        transaction.rollback().await?;
        return Err(SyncError::LeaseLost.into());
    }
    transaction.commit().await?;
    if let Some(footprint) = footprint {
        release_metrics::count_release(Cause::Rekey, &footprint);
    }
    tracing::info!(provider.slug = entry.slug, rekey.events = report.events, "ids are read from {}", report.configured);
    Ok(Some(report))
}

/// Reads the document with both keys.
async fn read(
    (entry, month): (&ProviderEntry, ReadMonth),
    provider: &provider::Model,
    source: &FeedSource,
    progress: &ProgressCounter,
) -> Result<Readings, RekeyError> {
    let copied_from = provider.id_from.as_deref().map(str::parse::<IdFrom>).transpose();
    let copied_from = copied_from.and_then(|id_from| id_from.map(|id_from| entry.format.accept_id_from(&id_from)).transpose());
    let copied_from = copied_from.map_err(|_| RekeyError::OtherFormat {
        copied_from: id_from::describe(provider.id_from.as_deref()),
        format: entry.format.name,
    })?;
    let FetchOutcome::Modified(document) = source.fetch(entry, &Validators::default(), &NoPages::default(), progress).await?
    else {
        return Err(SyncError::Superseded.into());
    };
    let _slot = compare::acquire_slot().await?;
    let new = build_conventions(entry, provider, month);
    let old = Conventions { id_from: copied_from.flatten(), ..new.clone() };
    let format = entry.format;
    let parsing = tokio::task::spawn_blocking(move || {
        let parse = |conventions: &Conventions| format.parse_items(&document.spool, conventions).map_err(SyncError::from);
        Ok::<_, SyncError>(Readings { old: parse(&old)?.deduplicate(), new: parse(&new)? })
    });
    let readings = parsing.await.map_err(SyncError::Panic)??;
    match readings.new.rejects.first() {
        Some(first) if readings.new.base_events.is_empty() => {
            let rejects = readings.new.rejects.len();
            Err(SyncError::AllRejected { rejects, first: first.reason.clone() }.into())
        }
        _ => Ok(readings),
    }
}

/// Replaces the keys, unless it is a dry run.
async fn replace_keys(
    transaction: &DatabaseTransaction,
    (entry, provider): (&ProviderEntry, &provider::Model),
    readings: Readings,
    is_dry_run: bool,
) -> Result<(RekeyReport, Option<Footprint>), SyncError> {
    let locked = provider::Entity::find_by_id(provider.id).lock_exclusive().one(transaction).await?;
    let state = |provider: &provider::Model| (provider.last_success_at, provider.purged_at, provider.id_from.clone());
    if locked.is_none_or(|locked| state(&locked) != state(provider)) {
        return Err(SyncError::Superseded);
    }
    let ids = ItemIds::fetch(transaction, provider.id, provider.identity_slug()).await?;
    let copied = fetch_rows(transaction, provider.id, &readings, &ids).await?;
    let listed = count_listed(transaction, provider.id).await?;
    let provider_id = provider.id;
    let planning = tokio::task::spawn_blocking(move || plan(&readings, provider_id, &ids, &copied));
    let plan = planning.await.map_err(SyncError::Panic)?;
    let configured = entry.id_from.as_ref().map(IdFrom::as_str);
    let report = RekeyReport {
        copied_from: id_from::describe(provider.id_from.as_deref()),
        configured: id_from::describe(configured),
        events: plan.events.len(),
        base_events: plan.base_events.len(),
        performers: plan.performers,
        venues: plan.venues,
        ambiguous: plan.ambiguous.clone(),
        unmatched: usize::try_from(listed).unwrap_or(usize::MAX).saturating_sub(plan.listed),
    };
    let footprint = if is_dry_run { None } else { write(transaction, provider, configured, plan).await? };
    Ok((report, footprint))
}

async fn fetch_rows(
    transaction: &DatabaseTransaction,
    provider_id: i32,
    readings: &Readings,
    ids: &ItemIds,
) -> Result<CopiedRows, DbErr> {
    let base_events = fetch_copied(transaction, readings.list_base_events(ids)).await?;
    let removed_events = tombstone::Entity::find().select_only().column(tombstone::Column::EventId);
    let removed_events = removed_events.filter(tombstone::COLUMN.provider_id.eq(provider_id)).into_tuple().all(transaction);
    let removed_events: HashSet<Uuid> = removed_events.await?.into_iter().collect();
    let mut existing = removed_events.clone();
    for ids in key_chunks(readings.list_others(ids)) {
        existing.extend(fetch_ids::<event::Entity>(transaction, event::Column::Id, &ids).await?);
        existing.extend(fetch_ids::<performer::Entity>(transaction, performer::Column::Id, &ids).await?);
        existing.extend(fetch_ids::<venue::Entity>(transaction, venue::Column::Id, &ids).await?);
    }
    Ok(CopiedRows { base_events, existing, removed_events })
}

/// Those of the ids that a table has.
async fn fetch_ids<E: EntityTrait>(database: &impl ConnectionTrait, id: E::Column, ids: &[Uuid]) -> Result<Vec<Uuid>, DbErr> {
    let rows = E::find().select_only().column(id).filter(id.is_in(ids.iter().copied()));
    rows.into_tuple().all(database).await
}

/// The number of events in the feed of the copy.
async fn count_listed(transaction: &DatabaseTransaction, provider_id: i32) -> Result<u64, DbErr> {
    let base_events = base_event::Entity::find().select_only().column(base_event::Column::Id);
    let base_events = base_events.filter(base_event::COLUMN.provider_id.eq(provider_id)).into_query();
    let listed = event::Entity::find().filter(event::Column::BaseEventId.in_subquery(base_events));
    listed.filter(event::Column::LeftAt.is_null()).count(transaction).await
}

/// Writes the plan. Readers see the provider's ids of events, and nothing else that it changes.
async fn write(
    transaction: &DatabaseTransaction,
    provider: &provider::Model,
    configured: Option<&str>,
    plan: RekeyPlan,
) -> Result<Option<Footprint>, DbErr> {
    let is_visible = plan.events.iter().any(|event| event.shown);
    for aliases in key_chunks(plan.removed_aliases) {
        alias::Entity::delete_many().filter(alias::COLUMN.id.is_in(aliases)).exec(transaction).await?;
    }
    let changed = plan.base_events.iter().map(|base_event| base_event.id).chain(plan.empty_base_events.iter().copied());
    let changed: Vec<Uuid> = changed.collect();
    let backend = transaction.get_database_backend();
    let inserts = insert_statements(backend, plan.aliases, SameKey::Replaced)
        .chain(insert_statements(backend, plan.base_events, SameKey::Replaced))
        .chain(insert_statements(backend, plan.events, SameKey::Replaced));
    execute(transaction, inserts).await?;
    for base_events in key_chunks(plan.empty_base_events) {
        base_event::Entity::delete_many().filter(base_event::COLUMN.id.is_in(base_events)).exec(transaction).await?;
    }
    listing::refresh_base_events(transaction, changed).await?;
    // They have the previous keys: an undo would create the rows of these again, with ids that other rows have now.
    undo::Entity::delete_many().filter(undo::COLUMN.provider_id.eq(provider.id)).exec(transaction).await?;
    let columns = provider::ActiveModel { id_from: Set(configured.map(str::to_owned)), ..provider.clone().into_active_model() };
    columns.update(transaction).await?;
    let footprint = is_visible.then(|| Footprint::all_of(&[Scope::Events]));
    if let Some(footprint) = &footprint {
        daily_total::invalidate(transaction, provider.id).await?;
        let release = release::publish(transaction, (Cause::Rekey, None), footprint).await?;
        daily_total::set_last_release(transaction, [provider.id], &release).await?;
    }
    Ok(footprint)
}
