//! `/providers`: the providers, their state and the age of their copies, and one provider.

mod details;
mod response;

use entity::{database_now, provider};
use poem::Request;
use poem_openapi::OpenApi;
use sea_orm::DbErr;

use self::details::ProviderQuery;
pub use self::{details::ProviderDetails, response::ProviderList};
use crate::{
    auth::Caller,
    database::reader::ReadSize,
    error::ApiError,
    query::{Path, ProviderSlugText, no_parameters},
    resources::{openapi::Tag, sync_runs::hide_details},
    response::{Envelope, Reply},
    state::State,
};

/// The operations.
#[derive(Debug)]
pub struct ProvidersApi(pub State);

#[OpenApi(tag = "Tag::ProvidersAndSyncs")]
impl ProvidersApi {
    /// List providers
    ///
    /// Returns all providers with their state and the age of their copies, sorted by slug.
    #[oai(path = "/providers", method = "get", operation_id = "providers")]
    async fn providers(&self, request: &Request) -> Result<Reply<Envelope<ProviderList>>, ApiError> {
        no_parameters(request)?;
        let source = self.0.reader.with_version(self.0.version.current(), self.0.version.newest_takedown());
        let database = &source.connection;
        let read = async { Ok::<_, DbErr>((provider::load_summaries(database).await?, database_now(database).await?)) };
        let (mut providers, now) = self.0.reader.read(source, ReadSize::Small, read).await?;
        if !self.0.keys.is_operator(request, &Caller::from_headers(request.headers())) {
            providers.iter_mut().filter_map(|provider| provider.newest_run.as_mut()).for_each(hide_details);
        }
        Reply::json(request, &Envelope::from(ProviderList::new(providers, now))).await
    }

    /// Get a provider
    ///
    /// Returns a provider as its events show it, with the number of its upcoming events. The slug that it had first is redirected.
    #[oai(path = "/providers/:slug", method = "get", operation_id = "provider")]
    async fn provider(
        &self,
        request: &Request,
        /// The provider's slug
        slug: Path<ProviderSlugText>,
    ) -> Result<Reply<Envelope<ProviderDetails>>, ApiError> {
        no_parameters(request)?;
        self.0.cache.respond(request, ProviderQuery::parse(&slug)?).await
    }
}
