//! The response of a request for venues.

use entity::UtcInstant;
use poem_openapi::{Object, types::Example};
use sea_orm::{FromQueryResult, prelude::Uuid};
use serde::{Deserialize, Serialize};

use crate::{
    cache::SnapshotVersion,
    resources::name_list::{NameSortKey, NamedRow},
    response::{Nullable, ProviderSlug},
};

/// A page of venues.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct VenueList {
    /// The venues, sorted by name.
    pub venues: Vec<ListedVenue>,
}

/// A venue in a list.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(example)]
pub struct ListedVenue {
    /// The provider's id.
    pub id: String,
    /// The provider's slug.
    pub provider: ProviderSlug,
    /// The name.
    pub name: String,
    /// The latitude (WGS 84), if it is known.
    #[oai(validator(minimum(value = "-90"), maximum(value = "90")))]
    pub latitude: Nullable<f64>,
    /// The longitude (WGS 84), if it is known.
    #[oai(validator(minimum(value = "-180"), maximum(value = "180")))]
    pub longitude: Nullable<f64>,
    /// The code of the venue's place, as in `/places`.
    pub place_code: Nullable<String>,
    /// The city.
    pub city: Nullable<String>,
    /// The country (ISO 3166-1 alpha-2).
    pub country: Nullable<String>,
}

/// The columns of a venue.
#[derive(Debug, FromQueryResult)]
pub(super) struct VenueRow {
    pub(super) id: Uuid,
    source_id: String,
    name: String,
    sort_text: String,
    latitude: f64,
    longitude: f64,
    place_code: Option<String>,
    located: bool,
    city: Option<String>,
    country: Option<String>,
    slug: String,
    version: i64,
    raised_at: UtcInstant,
}

impl NamedRow for VenueRow {
    fn sort_key(&self) -> NameSortKey {
        (self.sort_text.clone(), self.id)
    }

    fn snapshot(&self) -> SnapshotVersion {
        (self.version, self.raised_at)
    }
}

impl From<VenueRow> for ListedVenue {
    fn from(row: VenueRow) -> Self {
        let VenueRow { source_id, name, latitude, longitude, located, place_code, city, country, slug, .. } = row;
        Self {
            id: source_id,
            provider: slug.into(),
            name,
            latitude: located.then_some(latitude).into(),
            longitude: located.then_some(longitude).into(),
            place_code: place_code.into(),
            city: city.into(),
            country: country.into(),
        }
    }
}

impl From<Vec<VenueRow>> for VenueList {
    fn from(rows: Vec<VenueRow>) -> Self {
        Self { venues: rows.into_iter().map(ListedVenue::from).collect() }
    }
}

impl Example for VenueList {
    fn example() -> Self {
        Self { venues: vec![ListedVenue::example()] }
    }
}

impl Example for ListedVenue {
    fn example() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            id: text("7"),
            provider: "fever".into(),
            name: text("Sala Apolo"),
            latitude: Nullable(Some(41.374)),
            longitude: Nullable(Some(2.169)),
            place_code: Nullable(Some(text("ESBCN"))),
            city: Nullable(Some(text("Barcelona"))),
            country: Nullable(Some(text("ES"))),
        }
    }
}
