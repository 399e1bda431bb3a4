//! `DELETE /events/{id}`, and the responses of processes that had cached the event.

use std::{sync::Arc, time::Duration};

use api::State;
use entity::{ConnectionRole, UtcInstant, change, change::ChangeKind, provider, tombstone};
use migration::{
    on_every_backend,
    testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase},
};
use poem::http::Method;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};

use crate::{
    api_keys::{create_key, create_keys_file_path, start_app},
    cached_responses::create_state,
    fixtures::{CatalogueFixture, NewEvent},
    rates::put_places,
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    a_removed_event_is_gone_from_every_response,
    a_takedown_can_be_repeated,
    an_event_is_removed_only_if_the_condition_holds,
    invalid_takedowns_change_nothing,
    a_takedown_needs_the_scope_admin,
    an_event_that_readers_cannot_see_can_be_removed,
    no_process_serves_a_cached_response_after_it_knows_of_a_takedown,
);

const LISTS: [&str; 5] =
    ["/search", "/search?starts_at=2021-02-10", "/concerts?bandIds=7", "/performers?q=performer%207", "/venues?q=removed"];

/// An event with a performer and a venue that no other event has.
fn removable() -> NewEvent {
    NewEvent::titled("removed show").performers(&["7"]).venue("removed hall", (41.0, 2.0), Some("AAAAA")).prices(&[500])
}

/// An event that remains, far from the first.
fn other() -> NewEvent {
    NewEvent::titled("other show").starts("2021-06-10T20:00:00").performers(&["8"]).venue("hall", (10.0, 10.0), None)
}

async fn remove(app: &TestApp, event: &NewEvent) -> TestResponse {
    app.send(Method::DELETE, &format!("/events/{}?reason=case%2012", event.row.id), &[]).await
}

fn assert_without_content(response: &TestResponse) {
    assert_eq!(response.status, 200, "{}", response.text());
    for content in ["removed show", "removed hall", "Performer 7"] {
        assert!(!response.text().contains(content), "{}: {}", response.path, response.text());
    }
}

async fn a_removed_event_is_gone_from_every_response(database: Arc<TestDatabase>) {
    let event = removable();
    CatalogueFixture::new(&database).await.insert([event.clone(), other()]).await;
    let app = TestApp::with_state(&create_state(&database).await);
    put_places(&app, &[], &[("AAAAA", "")]).await;
    let paths = [format!("/events/{}", event.row.id), format!("/events/{}/rates?orig_code=AAAAA", event.row.id)];
    for path in LISTS.iter().copied().chain(paths.iter().map(String::as_str)) {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }

    let response = remove(&app, &event).await;
    assert_eq!((response.status.as_u16(), response.body.len()), (204, 0), "{}", response.text());
    for path in LISTS {
        assert_without_content(&app.get(path).await);
    }
    assert_eq!(app.get("/search").await.titles(), ["other show"]);
    for path in &paths {
        let problem = app.get(path).await.problem(410, "event_removed");
        assert_eq!(problem["detail"], format!("event `{}` was removed and will not return", event.row.id));
        assert!(!problem.to_string().contains("case 12"), "the reason is not public: {problem}");
    }
    assert_eq!(app.send(Method::HEAD, &paths[0], &[]).await.status, 410);
}

async fn a_takedown_can_be_repeated(database: Arc<TestDatabase>) {
    let (event, fixture) = (removable(), CatalogueFixture::new(&database).await);
    fixture.insert([event.clone()]).await;
    let app = TestApp::new(&database).await;
    for _ in 0..2 {
        assert_eq!(remove(&app, &event).await.status, 204);
    }
    let retry = app.send(Method::DELETE, &format!("/events/{}?reason=x", event.row.id), &[("if-match", "\"a\"")]).await;
    assert_eq!(retry.status, 204, "the response to the first request may have been lost");
    let tombstones = tombstone::Entity::find().all(&fixture.database).await.unwrap();
    let reasons: Vec<_> = tombstones.iter().map(|tombstone| (tombstone.event_id, tombstone.reason.as_str())).collect();
    assert_eq!(reasons, [(event.row.id, "case 12")]);
    let changes = change::Entity::find().all(&fixture.database).await.unwrap();
    assert_eq!(
        changes.iter().map(|change| (change.event_id, change.kind)).collect::<Vec<_>>(),
        [(event.row.id, ChangeKind::Left)]
    );
}

async fn an_event_is_removed_only_if_the_condition_holds(database: Arc<TestDatabase>) {
    let event = removable();
    CatalogueFixture::new(&database).await.insert([event.clone()]).await;
    let app = TestApp::new(&database).await;
    let path = format!("/events/{}", event.row.id);
    let etag = app.get(&path).await.header("etag").unwrap().to_owned();
    let removal = format!("{path}?reason=x");
    app.send(Method::DELETE, &removal, &[("if-match", "\"other\"")]).await.problem(412, "precondition_failed");
    assert_eq!(app.get(&path).await.status, 200);
    let condition = format!("\"other\", {etag}");
    assert_eq!(app.send(Method::DELETE, &removal, &[("if-match", &condition)]).await.status, 204);
    assert_eq!(app.get(&path).await.status, 410);
}

async fn invalid_takedowns_change_nothing(database: Arc<TestDatabase>) {
    let event = removable();
    CatalogueFixture::new(&database).await.insert([event.clone()]).await;
    let app = TestApp::new(&database).await;
    let path = format!("/events/{}", event.row.id);
    let delete = async |uri: &str, headers: &[(&str, &str)]| app.send(Method::DELETE, uri, headers).await;
    let long = "x".repeat(501);
    for query in ["", "?reason=", &format!("?reason={long}"), "?reason=a%0Ab", "?reason=a&reason=b", "?reason=a&why=b"] {
        assert_eq!(delete(&format!("{path}{query}"), &[]).await.validation_errors().len(), 1, "{query}");
    }
    assert_eq!(delete("/events/x?reason=a", &[]).await.validation_errors()[0].0, "id");
    let unknown = delete("/events/00000000-0000-0000-0000-000000000000?reason=a", &[]).await;
    unknown.problem(404, "not_found");
    delete(&format!("{path}?reason=a"), &[("x-forwarded-for", "192.0.2.7")]).await.problem(403, "remote_write_forbidden");
    delete(&format!("{path}?reason=a"), &[("origin", "https://elsewhere.example")]).await.problem(403, "cross_origin_write");
    assert_eq!(app.get(&path).await.status, 200);
}

async fn a_takedown_needs_the_scope_admin(database: Arc<TestDatabase>) {
    let event = removable();
    CatalogueFixture::new(&database).await.insert([event.clone()]).await;
    let (_folder, file) = create_keys_file_path();
    let keys = [create_key(&file, "feed", &["feed:fever", "operations"]), create_key(&file, "admin", &["admin"])];
    let app = start_app(&database, &file).await;
    let path = format!("/events/{}?reason=x", event.row.id);
    let delete = async |key: &str| app.send(Method::DELETE, &path, &[("authorization", &format!("Bearer {key}"))]).await;
    app.send(Method::DELETE, &path, &[]).await.problem(401, "authentication_required");
    let problem = delete(&keys[0]).await.problem(403, "missing_scope");
    assert_eq!(problem["detail"], "the API key lacks the scope `admin`");
    assert_eq!(delete(&keys[1]).await.status, 204);
}

async fn an_event_that_readers_cannot_see_can_be_removed(database: Arc<TestDatabase>) {
    let fixture = CatalogueFixture::new(&database).await;
    let (hidden, loading) = (removable().hidden(), other().of_provider("loading"));
    fixture.insert([hidden.clone(), loading.clone()]).await;
    let mut providers = provider::Entity::find().all(&fixture.database).await.unwrap();
    providers.retain(|provider| provider.slug == "loading");
    let provider = provider::ActiveModel { loading_since: Set(Some(UtcInstant(1))), ..providers.remove(0).into_active_model() };
    provider.update(&fixture.database).await.unwrap();
    let app = TestApp::new(&database).await;
    for event in [hidden, loading] {
        let path = format!("/events/{}", event.row.id);
        assert_eq!(app.get(&path).await.status, 404);
        app.send(Method::DELETE, &format!("{path}?reason=x"), &[("if-match", "*")]).await.problem(412, "precondition_failed");
        assert_eq!(remove(&app, &event).await.status, 204);
        assert_eq!(app.get(&path).await.status, 410);
    }
    assert!(change::Entity::find().all(&fixture.database).await.unwrap().is_empty(), "readers never saw them");
}

async fn no_process_serves_a_cached_response_after_it_knows_of_a_takedown(database: Arc<TestDatabase>) {
    let event = removable();
    CatalogueFixture::new(&database).await.insert([event.clone(), other()]).await;
    let (one, two) = (create_state(&database).await, create_state(&database).await);
    let (app, other_app) = (TestApp::with_state(&one), TestApp::with_state(&two));
    let gzip = [("accept-encoding", "gzip")];
    for path in LISTS {
        for app in [&app, &other_app] {
            assert_eq!(app.get(path).await.status, 200);
            assert_eq!(app.send(Method::GET, path, &gzip).await.status, 200);
        }
    }
    assert_eq!(remove(&app, &event).await.status, 204);
    two.version.refresh().await.unwrap();
    for path in LISTS {
        for app in [&app, &other_app] {
            // Not even for the moment in which other releases are revalidated.
            let response = app.get(path).await;
            assert_eq!(response.header("warning"), None, "{path}");
            assert_without_content(&response);
            let encoded = app.send(Method::GET, path, &gzip).await;
            assert!(!String::from_utf8_lossy(&encoded.decoded()).contains("removed"), "{path}");
        }
    }
}

/// While the database is unavailable, other cached responses are served.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_does_not_bring_a_removed_event_back() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let event = removable();
    CatalogueFixture::new(&database).await.insert([event.clone(), other()]).await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Forward).await;
    let state = State::new(proxy.connect().await, proxy.connect().await, 1 << 20, None);
    let app = TestApp::with_state(&state);
    let unaffected = "/search?starts_at=2021-06-01";
    for path in LISTS.into_iter().chain([unaffected]) {
        assert_eq!(app.get(path).await.status, 200);
    }
    let direct = TestApp::with_connection(database.connect(ConnectionRole::Api).await);
    assert_eq!(remove(&direct, &event).await.status, 204);
    state.version.refresh().await.unwrap();

    proxy.set_mode(ProxyMode::Cut).await;
    assert!(state.version.refresh().await.is_err());
    let stale = app.get(unaffected).await;
    assert_eq!(stale.titles(), ["other show"]);
    assert!(stale.header("warning").unwrap().starts_with("111"), "{:?}", stale.headers);
    for path in LISTS {
        app.get(path).await.problem(503, "database_unavailable");
    }

    proxy.set_mode(ProxyMode::Forward).await;
    let recovered = async { while state.version.refresh().await.is_err() || app.get("/search").await.status != 200 {} };
    tokio::time::timeout(Duration::from_secs(60), recovered).await.unwrap();
    for path in LISTS {
        assert_without_content(&app.get_with_retries(path).await);
    }
    proxy.set_mode(ProxyMode::Cut).await;
    database.remove().await;
}
