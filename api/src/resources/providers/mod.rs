//! `GET /providers`: the providers, their state and the age of their copies.

mod response;

use entity::{UtcInstant, provider};
use poem::Request;
use poem_openapi::OpenApi;

pub use self::response::ProviderList;
use crate::{
    database::reader::ReadSize,
    error::ApiError,
    query::no_parameters,
    resources::openapi::Tag,
    response::{Envelope, Reply},
    state::State,
};

/// The operation.
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
        let source = self.0.reader.with_version(self.0.version.current());
        let providers = self.0.reader.read(source, ReadSize::Small, provider::load_summaries(&source.connection)).await?;
        Reply::json(request, &Envelope::from(ProviderList::new(providers, UtcInstant::now()))).await
    }
}
