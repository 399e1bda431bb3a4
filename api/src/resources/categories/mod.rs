//! `GET /categories`: the categories of events.

mod query;
mod response;

use poem::Request;
use poem_openapi::OpenApi;

use self::query::CategoriesQuery;
pub use self::response::CategoryList;
use crate::{
    error::ApiError,
    query::no_parameters,
    resources::openapi::Tag,
    response::{Envelope, Reply},
    state::State,
};

/// The operation.
#[derive(Debug)]
pub struct CategoriesApi(pub State);

#[OpenApi(tag = "Tag::Events")]
impl CategoriesApi {
    /// List categories
    ///
    /// Returns the categories with those of the second level, sorted by slug, and the number of upcoming events of each.
    #[oai(path = "/categories", method = "get", operation_id = "categories")]
    async fn categories(&self, request: &Request) -> Result<Reply<Envelope<CategoryList>>, ApiError> {
        no_parameters(request)?;
        self.0.cache.respond(request, CategoriesQuery {}).await
    }
}
