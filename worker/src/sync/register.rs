//! Updates the `provider` table from `providers.toml`, so that the API knows which providers are polled.

use entity::{clock, provider};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, sea_query::OnConflict,
};

use crate::provider::entry::ProviderEntry;

/// Inserts or updates the row of a provider.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn register(database: &DatabaseConnection, entry: &ProviderEntry) -> Result<provider::Model, DbErr> {
    let stored = match find(database, entry).await? {
        Some(stored) => stored,
        None => insert(database, entry).await?,
    };
    let mut row = stored.clone().into_active_model();
    row.url.set_if_not_equals(entry.url.expose().to_string());
    row.format.set_if_not_equals(entry.format.name.to_owned());
    row.schedule.set_if_not_equals(entry.schedule.to_string());
    row.time_zone.set_if_not_equals(entry.time_zone.name().to_owned());
    if stored.last_success_at.is_none() {
        // The prices of a copy are in its currency, which therefore cannot change.
        row.currency.set_if_not_equals(entry.currency.code().to_owned());
        row.currency_digits.set_if_not_equals(i16::from(entry.currency.digits()));
    }
    row.retired_at.set_if_not_equals(None);
    if row.url.is_set() {
        // The validators of another URL may identify another document.
        row.etag = Set(None);
        row.last_modified = Set(None);
    }
    if row.is_changed() { row.update(database).await } else { Ok(stored) }
}

async fn find(database: &DatabaseConnection, entry: &ProviderEntry) -> Result<Option<provider::Model>, DbErr> {
    provider::Entity::find().filter(provider::COLUMN.slug.eq(entry.slug.as_str())).one(database).await
}

/// Inserts the row of a new provider. If another worker does so at the same moment, its row is used.
async fn insert(database: &DatabaseConnection, entry: &ProviderEntry) -> Result<provider::Model, DbErr> {
    let row = provider::ActiveModel {
        slug: Set(entry.slug.clone()),
        url: Set(entry.url.expose().to_string()),
        format: Set(entry.format.name.to_owned()),
        schedule: Set(entry.schedule.to_string()),
        time_zone: Set(entry.time_zone.name().to_owned()),
        currency: Set(entry.currency.code().to_owned()),
        currency_digits: Set(i16::from(entry.currency.digits())),
        event_count: Set(0),
        reject_count: Set(0),
        ..Default::default()
    };
    let do_nothing = OnConflict::column(provider::Column::Slug).do_nothing().to_owned();
    provider::Entity::insert(row).on_conflict(do_nothing).exec_without_returning(database).await?;
    find(database, entry).await?.ok_or_else(|| DbErr::RecordNotFound(format!("provider {}", entry.slug)))
}

/// Why no provider was retired.
#[derive(Debug, thiserror::Error)]
pub enum RetireError {
    /// Every provider would be retired: the providers file is probably wrong.
    #[error(
        "the providers file has no entry for any provider of the database ({slugs}), so all of them would be retired; nothing was \
         changed. If this is intended, run `marquee-worker run --allow-retire`"
    )]
    AllProviders {
        /// The providers that are not retired yet.
        slugs: String,
    },
    /// The database is unavailable.
    #[error("the providers could not be retired")]
    Database(#[from] DbErr),
}

/// Marks providers without an entry as retired. Their events are retained. Retiring all of them requires `allow_all`.
///
/// # Errors
///
/// When all providers would be retired, or the database is unavailable. Nothing is changed then.
pub async fn retire_others(database: &DatabaseConnection, entries: &[ProviderEntry], allow_all: bool) -> Result<(), RetireError> {
    let active = provider::Entity::find().filter(provider::COLUMN.retired_at.is_null());
    let active = active.order_by_asc(provider::Column::Slug).all(database).await?;
    let is_listed = |provider: &&provider::Model| entries.iter().any(|entry| entry.slug == provider.slug);
    let (listed, others): (Vec<_>, Vec<_>) = active.iter().partition(is_listed);
    if others.is_empty() {
        return Ok(());
    }
    let slugs = others.iter().map(|provider| provider.slug.as_str()).collect::<Vec<_>>().join(", ");
    if listed.is_empty() && !allow_all {
        return Err(RetireError::AllProviders { slugs });
    }
    provider::Entity::update_many()
        .col_expr(provider::Column::RetiredAt, clock::now(database))
        .filter(provider::COLUMN.id.is_in(others.iter().map(|provider| provider.id)))
        .exec(database)
        .await?;
    tracing::warn!(provider.slugs = slugs, "providers retired, because the providers file has no entry for them");
    Ok(())
}
