//! `GET /providers/{slug}`: one provider, as its events show it. `/providers` returns its state.

use std::borrow::Cow;

use entity::{
    UtcInstant,
    footprint::{Scope, Selection},
    provider,
};
use poem_openapi::{Object, types::Example};
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter};
use serde::Serialize;

use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{
        reader::ReadSize,
        sql::{ReadConnection, Sql, VERSION_COLUMNS, read_rows},
    },
    error::ApiError,
    find::count_upcoming,
    query::{Filters, parse_provider_slug},
    response::{CurrencyCode, Envelope, Nullable, ProviderSlug},
};

/// A provider with the number of its upcoming events.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ProviderDetails {
    /// The slug.
    pub slug: ProviderSlug,
    /// The name for people.
    pub name: Nullable<String>,
    /// Its web page.
    pub home_page: Nullable<String>,
    /// The licence of its data.
    pub licence: Nullable<String>,
    /// The text with which its data must be shown.
    pub attribution: Nullable<String>,
    /// The time zone of local dates in the feed (IANA).
    pub time_zone: String,
    /// The currency of the prices (ISO 4217).
    pub currency: CurrencyCode,
    /// The number of upcoming events that are not cancelled, at most 10,000.
    #[oai(validator(minimum(value = "0"), maximum(value = "10000")))]
    pub upcoming_events: i64,
}

/// The columns of [`ProviderDetails`].
#[derive(Debug, FromQueryResult)]
struct ProviderRow {
    slug: String,
    name: Option<String>,
    home_page: Option<String>,
    licence: Option<String>,
    attribution: Option<String>,
    time_zone: String,
    currency: String,
    upcoming_events: i64,
    version: i64,
    raised_at: UtcInstant,
}

/// A request for one provider.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ProviderQuery {
    #[serde(skip)]
    slug: String,
}

impl ProviderQuery {
    /// Parses the parameter of a path. A provider with an invalid slug does not exist.
    pub(super) fn parse(slug: &str) -> Result<Self, ApiError> {
        let slug = parse_provider_slug(slug).map_err(|_| ApiError::not_found("provider", slug))?;
        Ok(Self { slug })
    }

    /// Why the provider does not exist.
    async fn explain_missing(&self, database: &impl ReadConnection) -> Result<ApiError, ApiError> {
        let renamed =
            provider::Entity::find().filter(provider::COLUMN.identity_slug.eq(self.slug.as_str())).one(database).await?;
        Ok(match renamed {
            Some(provider) => ApiError::Moved { what: "provider", id: self.slug.clone(), location: provider.slug },
            None => ApiError::not_found("provider", &self.slug),
        })
    }
}

impl Filters for ProviderQuery {
    fn path(&self) -> Cow<'static, str> {
        format!("/providers/{}", self.slug).into()
    }
}

impl CachedQuery for ProviderQuery {
    const RESOURCE: CachedResource = CachedResource::Providers;

    fn selection(&self) -> Selection {
        Selection { providers: Some(vec![self.slug.clone()]), ..Selection::all_of(&[Scope::Events]) }
    }

    fn read_size(&self) -> ReadSize {
        ReadSize::Small
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let backend = ConnectionTrait::get_database_backend(database);
        let upcoming = count_upcoming(backend, "listing", "listing.provider_id = provider.id");
        let mut sql = Sql::default();
        let slug = sql.bind(self.slug.clone());
        let text = format!(
            "SELECT slug, name, home_page, licence, attribution, time_zone, currency, {upcoming} AS upcoming_events, \
             {VERSION_COLUMNS} FROM provider WHERE slug = {slug}"
        );
        let Some(row) = read_rows::<ProviderRow>(database, sql.statement(backend, text)).await?.pop() else {
            return Err(self.explain_missing(database).await?);
        };
        let snapshot = Some((row.version, row.raised_at));
        let body = serde_json::to_vec(&Envelope::from(ProviderDetails::from(row))).map_err(ApiError::Encoding)?;
        Ok(QueryOutput { snapshot, body: body.into(), link: None })
    }
}

impl From<ProviderRow> for ProviderDetails {
    fn from(row: ProviderRow) -> Self {
        Self {
            slug: row.slug.into(),
            name: row.name.into(),
            home_page: row.home_page.into(),
            licence: row.licence.into(),
            attribution: row.attribution.into(),
            time_zone: row.time_zone,
            currency: row.currency.into(),
            upcoming_events: row.upcoming_events,
        }
    }
}

impl Example for ProviderDetails {
    fn example() -> Self {
        let some = |text: &str| Nullable(Some(text.to_owned()));
        Self {
            slug: "fever".into(),
            name: some("Fever"),
            home_page: some("https://fever.example/"),
            licence: some("CC BY 4.0"),
            attribution: some("Events by Fever"),
            time_zone: "Europe/Madrid".to_owned(),
            currency: "EUR".into(),
            upcoming_events: 10_000,
        }
    }
}
