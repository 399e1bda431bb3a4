//! `GET /venues/{id}`: one venue.

use entity::{alias::AliasKind, footprint::Scope};
use poem_openapi::{Object, types::Example};
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};
use uuid::uuid;

use super::{
    filters::TABLE,
    response::{ListedVenue, VenueRow},
};
use crate::{
    cache::{CachedResource, SnapshotVersion},
    resources::{
        item::Item,
        name_list::{NameTable, NamedRow},
    },
    response::{EventId, Nullable},
};

/// A venue with its address and the number of its upcoming events.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(example)]
pub struct VenueDetails {
    /// The members that lists contain, too.
    #[serde(flatten)]
    #[oai(flatten)]
    pub venue: ListedVenue,
    /// The permanent id, for the filter `venue`.
    pub uuid: EventId,
    /// The street and number.
    pub address: Nullable<String>,
    /// The postal code.
    pub postal_code: Nullable<String>,
    /// The region, state or province.
    pub region: Nullable<String>,
    /// The time zone (IANA): the provider's, if the venue's is unknown.
    pub time_zone: String,
    /// The number of upcoming events that are not cancelled, at most 10,000.
    #[oai(validator(minimum(value = "0"), maximum(value = "10000")))]
    pub upcoming_events: i64,
}

/// The columns of [`VenueDetails`].
#[derive(Debug, FromQueryResult)]
pub(crate) struct VenueDetailsRow {
    #[sea_orm(nested)]
    venue: VenueRow,
    address: Option<String>,
    postal_code: Option<String>,
    region: Option<String>,
    time_zone: String,
    upcoming_events: i64,
}

/// A venue.
#[derive(Clone, Debug)]
pub(crate) struct VenueItem;

impl Item for VenueItem {
    const NAME: &'static str = "venue";
    const PATH: &'static str = "/venues";
    const ALIAS: AliasKind = AliasKind::Venue;
    const TABLE: NameTable = TABLE;
    const COLUMNS: &'static str =
        "venue.address, venue.postal_code, venue.region, COALESCE(venue.time_zone, provider.time_zone) AS time_zone,";
    const EVENTS: (&'static str, &'static str) = ("listing", "listing.venue_id = venue.id");
    const RESOURCE: CachedResource = CachedResource::Venues;
    const SCOPES: &'static [Scope] = &[Scope::Venues, Scope::Events];

    type Row = VenueDetailsRow;
    type Body = VenueDetails;

    fn snapshot(row: &VenueDetailsRow) -> SnapshotVersion {
        row.venue.snapshot()
    }
}

impl From<VenueDetailsRow> for VenueDetails {
    fn from(row: VenueDetailsRow) -> Self {
        let VenueDetailsRow { venue, address, postal_code, region, time_zone, upcoming_events } = row;
        Self {
            uuid: venue.id.to_string().into(),
            venue: venue.into(),
            address: address.into(),
            postal_code: postal_code.into(),
            region: region.into(),
            time_zone,
            upcoming_events,
        }
    }
}

impl Example for VenueDetails {
    fn example() -> Self {
        let some = |text: &str| Nullable(Some(text.to_owned()));
        Self {
            venue: ListedVenue::example(),
            uuid: uuid!("5c1b4f0a-2f5e-5d6c-8a57-0e3f6f1d9b21").to_string().into(),
            address: some("Carrer Nou de la Rambla 113"),
            postal_code: some("08004"),
            region: some("Catalonia"),
            time_zone: "Europe/Madrid".to_owned(),
            upcoming_events: 42,
        }
    }
}
