//! The query strings of the operations that search. The first byte selects the operation.
#![no_main]

use api::resources::{
    concerts::ConcertsQuery,
    performers::PerformersQuery,
    places::PlacesQuery,
    rates::{EventRatesFilters, RatesFilters},
    search::SearchQuery,
    venues::VenuesQuery,
};
use marquee_fuzz::{as_text, check_query};

const ID: &str = "c4a626ff-9f25-5533-a0a8-2b67472b5ee3";

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((operation, query)) = input.split_first() else { return };
    let query = as_text(query);
    match operation % 7 {
        0 => check_query(query, SearchQuery::parse),
        1 => check_query(query, ConcertsQuery::parse),
        2 => check_query(query, PerformersQuery::parse),
        3 => check_query(query, VenuesQuery::parse),
        4 => check_query(query, PlacesQuery::parse),
        5 => check_query(query, RatesFilters::parse),
        _ => check_query(query, |parameters| EventRatesFilters::parse(ID, parameters)),
    }
});
