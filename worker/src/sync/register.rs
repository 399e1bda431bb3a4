//! Updates the `provider` table from `providers.toml`, so that the API knows which providers are polled.

use std::collections::HashSet;

use entity::{
    begin_write, clock,
    daily_total::NO_RELEASE,
    deadline,
    footprint::{Footprint, Scope},
    provider,
    release::{self, Cause},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::OnConflict,
};

use crate::{provider::entry::ProviderEntry, release_metrics};

/// Why a provider was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Its events would have ids of another provider's events.
    #[error("the slug `{slug}` belonged to the provider `{other}` before it was renamed; choose another one")]
    SlugInUse {
        /// The slug of the entry.
        slug: String,
        /// The current slug of the other provider.
        other: String,
    },
    /// The database is unavailable.
    #[error("the provider could not be registered")]
    Database(#[from] DbErr),
}

impl From<RegisterError> for DbErr {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Database(error) => error,
            error @ RegisterError::SlugInUse { .. } => Self::Custom(error.to_string()),
        }
    }
}

/// Inserts or updates the row of a provider.
///
/// # Errors
///
/// When the database is unavailable, or the ids of another provider's events are computed with its slug.
pub async fn register(database: &DatabaseConnection, entry: &ProviderEntry) -> Result<provider::Model, RegisterError> {
    let stored = match find_usable(database, entry).await? {
        Some(stored) => stored,
        None => insert(database, entry).await?,
    };
    let mut row = stored.clone().into_active_model();
    if stored.slug != entry.slug {
        row.slug = Set(entry.slug.clone());
        row.identity_slug.set_if_not_equals(Some(stored.identity_slug().to_owned()));
        tracing::warn!(
            provider.slug = entry.slug,
            provider.previous_slug = stored.slug,
            "provider renamed; the ids of its events remain"
        );
    }
    row.url.set_if_not_equals(entry.url.expose().to_string());
    row.format.set_if_not_equals(entry.format.name.to_owned());
    row.schedule.set_if_not_equals(entry.schedule.to_string());
    row.time_zone.set_if_not_equals(entry.time_zone.name().to_owned());
    if stored.last_success_at.is_none() {
        // The prices of a copy are in its currency, which therefore cannot change.
        row.currency.set_if_not_equals(entry.currency.code().to_owned());
        row.currency_digits.set_if_not_equals(i16::from(entry.currency.digits()));
    }
    row.name.set_if_not_equals(entry.name.clone());
    row.home_page.set_if_not_equals(entry.home_page.clone());
    row.licence.set_if_not_equals(entry.licence.clone());
    row.attribution.set_if_not_equals(entry.attribution.clone());
    row.affiliate.set_if_not_equals(affiliate_of(entry));
    row.retired_at.set_if_not_equals(None);
    if row.url.is_set() {
        // The validators of another URL may identify another document.
        row.etag = Set(None);
        row.last_modified = Set(None);
    }
    if !row.is_changed() {
        return Ok(stored);
    }
    let footprint = stored.last_success_at.and_then(|_| footprint_of(&row));
    let transaction = begin_write(database).await?;
    let updated = row.update(&transaction).await?;
    let Some(footprint) = footprint else {
        transaction.commit().await?;
        return Ok(updated);
    };
    release::publish(&transaction, (Cause::Settings, None), &footprint).await?;
    transaction.commit().await?;
    release_metrics::count_release(Cause::Settings, &footprint);
    Ok(updated)
}

/// What changes for readers: its events, performers and venues, or only its ticket links.
fn footprint_of(row: &provider::ActiveModel) -> Option<Footprint> {
    let texts = [&row.name, &row.home_page, &row.licence, &row.attribution];
    if texts.iter().any(|text| text.is_set()) || row.slug.is_set() || row.time_zone.is_set() {
        return Some(Footprint::all_of(&[Scope::Events, Scope::Performers, Scope::Venues]));
    }
    row.affiliate.is_set().then(|| Footprint::all_of(&[Scope::Details]))
}

/// The parameters of its ticket links as they are stored.
fn affiliate_of(entry: &ProviderEntry) -> Option<String> {
    // Texts always serialize.
    serde_json::to_string(&entry.affiliate).ok().filter(|_| !entry.affiliate.is_empty())
}

/// Inserts or updates the rows of these providers.
///
/// # Errors
///
/// As [`register`], for the first of them that fails.
pub async fn register_all(database: &DatabaseConnection, entries: &[ProviderEntry]) -> Result<(), RegisterError> {
    for entry in entries {
        deadline::within(deadline::BULK, database, register(database, entry)).await?;
    }
    Ok(())
}

/// Checks that these providers can be registered, before anything is changed.
///
/// # Errors
///
/// As [`register`], for the first of them that would fail.
pub async fn check_all(database: &DatabaseConnection, entries: &[ProviderEntry]) -> Result<(), RegisterError> {
    for entry in entries {
        find_usable(database, entry).await?;
    }
    Ok(())
}

/// Finds a provider; an error if there is none and its slug cannot be used.
async fn find_usable(database: &DatabaseConnection, entry: &ProviderEntry) -> Result<Option<provider::Model>, RegisterError> {
    let found = find(database, entry).await?;
    if found.is_none()
        && let Some(other) = find_renamed(database, &entry.slug).await?
    {
        return Err(RegisterError::SlugInUse { slug: entry.slug.clone(), other: other.slug });
    }
    Ok(found)
}

/// Finds a provider by its slug, else by one that it had before.
pub(super) async fn find(database: &DatabaseConnection, entry: &ProviderEntry) -> Result<Option<provider::Model>, DbErr> {
    let slugs = std::iter::once(&entry.slug).chain(&entry.previous_slugs);
    let found = provider::Entity::find().filter(provider::COLUMN.slug.is_in(slugs)).all(database).await?;
    Ok(find_in(&found, entry).cloned())
}

fn find_in<'a>(providers: &'a [provider::Model], entry: &ProviderEntry) -> Option<&'a provider::Model> {
    let mut slugs = std::iter::once(&entry.slug).chain(&entry.previous_slugs);
    slugs.find_map(|slug| providers.iter().find(|provider| provider.slug == *slug))
}

/// Finds the provider with ids that are computed with this slug.
async fn find_renamed(database: &DatabaseConnection, slug: &str) -> Result<Option<provider::Model>, DbErr> {
    provider::Entity::find().filter(provider::COLUMN.identity_slug.eq(slug)).one(database).await
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
        totals_release: Set(Some(NO_RELEASE)),
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
    let all = provider::Entity::find().order_by_asc(provider::Column::Slug).all(database).await?;
    let active = all.iter().filter(|provider| provider.retired_at.is_none());
    // An entry has one provider, even if there are others with its previous slugs.
    let listed: HashSet<i32> = entries.iter().filter_map(|entry| find_in(&all, entry)).map(|provider| provider.id).collect();
    let (listed, others): (Vec<_>, Vec<_>) = active.partition(|provider| listed.contains(&provider.id));
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
