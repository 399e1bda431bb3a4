//! What the fuzz targets check.

use std::str;

use api::query::Canonical;
use api::{error::ApiError, query::Parameters, response::Problem};
use rates::{BatchEncoding, BatchFormat, BatchLimits, PlaceIds, read_batch};
use worker::provider::{
    category::CategoryMap,
    format::{self, Conventions, ReadMonth},
};

/// Parses a feed: the spans of its items lie in the document, and an error has a short text.
pub fn check_feed(format: &str, document: &[u8]) {
    let (currency, category_map) = ("EUR".parse().expect("a currency"), CategoryMap::default());
    let origin = "https://feeds.example/".parse().expect("a URL");
    // The fixtures are of this year.
    let month = ReadMonth::of(entity::UtcInstant(1_924_992_000_000_000));
    let conventions = Conventions { time_zone: chrono_tz::Europe::Madrid, currency, category_map, id_from: None, origin, month };
    match format::find(format).expect("a format").parse(document, &conventions) {
        Ok(feed) => {
            for base_event in &feed.base_events {
                assert!(document.get(base_event.span.clone()).is_some());
                assert!(base_event.events.iter().all(|event| document.get(event.span.clone()).is_some()));
            }
            for reject in &feed.rejects {
                assert!(document.get(reject.span.clone()).is_some() && !reject.reason.is_empty());
            }
        }
        Err(error) => assert!(error.to_string().len() < 1_000, "{error}"),
    }
}

/// Reads a batch of prices: every error has a line of the batch.
pub fn check_batch(format: BatchFormat, batch: &[u8]) {
    let places: PlaceIds = [("ESBCN".to_owned(), 1), ("FRPAR".to_owned(), 2)].into_iter().collect();
    if let Ok(read) = read_batch(batch, BatchEncoding::Identity, format, &places, &BatchLimits::REQUEST) {
        let lines = 1 + batch.iter().filter(|&&byte| byte == b'\n').count() as u64;
        if let Err(errors) = read.outcome {
            assert!(errors.count > 0 && errors.first.iter().all(|error| (1..=lines).contains(&error.line)), "{errors:?}");
        }
    }
}

/// Parses a query string: the canonical form of a query is a query with the same canonical form.
pub fn check_query<Q: Canonical>(query: &str, parse: impl Fn(Parameters<'_>) -> Result<Q, ApiError>) {
    match parse(Parameters::parse(query)) {
        Ok(parsed) => {
            let canonical = parsed.canonical();
            let again = canonical.split_once('?').map_or("", |(_, query)| query);
            let again = parse(Parameters::parse(again)).unwrap_or_else(|error| panic!("{canonical}: {error}"));
            assert_eq!(again.canonical(), canonical);
        }
        Err(error) => check_problem(&error, "/search"),
    }
}

/// Encodes a problem: it is JSON with the error's detail.
pub fn check_problem(error: &ApiError, path: &str) {
    let problem = Problem::new(error, "7f3a", path);
    let json = serde_json::to_vec(&problem).expect("problems serialize");
    let decoded: serde_json::Value = serde_json::from_slice(&json).expect("valid JSON");
    assert_eq!(decoded["detail"], problem.detail.as_str());
    assert!(problem.kind.len() < 200);
}

/// The text, if it is UTF-8.
pub fn as_text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}
