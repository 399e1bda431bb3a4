//! Which venues are asked for, and how they are found.

use std::sync::Arc;

use sea_orm::{DatabaseConnection, FromQueryResult};

use super::{
    answer::{VenueRow, VenuesAnswer},
    near::Near,
};
use crate::{
    cache::{Found, Question},
    error::ApiError,
    http::{Mistakes, Parameters, next_link},
    named::Named,
    reader::Reader,
    sql::{OF_VERSION, Sql},
};

const LIST: &str = "venues";

/// The parameters, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct VenuesRequest {
    named: Named,
    near: Option<Near>,
}

impl VenuesRequest {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// When anything in it is unknown, repeated, malformed or missing; the error names all of it.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let mut mistakes = Mistakes::default();
        let known = ["q", "latitude", "longitude", "radius", "limit", "cursor"];
        let parameters = Parameters::read(query, &known, &mut mistakes);
        let near = Near::read(&parameters, &mut mistakes);
        let named = Named::read(&parameters, LIST, &place_of(near), &mut mistakes);
        mistakes.or(Self { named, near })
    }

    async fn read(&self, database: &DatabaseConnection) -> Result<Found, ApiError> {
        let Self { named, near } = self;
        let place = place_of(*near);
        let mut sql = Sql::default();
        let conditions = Vec::from_iter(near.map(|near| near.condition(&mut sql)));
        let page = named.page_of("venue", " JOIN provider ON provider.id = venue.provider_id", conditions, &mut sql);
        let text = format!(
            "SELECT venue.id, venue.source_id, venue.name, venue.folded_name, venue.latitude, venue.longitude, venue.place_code, \
             provider.slug, {OF_VERSION} FROM {page}"
        );
        let rows = VenueRow::find_by_statement(sql.statement(database.get_database_backend(), text)).all(database).await?;
        let snapshot = rows.first().map(|row| (row.version, row.raised_at));
        let (rows, next) = named.page.cut(rows, &named.filter_key(LIST, &place), VenueRow::place);
        let link = next.map(|cursor| next_link("/venues", &named.filters(&place), named.page.limit, &cursor));
        let body = serde_json::to_vec(&VenuesAnswer::from(rows)).map_err(ApiError::Encoding)?;
        Ok(Found { snapshot, body, link: link.and_then(|link| link.try_into().ok()) })
    }
}

impl Question for VenuesRequest {
    fn key(&self) -> String {
        format!("{} {}", self.named.filter_key(LIST, &place_of(self.near)), self.named.page.key())
    }

    async fn find(self, reader: Arc<Reader>) -> Result<Found, ApiError> {
        reader.read(self.read(&reader.database)).await
    }
}

fn place_of(near: Option<Near>) -> Vec<(&'static str, String)> {
    near.iter().flat_map(Near::filters).collect()
}
