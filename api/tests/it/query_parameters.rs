//! Invalid query parameters: each is reported with what is accepted, and all of them together.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};

use crate::test_app::TestApp;

on_every_backend!(
    rejects_malformed_timestamps,
    rejects_nonexistent_days,
    rejects_ranges_that_end_before_they_start,
    limit_must_be_between_1_and_50_000,
    suggests_the_nearest_known_parameter,
    rejects_repeated_parameters,
    reports_all_errors_together,
    parameter_names_must_match_exactly,
    rejects_nul_characters,
    limits_the_size_of_error_responses,
);

/// The validation errors of a search, each as a sentence that begins with the parameter.
async fn search_errors(app: &TestApp, query: &str) -> Vec<String> {
    let response = app.get(&format!("/search?{query}")).await;
    let errors: Vec<String> =
        response.validation_errors().into_iter().map(|(parameter, message)| format!("`{parameter}` {message}")).collect();
    let detail = response.problem(400, "invalid_parameter")["detail"].as_str().unwrap().to_owned();
    assert_eq!(detail, errors.join("; "));
    errors
}

async fn rejects_malformed_timestamps(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let expected = "must be RFC 3339 such as 2021-02-01T00:00:00Z or 2021-02-01T00:00:00+01:00, or a date such as 2021-02-01";
    for text in ["soon", "2021", "1612137600", "2021-02-01T", "2021-02-01T25:00:00Z", "2021-02-01T00Z"] {
        for parameter in ["starts_at", "ends_at"] {
            let errors = search_errors(&app, &format!("{parameter}={text}")).await;
            assert_eq!(errors, [format!("`{parameter}` {expected}, got `{text}`")]);
        }
    }
    let errors = search_errors(&app, "starts_at=%01").await;
    assert!(errors[0].starts_with(&format!("`starts_at` {expected}, got `")), "{errors:?}");
}

async fn rejects_nonexistent_days(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for text in ["2021-09-31", "2021-09-31T00:00:00Z", "2021-02-29T20:00:00", "2021-13-01", "2021-00-00"] {
        let expected = format!("`starts_at` must be an existing date, got `{text}`");
        assert_eq!(search_errors(&app, &format!("starts_at={text}")).await, [expected]);
    }
}

async fn rejects_ranges_that_end_before_they_start(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for (query, start) in [
        ("starts_at=2021-02-02&ends_at=2021-02-01", "2021-02-02T00:00:00Z"),
        ("ends_at=2021-02-01&starts_at=2021-02-02", "2021-02-02T00:00:00Z"),
        ("starts_at=2021-02-01T00:00:00.000001Z&ends_at=2021-02-01T00:00:00Z", "2021-02-01T00:00:00.000001Z"),
        ("starts_at=2021-02-01T00:00:00-01:00&ends_at=2021-02-01T00:00:00Z", "2021-02-01T01:00:00Z"),
    ] {
        let expected = format!("`ends_at` must not be before `starts_at`, which is {start}");
        assert_eq!(search_errors(&app, query).await, [expected], "{query}");
    }
}

async fn limit_must_be_between_1_and_50_000(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for limit in ["0", "-1", "x", "50001", "1.5", "1e3", "0x10", "99999999999999999999", "10%20"] {
        let value = limit.replace("%20", " ");
        let expected = format!("`limit` must be an integer between 1 and 50000, got `{value}`");
        assert_eq!(search_errors(&app, &format!("limit={limit}")).await, [expected], "{limit}");
    }
    for limit in ["1", "50000"] {
        assert_eq!(app.get(&format!("/search?limit={limit}")).await.status, 200);
    }
}

async fn suggests_the_nearest_known_parameter(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for (given, meant) in [
        ("start_at", "starts_at"),
        ("startsAt", "starts_at"),
        ("STARTS_AT", "starts_at"),
        ("end_at", "ends_at"),
        ("ends", "ends_at"),
        ("limits", "limit"),
        ("Cursor", "cursor"),
    ] {
        let errors = search_errors(&app, &format!("{given}=2021-02-01")).await;
        if given == "STARTS_AT" {
            // Names are case-sensitive, so none is close enough.
            assert!(errors[0].starts_with("`STARTS_AT` is not a known parameter; accepted are "), "{errors:?}");
            assert!(["starts_at, ends_at", "limit, cursor"].iter().all(|names| errors[0].contains(names)), "{errors:?}");
        } else {
            assert_eq!(errors, [format!("`{given}` is not a known parameter; did you mean `{meant}`?")]);
        }
    }
    let distant = search_errors(&app, "colour=red").await;
    assert!(distant[0].starts_with("`colour` is not a known parameter; accepted are "), "{distant:?}");
}

async fn rejects_repeated_parameters(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for name in ["starts_at", "ends_at"] {
        let query = format!("{name}=2021-02-01&{name}=2021-02-01");
        assert_eq!(search_errors(&app, &query).await, [format!("`{name}` must be given only once")]);
    }
    assert_eq!(search_errors(&app, "limit=1&limit=2").await, ["`limit` must be given only once"]);
}

async fn reports_all_errors_together(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let mut errors =
        search_errors(&app, "start_at=2021-01-01&starts_at=2021-09-31&ends_at=soon&limit=0&limit=1&cursor=x&colour=red").await;
    let mut parameters: Vec<String> = errors.drain(..).map(|error| error.split('`').nth(1).unwrap().to_owned()).collect();
    parameters.sort();
    assert_eq!(parameters, ["colour", "cursor", "ends_at", "limit", "start_at", "starts_at"]);
}

async fn parameter_names_must_match_exactly(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    assert_eq!(app.get("/search?%73tarts_at=2021-02-01&&").await.status, 200, "escaped letters are decoded");
    for name in ["%20starts_at", "starts_at%00", "starts_at%5B%5D", "ſtarts_at"] {
        let errors = app.get(&format!("/search?{name}=2021-02-01")).await.validation_errors();
        assert!(errors[0].1.contains("did you mean `starts_at`?"), "{errors:?}");
    }
}

async fn rejects_nul_characters(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for (path, parameter) in [
        ("/search?starts_at=%00", "starts_at"),
        ("/search?cursor=a%00b", "cursor"),
        ("/search?limit=1%00", "limit"),
        ("/sync-runs?provider=fever%00", "provider"),
        ("/sync-runs?state=%00", "state"),
    ] {
        let expected = (parameter.to_owned(), "must not contain a NUL character".to_owned());
        assert_eq!(app.get(path).await.validation_errors(), [expected], "{path}");
    }
}

async fn limits_the_size_of_error_responses(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let many = vec!["a"; 12_000].join("&");
    let long = "a".repeat(24_000);
    let value = format!("starts_at={long}");
    for query in [many, long, value] {
        let response = app.get(&format!("/search?{query}")).await;
        response.validation_errors();
        // The response is at most a few times as long as the request.
        assert!(response.body.len() < 4 * query.len(), "{} bytes for {}", response.body.len(), query.len());
    }
}
