//! Programs of two releases may share a Redis, so the format number in its keys must change with the responses.

use std::{fmt::Write, fs, path::Path};

use api::cache::FORMAT;
use migration::testing::{Backend, TestDatabase};

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    rates::{CsvBatch, import_batch, put_places},
    test_app::TestApp,
};

/// The responses of every cached operation.
const RECORDED: &str = "tests/it/fixtures/cached_responses.txt";
/// Updates the file.
const UPDATE: &str = "UPDATE_CACHED_RESPONSES";

const PATHS: [&str; 14] = [
    "/search",
    "/search?limit=1",
    "/concerts?bandIds=1&limit=1",
    "/concerts?bandIds=1&limit=1&sort=starts_at",
    "/performers",
    "/performers?q=1",
    "/performers/fever:1",
    "/venues?q=hall",
    "/venues/fever:venue%20of%20hall",
    "/providers/fever",
    "/categories",
    "/places",
    "/rates?date_from=2021-02-09&date_to=2021-02-11&orig_code=SEGOT&dest_code=EETLL",
    "/events/{id}/rates?orig_code=SEGOT",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_format_number_changes_with_the_responses() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let show = |title: &str| {
        NewEvent::titled(title).ends("2021-02-11T01:30:00").prices(&[1_550, 5_500]).performers(&["1", "2"]).venue(
            "hall",
            (59.4, 24.7),
            Some("EETLL"),
        )
    };
    CatalogueFixture::new(&database).await.insert([show("first"), show("second")]).await;
    let app = TestApp::new(&database).await;
    put_places(&app, &[("northern_europe", "")], &[("EETLL", "northern_europe"), ("SEGOT", "northern_europe")]).await;
    let prices = ["12.5", "20", "31"];
    let batch = prices.iter().fold(CsvBatch::default(), |batch, price| batch.add("SEGOT", "EETLL", "2021-02-10", price));
    import_batch(&app, &batch).await;

    let mut responses = format!("format {FORMAT}\n");
    for path in PATHS {
        let path = path.replace("{id}", &show("first").row.id.to_string());
        let response = app.get(&path).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        let link = response.header("link").unwrap_or("-");
        writeln!(responses, "\n{path}\nlink: {link}\n{}", response.text()).unwrap();
    }

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDED);
    let recorded = fs::read_to_string(&file).unwrap();
    if responses != recorded {
        let is_incremented = !recorded.starts_with(&format!("format {FORMAT}\n"));
        assert!(is_incremented, "cached responses changed: increment `cache::FORMAT`\n{responses}");
        assert!(std::env::var_os(UPDATE).is_some(), "to record the responses of the new format, run this test with {UPDATE}=1");
        fs::write(&file, responses).unwrap();
    }
    database.remove().await;
}
