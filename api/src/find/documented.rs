//! How OpenAPI documents the filters of events: once, for all operations that have them.

use std::collections::HashMap;

use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi,
    registry::{MetaApi, MetaOperationParam, MetaSchema, MetaSchemaRef, Registry},
};

use super::{
    availability_filter::AvailabilityNames,
    bounding_box::BoundingBoxText,
    item_ref::ItemRefs,
    listed_filter::ListedText,
    near::{Latitude, Longitude, Radius},
    price_filter::{CurrencyText, PriceNumber},
    value_list::{CategorySlugs, CityNames, CountryCodes, PlaceCodes, ProviderSlugs},
    when::{RangeText, TimeZoneText},
    words::WordsText,
};
use crate::query::{DateOrTime, ParameterKind, StatusNames};

/// The name of the parameter that stands for all filters.
const PLACEHOLDER: &str = "filters";
/// The name of the parameter that stands for the filters of changes.
const PLACEHOLDER_OF_CHANGES: &str = "filters_of_changes";
/// Filters that a state of an event does not have, or that changes have besides.
const NOT_OF_CHANGES: [&str; 3] = ["q", "provider", "updated_since"];
/// What differs for changes.
const OF_CHANGES: [(&str, &str); 4] = [
    ("status", "Only events with one of these statuses, or `any`. Without it, any"),
    ("min_price", "Only events with a price of at least this. Requires `currency`"),
    ("max_price", "Only events with a price of at most this; 0 selects free events. Requires `currency`"),
    ("currency", "Only events with prices in this currency (ISO 4217)"),
];

/// The filters of events, as one parameter that [`WithEventFilters`] replaces by them.
#[derive(Debug)]
pub(crate) struct AllFilters;

/// Operations, of which some have a parameter `filters` that stands for the filters of events.
#[derive(Debug)]
pub struct WithEventFilters<A>(pub A);

/// A filter: its name, its values and its description.
type DocumentedFilter = (&'static str, fn() -> MetaSchema, &'static str);

const FILTERS: [DocumentedFilter; 24] = [
    (
        "q",
        WordsText::schema,
        "Only events with all of these words in title, own name, performers, venue, city or category of the show at the venue. The last \
         word may be the beginning of one. Accents, case and punctuation are ignored. If nothing is found, unknown words are corrected",
    ),
    (
        "starts_at",
        DateOrTime::schema,
        "Only events that start at or after this moment: RFC 3339, or a date. Without an offset, in `time_zone`",
    ),
    (
        "ends_at",
        DateOrTime::schema,
        "Only events that end at or before this moment: RFC 3339, or a date. Without an offset, in `time_zone`",
    ),
    (
        "range",
        RangeText::schema,
        "`within`: events that start and end between the moments. `starts`: events that start between them. `overlaps`: events that are \
         on at some moment between them. `all`: events of any time. Without it, `within`; in the calendar, `starts`",
    ),
    (
        "time_zone",
        TimeZoneText::schema,
        "The time zone of moments without an offset (IANA), or `venue` for the clock at the venue of each event. Without it, UTC; in the \
         calendar, `venue`",
    ),
    ("status", StatusNames::schema, "Only events with one of these statuses, or `any`. Without it, all but cancelled events"),
    (
        "listed",
        ListedText::schema,
        "`true`: only events in the feed of their provider. `false`: only events that have left it. `any`: both",
    ),
    ("availability", AvailabilityNames::schema, "Only events with one of these availabilities"),
    ("performer", ItemRefs::schema, "Only events of one of these performers: `uuid` of a performer, or `provider:id`"),
    ("venue", ItemRefs::schema, "Only events at one of these venues: `uuid` of a venue, or `provider:id`"),
    ("organizer", ItemRefs::schema, "Only events of one of these organizers: `provider:id` or `provider:name`"),
    ("provider", ProviderSlugs::schema, "Only events of one of these providers"),
    ("category", CategorySlugs::schema, "Only events of one of these categories. A category includes its second level"),
    ("city", CityNames::schema, "Only events in one of these cities. Accents, case and punctuation are ignored"),
    ("country", CountryCodes::schema, "Only events in one of these countries (ISO 3166-1 alpha-2)"),
    ("place", PlaceCodes::schema, "Only events at one of these places, or within one of these regions, as in `/places`"),
    ("latitude", Latitude::schema, "The latitude of a point, -90 to 90"),
    ("longitude", Longitude::schema, "The longitude of the point, -180 to 180"),
    ("radius", Radius::schema, "The maximum distance from the point in kilometres, 0 to 20,038"),
    (
        "bbox",
        BoundingBoxText::schema,
        "Only events within a rectangle: `west,south,east,north` in degrees. It crosses the antimeridian if west is greater than east",
    ),
    ("min_price", PriceNumber::schema, "Only events with a price of at least this"),
    ("max_price", PriceNumber::schema, "Only events with a price of at most this; 0 selects free events"),
    (
        "currency",
        CurrencyText::schema,
        "Only events with prices in this currency (ISO 4217). Without it, prices are compared in the only currency of the providers that \
         `provider`, `venue`, `performer` and `organizer` select, and that have an event in the range of dates. If these have several \
         currencies, it is required",
    ),
    (
        "updated_since",
        DateOrTime::schema,
        "Only events that were created, changed or left their feed since this moment: RFC 3339, or a date",
    ),
];

impl ParameterKind for AllFilters {
    fn schema() -> MetaSchema {
        MetaSchema::ANY
    }
}

impl<A: OpenApi> OpenApi for WithEventFilters<A> {
    fn meta() -> Vec<MetaApi> {
        let mut apis = A::meta();
        for operation in apis.iter_mut().flat_map(|api| &mut api.paths).flat_map(|path| &mut path.operations) {
            let parameters = std::mem::take(&mut operation.params);
            operation.params = parameters.into_iter().flat_map(expand).collect();
        }
        apis
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
    }

    fn add_routes(self, route_table: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        self.0.add_routes(route_table);
    }
}

/// The parameters that a parameter stands for.
fn expand(parameter: MetaOperationParam) -> Vec<MetaOperationParam> {
    let is_of_changes = parameter.name == PLACEHOLDER_OF_CHANGES;
    if parameter.name != PLACEHOLDER && !is_of_changes {
        return vec![parameter];
    }
    let MetaOperationParam { in_type, explode, .. } = parameter;
    let filters = FILTERS.into_iter().filter(|(name, ..)| !is_of_changes || !NOT_OF_CHANGES.contains(name));
    let filters = filters.map(|(name, schema, description)| {
        let of_changes = OF_CHANGES.into_iter().find(|(of, _)| is_of_changes && *of == name);
        (name, schema, of_changes.map_or(description, |(_, description)| description))
    });
    let filters = filters.map(|(name, schema, description)| MetaOperationParam {
        name: name.to_owned(),
        // Without an example, with which the form of the Swagger UI would be filled: it would restrict the list.
        schema: MetaSchemaRef::Inline(Box::new(MetaSchema { example: None, ..schema() })),
        in_type,
        description: Some(description.to_owned()),
        required: false,
        deprecated: false,
        explode,
        style: None,
    });
    filters.collect()
}
