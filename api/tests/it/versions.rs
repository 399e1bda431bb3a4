//! `Marquee-Version` and `Marquee-Min-Version`: no process responds with an older catalogue than a client has seen.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use api::{State, database::Replica};
use entity::{ConnectionRole, change::ChangeKind};
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use poem::http::Method;
use sea_orm::DbErr;

use crate::{
    api_process::{RunningApi, create_sqlite_database},
    cached_responses::{cache_status, create_state},
    fixtures::{CatalogueFixture, NewEvent},
    rates::{CsvBatch, post_batch, put_places},
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    a_client_reads_what_it_wrote_from_any_process,
    every_read_of_the_catalogue_waits_for_its_version,
    a_cached_response_has_the_newest_version_that_did_not_change_it,
    a_version_that_does_not_exist_is_unavailable_after_two_seconds,
    a_request_waits_until_its_process_knows_the_version,
    a_replica_that_lags_is_not_read,
    a_replica_is_not_read_instead_of_an_unavailable_primary,
    invalid_versions_are_reported,
    pages_of_other_origins_may_use_versions,
);

const HOUR: Duration = Duration::from_secs(3_600);

async fn get_at_least(app: &TestApp, uri: &str, version: i64) -> TestResponse {
    app.send(Method::GET, uri, &[("marquee-min-version", &version.to_string())]).await
}

fn version_of(response: &TestResponse) -> i64 {
    response.header("marquee-version").unwrap_or_else(|| panic!("{}", response.text())).parse().unwrap()
}

/// Two processes with caches that learn of no release on their own.
async fn start_processes(database: &TestDatabase) -> [(State, TestApp); 2] {
    let states = [create_state(database).await, create_state(database).await];
    for state in &states {
        state.version.refresh().await.unwrap();
    }
    states.map(|state| (state.clone(), TestApp::with_state(&state)))
}

async fn a_client_reads_what_it_wrote_from_any_process(database: Arc<TestDatabase>) {
    let event = NewEvent::titled("show");
    let removal = format!("/events/{}?reason=x", event.row.id);
    CatalogueFixture::new(&database).await.insert([event]).await;
    let [(_, writer), (_, reader)] = start_processes(&database).await;
    let rates = "/rates?date_from=2021-01-30&date_to=2021-01-30&orig_code=EETLL&dest_code=EETLL";
    assert_eq!(reader.get("/places").await.status, 200);

    let places = put_places(&writer, &[], &[("EETLL", "")]).await;
    assert_eq!(reader.get("/places").await.json()["data"]["places"], serde_json::json!([]), "the process does not know it yet");
    let read = get_at_least(&reader, "/places", version_of(&places)).await;
    assert_eq!(read.json()["data"]["places"][0]["code"], "EETLL");
    assert!(version_of(&read) >= version_of(&places));

    let prices = CsvBatch::default().add("EETLL", "EETLL", "2021-01-30", "5");
    let batch = post_batch(&writer, &prices, &[]).await;
    assert_eq!(get_at_least(&reader, rates, version_of(&batch)).await.json()["rates"][0]["count"], 1);
    let deleted = writer.send(Method::DELETE, &batch.location(), &[]).await;
    assert_eq!(get_at_least(&reader, rates, version_of(&deleted)).await.json()["rates"][0]["count"], 0);

    assert_eq!(reader.get("/search").await.titles(), ["show"]);
    let removed = writer.send(Method::DELETE, &removal, &[]).await;
    assert_eq!(removed.status, 204);
    assert!(get_at_least(&reader, "/search", version_of(&removed)).await.titles().is_empty());
}

async fn every_read_of_the_catalogue_waits_for_its_version(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let event = NewEvent::titled("show").venue("hall", (41.0, 2.0), Some("ESBCN")).performers(&["1"]);
    let (id, venue, performer) = (event.row.id, event.row.venue_id.unwrap(), event.performer_id("1"));
    catalogue.insert([event]).await;
    let [(_, app), _] = start_processes(&database).await;
    put_places(&app, &[], &[("ESBCN", "")]).await;
    let document: serde_json::Value = serde_json::from_str(&app.get("/openapi.json").await.text()).unwrap();
    let mut read = 0;
    for (template, operations) in document["paths"].as_object().unwrap() {
        let parameters = operations["get"]["parameters"].as_array().into_iter().flatten();
        if !parameters.into_iter().any(|parameter| parameter["name"] == "Marquee-Min-Version") {
            assert!(operations["get"]["responses"]["200"]["headers"].get("Marquee-Version").is_none(), "{template}");
            continue;
        }
        let id = match template.split('/').nth(1) {
            Some("venues") => venue,
            Some("performers") => performer,
            _ => id,
        };
        let query = match template.as_str() {
            "/concerts" => "?bandIds=1",
            "/rates" => "?date_from=2021-02-09&date_to=2021-02-10&orig_code=ESBCN&dest_code=ESBCN",
            "/events/{id}/rates" => "?orig_code=ESBCN",
            _ => "",
        };
        let path = template.replace("{id}", &id.to_string()).replace("{slug}", "fever");
        // This process does not know it.
        let change = catalogue.change(ChangeKind::Updated, "fever", id, r#"{"title":{"old":"x","new":"show"}}"#).await;
        let version = catalogue.release(vec![change]).await.version;
        let response = get_at_least(&app, &format!("{path}{query}"), version).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        assert!(version_of(&response) >= version, "{path}");
        read += 1;
    }
    assert_eq!(read, 24, "the reads of the catalogue");
}

async fn a_cached_response_has_the_newest_version_that_did_not_change_it(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_with_new_version(NewEvent::titled("show")).await;
    let [(state, app), _] = start_processes(&database).await;
    let first = app.get("/search").await;
    let places = put_places(&app, &[], &[("EETLL", "")]).await;
    state.version.refresh().await.unwrap();
    let etag = first.header("etag").unwrap().to_owned();
    for headers in [vec![], vec![("if-none-match", etag.as_str())], vec![("marquee-min-version", "1")]] {
        let later = app.send(Method::GET, "/search", &headers).await;
        assert_eq!(cache_status(&later), "marquee-process; hit", "{headers:?}");
        assert_eq!(version_of(&later), version_of(&places), "{headers:?}");
    }
    assert!(version_of(&first) < version_of(&places));
    let hit = get_at_least(&app, "/search", version_of(&places)).await;
    assert_eq!(cache_status(&hit), "marquee-process; hit");
}

async fn a_version_that_does_not_exist_is_unavailable_after_two_seconds(database: Arc<TestDatabase>) {
    let [(_, app), _] = start_processes(&database).await;
    for uri in ["/search", "/places", "/changes", "/events.ndjson"] {
        let started = Instant::now();
        let response = get_at_least(&app, uri, i64::MAX).await;
        response.problem(503, "version_unavailable");
        assert!(started.elapsed() >= Duration::from_secs(2), "{uri}: {:?}", started.elapsed());
        assert_eq!(response.header("retry-after"), Some("1"));
    }
}

async fn a_request_waits_until_its_process_knows_the_version(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let [(state, app), _] = start_processes(&database).await;
    let next = state.version.current().unwrap() + 1;
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        catalogue.insert_with_new_version(NewEvent::titled("show")).await;
        // The task that watches the version does this twice a second.
        state.version.refresh().await.unwrap();
    };
    let (response, ()) = tokio::join!(get_at_least(&app, "/search", next), release);
    assert_eq!(response.titles(), ["show"]);
}

/// A primary with an event, and a replica that was frozen before it.
async fn start_with_frozen_replica(database: &TestDatabase) -> (TestDatabase, State, TestApp) {
    let frozen = TestDatabase::migrated(Backend::Sqlite).await;
    let (reads, watch) = (frozen.connect(ConnectionRole::Api).await, frozen.connect(ConnectionRole::Watch).await);
    let (primary, primary_watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = State::with_replica(primary, primary_watch, Some(Replica::new(reads, watch, HOUR)), 1024 * 1024, None);
    let catalogue = CatalogueFixture::new(database).await;
    catalogue.insert_with_new_version(NewEvent::titled("show")).await;
    state.version.refresh().await.unwrap();
    (frozen, state.clone(), TestApp::with_state(&state))
}

async fn a_replica_that_lags_is_not_read(database: Arc<TestDatabase>) {
    let (frozen, state, app) = start_with_frozen_replica(&database).await;
    let version = state.version.current().unwrap();
    let lagging = app.get("/search").await;
    assert_eq!((lagging.titles().len(), version_of(&lagging)), (0, 0), "the replica is read");
    let read = get_at_least(&app, "/search", version).await;
    assert_eq!((read.titles(), version_of(&read)), (vec!["show".to_owned()], version));
    // The replica was read before, so its version is known.
    for coding in ["gzip", "identity"] {
        let headers = [("marquee-min-version", version.to_string()), ("accept-encoding", coding.to_owned())];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let read = app.send(Method::GET, "/search?limit=3", &headers).await;
        assert!(String::from_utf8(read.decoded()).unwrap().contains("show"), "{coding}");
    }
    frozen.remove().await;
}

async fn a_replica_is_not_read_instead_of_an_unavailable_primary(database: Arc<TestDatabase>) {
    let (frozen, state, app) = start_with_frozen_replica(&database).await;
    let version = state.version.current().unwrap();
    let event = format!("/events/{}", NewEvent::titled("show").row.id);
    state.reader.replica().unwrap().check().await;
    state.availability.report_lost_connection(&DbErr::Custom("cut".to_owned()));
    for uri in ["/search", "/places", "/changes", "/performers/fever:1", &event, &format!("{event}/history")] {
        get_at_least(&app, uri, version).await.problem(503, "version_unavailable");
    }
    assert_eq!(get_at_least(&app, "/search", 0).await.status, 200, "the replica has this version");
    app.get(&event).await.problem(404, "not_found");
    frozen.remove().await;
}

async fn invalid_versions_are_reported(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for uri in ["/search", "/places", "/changes", "/events/00000000-0000-0000-0000-000000000000", "/events.ndjson"] {
        for value in ["x", "-1", "1.5", "9223372036854775808"] {
            let response = app.send(Method::GET, uri, &[("marquee-min-version", value)]).await;
            let errors = response.validation_errors();
            let expected = format!("must be the `Marquee-Version` of a response, an integer from 0 on, got `{value}`");
            assert_eq!(errors, [("Marquee-Min-Version".to_owned(), expected)], "{uri}");
        }
        let headers = [("marquee-min-version", "1"), ("marquee-min-version", "2")];
        let errors = app.send(Method::GET, uri, &headers).await.validation_errors();
        assert_eq!(errors[0].1, "must be given only once", "{uri}");
    }
}

async fn pages_of_other_origins_may_use_versions(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let origin = ("origin", "https://elsewhere.example");
    let preflight = [origin, ("access-control-request-method", "GET"), ("access-control-request-headers", "marquee-min-version")];
    let allowed = app.send(Method::OPTIONS, "/search", &preflight).await;
    // Without credentials, `*` allows every header but `Authorization`.
    assert!(allowed.header("access-control-allow-headers").unwrap().starts_with('*'));
    let response = app.send(Method::GET, "/search", &[origin]).await;
    assert!(response.header("access-control-expose-headers").unwrap().contains("marquee-version"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_follow_the_versions_of_each_other() {
    let (_database, url) = create_sqlite_database().await;
    let processes = [RunningApi::start(&url, &[]).await, RunningApi::start(&url, &[]).await];
    let mut version = 0;
    for number in 0..20 {
        let [writer, reader] = if number % 2 == 0 { [&processes[0], &processes[1]] } else { [&processes[1], &processes[0]] };
        let code = format!("EE{number:03}");
        let body = format!(r#"{{"regions":[],"places":[{{"code":"{code}","name":"place"}}]}}"#);
        let length = body.len();
        let written = writer
            .exchange(
                format!(
                    "PUT /places HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
                     Content-Length: {length}\r\n\r\n{body}"
                )
                .as_bytes(),
            )
            .await;
        let header =
            written.lines().find_map(|line| line.strip_prefix("marquee-version: ")).unwrap_or_else(|| panic!("{written}"));
        let written: i64 = header.parse().unwrap();
        assert!(written > version);
        version = written;
        let request =
            format!("GET /places HTTP/1.1\r\nHost: test\r\nConnection: close\r\nMarquee-Min-Version: {version}\r\n\r\n");
        let read = reader.exchange(request.as_bytes()).await;
        assert!(read.contains(&code), "{read}");
    }
    for process in processes {
        assert_eq!(process.stop("-TERM").await.0, Some(0));
    }
}
