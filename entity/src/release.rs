//! `release`: the ledger of changes, one row for each version of the catalogue, written in the transaction that makes the change.

use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect, entity::prelude::*};

use crate::{
    UtcInstant, catalogue_version,
    footprint::{Footprint, Scope},
};

/// What changed the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A sync run, of a polled or a pushed feed.
    SyncRun,
    /// A batch of prices.
    RateBatch,
    /// A batch of prices that was deleted.
    DeletedRateBatch,
    /// The list of places and regions.
    Places,
    /// Events that were removed for legal reasons.
    Takedown,
    /// The changes of a sync run that were undone.
    Revert,
    /// Keys of a provider that others have replaced.
    Rekey,
    /// The settings of a provider.
    Settings,
    /// Time: sales that began or ended, and events that ended.
    Boundary,
    /// A job that completed rows of an earlier release.
    Backfill,
}

impl Cause {
    const ALL: [Self; 10] = [
        Self::SyncRun,
        Self::RateBatch,
        Self::DeletedRateBatch,
        Self::Places,
        Self::Takedown,
        Self::Revert,
        Self::Rekey,
        Self::Settings,
        Self::Boundary,
        Self::Backfill,
    ];

    /// The name in tables, metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SyncRun => "sync_run",
            Self::RateBatch => "rate_batch",
            Self::DeletedRateBatch => "deleted_rate_batch",
            Self::Places => "places",
            Self::Takedown => "takedown",
            Self::Revert => "revert",
            Self::Rekey => "rekey",
            Self::Settings => "settings",
            Self::Boundary => "boundary",
            Self::Backfill => "backfill",
        }
    }

    /// The columns `cause` and `action`.
    fn to_columns(self) -> (String, Option<String>) {
        match self {
            Self::SyncRun | Self::RateBatch | Self::DeletedRateBatch | Self::Places => (self.name().to_owned(), None),
            Self::Takedown | Self::Revert | Self::Rekey | Self::Settings | Self::Boundary | Self::Backfill => {
                (Self::SyncRun.name().to_owned(), Some(self.name().to_owned()))
            }
        }
    }
}

/// A release. A version without a row was raised by a program of an earlier release, and may have changed everything.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "release")]
pub struct Model {
    /// The version of the catalogue that it made.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i64,
    /// When the version was raised: `raised_at` of the version's row. Together they identify a state of the catalogue.
    pub raised_at: UtcInstant,
    /// What made it: `sync_run`, `rate_batch`, `deleted_rate_batch` or `places`. Programs of an earlier release read no other values.
    pub cause: String,
    /// The id of the sync run or the batch.
    pub cause_id: Option<i64>,
    /// `takedown`, `revert`, `rekey`, `settings`, `boundary` or `backfill`, if it was not made by importing something.
    pub action: Option<String>,
    /// The [`Footprint`] as JSON.
    pub footprint: String,
}

impl ActiveModelBehavior for ActiveModel {}

/// Increments the version, and records what changed. Must be called at the end of the transaction that makes the change: until it is committed,
/// all others wait for the version's row.
///
/// # Errors
///
/// When the database is unavailable or has no schema.
pub async fn publish(
    transaction: &impl ConnectionTrait,
    (cause, cause_id): (Cause, Option<i64>),
    footprint: &Footprint,
) -> Result<Model, DbErr> {
    let catalogue_version::Model { version, raised_at, .. } = catalogue_version::increment(transaction).await?;
    let footprint = serde_json::to_string(footprint).map_err(|error| DbErr::Json(error.to_string()))?;
    let (cause, action) = cause.to_columns();
    let release = Model { version, raised_at, cause, cause_id, action, footprint };
    Entity::insert(release.clone().into_active_model()).exec_without_returning(transaction).await?;
    Ok(release)
}

/// [`publish`] for a change of prices.
///
/// # Errors
///
/// As [`publish`].
pub async fn publish_rates(transaction: &impl ConnectionTrait, cause: Cause, batch_id: i64) -> Result<Model, DbErr> {
    publish(transaction, (cause, Some(batch_id)), &Footprint::all_of(&[Scope::Rates])).await
}

/// What a release changed.
#[derive(Clone, Debug, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct ReleasedFootprint {
    /// The version of the catalogue that it made.
    pub version: i64,
    /// When the version was raised.
    pub raised_at: UtcInstant,
    /// As [`Model::cause`].
    pub cause: String,
    /// As [`Model::action`].
    pub action: Option<String>,
    /// The [`Footprint`] as JSON.
    pub footprint: String,
}

impl ReleasedFootprint {
    /// What it may have changed: everything, if a later release of the program wrote it in a form that this one does not know.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        serde_json::from_str(&self.footprint).unwrap_or_else(|_| Footprint::everything())
    }

    /// What made it: `None` if only a later release of the program knows the cause.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        let name = self.action.as_ref().unwrap_or(&self.cause);
        Cause::ALL.into_iter().find(|cause| cause.name() == name)
    }
}

/// The releases after a version, in order, at most `limit`.
///
/// # Errors
///
/// When the database is unavailable or has no schema.
pub async fn list_after(database: &impl ConnectionTrait, version: i64, limit: u64) -> Result<Vec<ReleasedFootprint>, DbErr> {
    Entity::find()
        .filter(COLUMN.version.gt(version))
        .order_by_asc(Column::Version)
        .limit(limit)
        .into_partial_model()
        .all(database)
        .await
}
