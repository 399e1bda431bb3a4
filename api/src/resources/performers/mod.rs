//! `GET /performers`: who plays, by name.

mod answer;
mod request;

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi, param::Query};

pub use self::{answer::PerformersAnswer, request::PerformersRequest};
use crate::{
    State,
    error::ApiError,
    query::{CursorText, Described, Limit, Word},
    response::Encoded,
};

/// The operation.
#[derive(Debug)]
pub struct PerformersApi(pub State);

/// Its answers.
#[derive(ApiResponse, Debug)]
pub enum PerformersResponse {
    /// The performers, by name
    #[oai(status = 200)]
    Found(
        Encoded<PerformersAnswer>,
        /// The next page, while there is one
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[OpenApi]
impl PerformersApi {
    /// Find performers by name
    ///
    /// Those whose name begins with `q`, by name. Accents, case and signs do not count: `motley crue` finds `Mötley Crüe`.
    #[oai(path = "/performers", method = "get", operation_id = "performers")]
    async fn performers(
        &self,
        request: &Request,
        /// How the name begins
        #[oai(name = "q")]
        _q: Query<Described<Word>>,
        /// At most this many performers
        #[oai(name = "limit")]
        _limit: Query<Described<Limit>>,
        /// Where to go on, from the Link header of the page before
        #[oai(name = "cursor")]
        _cursor: Query<Described<CursorText>>,
    ) -> Result<PerformersResponse, ApiError> {
        // The link is part of what is kept.
        Ok(PerformersResponse::Found(self.0.answer(request, PerformersRequest::parse).await?, None))
    }
}
