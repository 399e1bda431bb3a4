//! Every query parameter of every operation that reads is part of the canonical query, from which cache keys derive, and every filter is
//! part of the binding of cursors. A new parameter fails here until it is.

use poem::http::HeaderValue;
use poem_openapi::{OpenApi, registry::MetaParamIn};
use uuid::Uuid;

use crate::{
    Operations,
    error::ApiError,
    find::SortValue,
    query::{Canonical, ListFilters, ListQuery, Parameters},
    resources::{
        concerts::ConcertsQuery,
        events::{Atom, CalendarQuery, Csv, EventsQuery, ExportQuery, FacetsQuery, GeoJson, ICalendar},
        multivac::DataQuery,
        performers::PerformersQuery,
        places::PlacesQuery,
        rates::{EventRatesFilters, RatesFilters, batches::BatchesQuery},
        search::SearchQuery,
        sync_runs::{RejectsQuery, SyncRunsQuery},
        venues::VenuesQuery,
    },
};

/// Two values of each parameter.
const VALUES: [(&str, &str, &str); 37] = [
    ("by", "city", "venue"),
    ("range", "within", "overlaps"),
    ("time_zone", "Europe/Madrid", "Asia/Tokyo"),
    ("listed", "false", "any"),
    ("availability", "on_sale", "sold_out"),
    ("performer", "fever:1", "fever:2"),
    ("venue", "fever:1", "fever:2"),
    ("organizer", "fever:1", "fever:2"),
    ("category", "music", "film"),
    ("city", "Barcelona", "Madrid"),
    ("country", "ES", "FR"),
    ("place", "ESBCN", "ESMAD"),
    ("bbox", "1,2,3,4", "1,2,3,5"),
    ("min_price", "1", "2"),
    ("currency", "EUR", "GBP"),
    ("updated_since", "2021-01-01", "2021-01-02"),
    ("ids", "c4a626ff-9f25-5533-a0a8-2b67472b5ee3", "00000000-0000-0000-0000-000000000000"),
    ("sort", "starts_at", "-starts_at"),
    ("total", "true", "false"),
    ("fields", "id", "title"),
    ("starts_at", "2021-01-01", "2021-01-02"),
    ("ends_at", "2021-03-01", "2021-03-02"),
    ("bandIds", "1", "1,2"),
    ("latitude", "41.3", "41.4"),
    ("longitude", "2.1", "2.2"),
    ("radius", "5", "5.5"),
    ("max_price", "10", "10.5"),
    ("q", "a", "b"),
    ("date_from", "2021-01-01", "2021-01-02"),
    ("date_to", "2021-02-01", "2021-02-02"),
    ("orig_code", "ESBCN", "ESMAD"),
    ("dest_code", "FRPAR", "FRLYO"),
    ("provider", "fever", "northstage"),
    ("state", "failed", "succeeded"),
    ("status", "cancelled", "any"),
    ("severity", "error", "warning"),
    ("limit", "1", "2"),
];
/// Operations that are not cached, and with cursors that are positions in the log of changes.
const UNCACHED: [&str; 6] = ["event", "readyz", "changes", "changes_stream", "events_ndjson", "event_history"];
const ID: &str = "c4a626ff-9f25-5533-a0a8-2b67472b5ee3";

type Canonicalize = Box<dyn Fn(&str) -> Result<String, ApiError>>;
type NextCursor = Box<dyn Fn(&str) -> String>;

/// How an operation reads its query string.
struct ReadOperation {
    canonical: Canonicalize,
    /// The cursor of the next page, if the operation has pages.
    next_cursor: Option<NextCursor>,
}

fn list<F: ListFilters>(
    parse: impl Fn(Parameters<'_>) -> Result<ListQuery<F>, ApiError> + Clone + 'static,
    sort_key: F::SortKey,
) -> ReadOperation {
    let next = parse.clone();
    let next_cursor = move |query: &str| {
        let link: HeaderValue = next(Parameters::parse(query)).unwrap().next_link(sort_key.clone()).unwrap();
        let (_, cursor) = link.to_str().unwrap().split_once("cursor=").unwrap();
        cursor.split_once('>').unwrap().0.to_owned()
    };
    ReadOperation {
        canonical: Box::new(move |query| Ok(parse(Parameters::parse(query))?.canonical())),
        next_cursor: Some(Box::new(next_cursor)),
    }
}

fn operation(id: &str) -> ReadOperation {
    let row = Uuid::nil();
    let without_pages =
        |canonical: fn(&str) -> Result<String, ApiError>| ReadOperation { canonical: Box::new(canonical), next_cursor: None };
    match id {
        "events" => list(EventsQuery::parse, (SortValue::Integer(1), 1, row)),
        "events_ics" => list(ExportQuery::<ICalendar>::parse, (SortValue::Integer(1), 1, row)),
        "events_atom" => list(ExportQuery::<Atom>::parse, (SortValue::Integer(1), 1, row)),
        "events_geojson" => list(ExportQuery::<GeoJson>::parse, (SortValue::Integer(1), 1, row)),
        "events_csv" => list(ExportQuery::<Csv>::parse, (SortValue::Integer(1), 1, row)),
        "event_calendar" => without_pages(|query| Ok(CalendarQuery::parse(Parameters::parse(query))?.canonical())),
        "event_facets" => without_pages(|query| Ok(FacetsQuery::parse(Parameters::parse(query))?.canonical())),
        "search" => list(SearchQuery::parse, (1, row)),
        "concerts" => list(ConcertsQuery::parse, (1, row, 1)),
        "performers" => list(PerformersQuery::parse, ("a".to_owned(), row)),
        "venues" => list(VenuesQuery::parse, ("a".to_owned(), row)),
        "places" => list(PlacesQuery::parse, ("a".to_owned(), "b".to_owned())),
        "sync_runs" => list(SyncRunsQuery::parse, 1),
        "rejects" => list(|parameters: Parameters<'_>| RejectsQuery::parse("7", parameters), 1),
        "rate_batches" => list(BatchesQuery::parse, 1),
        "zzz" => list(DataQuery::parse, 1),
        "rates" => without_pages(|query| Ok(RatesFilters::parse(Parameters::parse(query))?.canonical())),
        "event_rates" => without_pages(|query| Ok(EventRatesFilters::parse(ID, Parameters::parse(query))?.canonical())),
        id => panic!("the operation {id} has query parameters: add it here"),
    }
}

/// A query string with the first value of each parameter, or the second one of `changed`.
fn query(parameters: &[&str], changed: Option<&str>) -> String {
    let pair = |name: &&str| {
        let values = VALUES.iter().find(|(known, ..)| known == name);
        let (_, first, second) = values.unwrap_or_else(|| panic!("the parameter {name} needs two values: add them here"));
        format!("{name}={}", if changed == Some(name) { second } else { first })
    };
    parameters.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn assert_covers(id: &str, parameters: &[&str]) {
    let operation = operation(id);
    let canonical = |query: &str| (operation.canonical)(query).unwrap_or_else(|error| panic!("{id}?{query}: {error:?}"));
    let base = query(parameters, None);
    let cursor = operation.next_cursor.map(|next_cursor| next_cursor(&base));
    if let Some(cursor) = &cursor {
        assert_ne!(canonical(&base), canonical(&format!("{base}&cursor={cursor}")), "{id}: cursor");
    }
    for name in parameters {
        let changed = query(parameters, Some(name));
        assert_ne!(canonical(&base), canonical(&changed), "{id}: {name} is not part of the canonical query");
        if let Some(cursor) = &cursor {
            let continued = (operation.canonical)(&format!("{changed}&cursor={cursor}"));
            assert_eq!(continued.is_ok(), *name == "limit", "{id}: {name} is not part of the binding of cursors");
        }
    }
}

#[test]
fn every_parameter_of_every_read_is_part_of_the_canonical_query() {
    let mut count = 0;
    let paths = Operations::meta().into_iter().flat_map(|api| api.paths);
    let reads = paths.flat_map(|path| path.operations).filter(|operation| operation.method == "GET");
    for read in reads.filter(|read| read.operation_id.is_some_and(|id| !UNCACHED.contains(&id))) {
        let in_query = read.params.iter().filter(|parameter| parameter.in_type == MetaParamIn::Query);
        let names: Vec<&str> = in_query.map(|parameter| parameter.name.as_str()).filter(|name| *name != "cursor").collect();
        if !names.is_empty() {
            assert_covers(read.operation_id.unwrap(), &names);
            count += 1;
        }
    }
    assert_eq!(count, 18, "the operations with query parameters");
}

#[test]
fn a_name_prefix_of_white_space_is_the_same_query_as_none() {
    let canonical = |query: &str| PerformersQuery::parse(Parameters::parse(query)).unwrap().canonical();
    assert_eq!(canonical("q=%09%20"), canonical(""));
    assert_ne!(canonical("q=a"), canonical(""));
}
