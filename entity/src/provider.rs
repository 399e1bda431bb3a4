//! `provider`: an external company whose catalogue we copy, as `providers.toml` last described it.

use sea_orm::entity::prelude::*;

use crate::UtcInstant;

/// One provider.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "provider")]
pub struct Model {
    /// Internal key.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// The provider's name in settings, paths and ids; never reused for another company.
    #[sea_orm(unique)]
    pub slug: String,
    /// Where its feed is fetched.
    pub url: String,
    /// The name of the feed's format, a key of the worker's registry.
    pub format: String,
    /// Cron schedule with seconds, UTC.
    pub schedule: String,
    /// IANA name of the zone in which its wall-clock dates are meant.
    pub time_zone: String,
    /// ISO 4217 code of its prices.
    pub currency: String,
    /// How many decimal digits a minor unit of `currency` stands for: 2 for cents.
    pub currency_digits: i16,
    /// When the newest copy that succeeded began to be fetched: the copy is as fresh as this.
    pub last_success_at: Option<UtcInstant>,
    /// Events that the feed of that copy held.
    pub event_count: i32,
    /// Items of that feed that could not be taken.
    pub reject_count: i32,
    /// The `ETag` that the document of that copy came with.
    pub etag: Option<String>,
    /// The `Last-Modified` that the document of that copy came with.
    pub last_modified: Option<String>,
    /// Hash of that document.
    pub body_hash: Option<i64>,
    /// Hash of how that document was read; it is read again unless both are the same.
    pub reading_hash: Option<i64>,
    /// Since when the provider is no longer in the settings: its events stay, nobody polls it.
    pub retired_at: Option<UtcInstant>,
    /// The newest tick of its schedule that some worker has answered.
    pub last_tick_at: Option<UtcInstant>,
    /// Runs in a row that failed through the provider or its document.
    pub failures: i32,
    /// Until when ticks are let pass.
    pub pause_until: Option<UtcInstant>,
    /// Why: `retry_after`, `cache_control` or `circuit_open`.
    pub pause_reason: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
