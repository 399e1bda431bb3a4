//! Which performers are asked for, and how they are found.

use std::sync::Arc;

use sea_orm::{DatabaseConnection, FromQueryResult};

use super::answer::{PerformerRow, PerformersAnswer};
use crate::{
    cache::{Found, Question},
    error::ApiError,
    http::{Mistakes, Parameters, next_link},
    named::Named,
    reader::Reader,
    sql::{OF_VERSION, Sql},
};

const LIST: &str = "performers";

/// The parameters, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerformersRequest(Named);

impl PerformersRequest {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// When anything in it is unknown, repeated or malformed; the error names all of it.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let mut mistakes = Mistakes::default();
        let parameters = Parameters::read(query, &["q", "limit", "cursor"], &mut mistakes);
        let named = Named::read(&parameters, LIST, &[], &mut mistakes);
        mistakes.or(Self(named))
    }

    async fn read(&self, database: &DatabaseConnection) -> Result<Found, ApiError> {
        let Self(named) = self;
        let mut sql = Sql::default();
        let page = named.page_of("performer", " JOIN provider ON provider.id = performer.provider_id", Vec::new(), &mut sql);
        let text = format!(
            "SELECT performer.id, performer.source_id, performer.name, performer.folded_name, provider.slug, {OF_VERSION} FROM {page}"
        );
        let rows = PerformerRow::find_by_statement(sql.statement(database.get_database_backend(), text)).all(database).await?;
        let snapshot = rows.first().map(|row| (row.version, row.raised_at));
        let (rows, next) = named.page.cut(rows, &named.filter_key(LIST, &[]), PerformerRow::place);
        let link = next.map(|cursor| next_link("/performers", &named.filters(&[]), named.page.limit, &cursor));
        let body = serde_json::to_vec(&PerformersAnswer::from(rows)).map_err(ApiError::Encoding)?;
        Ok(Found { snapshot, body, link: link.and_then(|link| link.try_into().ok()) })
    }
}

impl Question for PerformersRequest {
    fn key(&self) -> String {
        format!("{} {}", self.0.filter_key(LIST, &[]), self.0.page.key())
    }

    async fn find(self, reader: Arc<Reader>) -> Result<Found, ApiError> {
        reader.read(self.read(&reader.database)).await
    }
}
