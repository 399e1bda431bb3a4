//! Who may see the pages and send their forms, and their headers.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use entity::job::JobState;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{DatabaseConnection, EntityTrait};

use super::{super::html_of, insert_job, token_of};
use crate::{
    api_keys::{create_key, create_keys_file_path, start_app},
    fixtures::CatalogueFixture,
    test_app::TestApp,
};

on_every_backend!(pages_require_the_scope_of_operators, a_key_that_reads_cannot_write, forms_of_other_origins_change_nothing);

const PAGES: [&str; 7] = ["/ops", "/ops/runs", "/ops/runs/1", "/ops/jobs", "/ops/dry-runs", "/ops/webhooks", "/ops/dry-runs/1"];
const FORM: &str = "application/x-www-form-urlencoded";

fn basic(key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("operator:{key}")))
}

async fn pages_require_the_scope_of_operators(database: Arc<TestDatabase>) {
    let (_folder, file) = create_keys_file_path();
    let reader = create_key(&file, "reader", &["read"]);
    let operator = create_key(&file, "operator", &["operations"]);
    let app = start_app(&database, &file).await;
    for path in PAGES {
        for authorization in ["", "Basic dXNlcjpwYXNzd29yZA=="] {
            let response = app.send(Method::GET, path, &[("authorization", authorization)]).await;
            html_of(&response, 401);
            let challenge = response.header("www-authenticate");
            assert_eq!(challenge, Some("Basic realm=\"marquee operations\", charset=\"UTF-8\""), "{path}");
        }
        let html = html_of(&app.send(Method::GET, path, &[("authorization", &basic(&reader))]).await, 403);
        assert!(html.contains("the API key lacks the scope `operations`"), "{path}: {html}");
        for authorization in [basic(&operator), format!("Bearer {operator}")] {
            let response = app.send(Method::GET, path, &[("authorization", &authorization)]).await;
            let expected = if path.ends_with("/1") { 404 } else { 200 };
            html_of(&response, expected);
            assert_eq!(response.header("cache-control"), Some("no-store"), "{path}");
            assert_eq!(response.header("access-control-allow-origin"), None, "{path}: no page of another origin may read it");
            assert_eq!(response.header("cross-origin-resource-policy"), Some("same-origin"));
            let policy = response.header("content-security-policy").unwrap();
            assert!(policy.starts_with("default-src 'none'; script-src 'self'; ") && !policy.contains("unsafe"), "{policy}");
        }
    }
    let unknown = app.send(Method::GET, "/ops/unknown", &[("authorization", &basic(&operator))]).await;
    unknown.problem(404, "path_not_found");
    assert_eq!(app.get("/%6fps").await.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn without_keys_only_the_local_machine_sees_the_pages() {
    let database = DatabaseConnection::default();
    let app = TestApp::with_connection(database);
    for path in PAGES {
        for header in [("x-forwarded-for", "192.0.2.7"), ("host", "events.example"), ("via", "1.1 proxy")] {
            let html = html_of(&app.send(Method::GET, path, &[header]).await, 403);
            assert!(html.contains("Local access only") && html.contains("API_KEYS_FILE"), "{path} {header:?}");
        }
    }
}

async fn a_key_that_reads_cannot_write(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("fever", "EUR", 2).await;
    let job = insert_job(&catalogue.database, "fever", JobState::Dead, Some("disk full")).await;
    let (_folder, file) = create_keys_file_path();
    let reader = create_key(&file, "operator", &["operations"]);
    let admin = create_key(&file, "admin", &["admin"]);
    let app = start_app(&database, &file).await;
    let get = async |path: &str, key: &str| html_of(&app.send(Method::GET, path, &[("authorization", &basic(key))]).await, 200);
    let html = get("/ops/jobs", &reader).await;
    assert!(
        html.contains("disk full") && html.contains("use a key with the scope <code>admin</code>") && !html.contains("<button>")
    );
    assert!(get("/ops/dry-runs", &reader).await.contains("no provider that your key may push to"));

    let path = format!("/ops/jobs/{}/retry", job.id);
    let token = token_of(&get("/ops/jobs", &admin).await);
    let send = async |key: &str, token: &str| {
        let headers = [("authorization", basic(key))];
        app.upload(Method::POST, &path, (FORM, format!("token={token}")), &[(headers[0].0, headers[0].1.as_str())]).await
    };
    html_of(&send(&reader, &token).await, 403);
    html_of(&send(&admin, "").await, 400);
    html_of(&send(&admin, &token[1..]).await, 400);
    let stored = entity::job::Entity::find_by_id(job.id).one(&catalogue.database).await.unwrap().unwrap();
    assert_eq!(stored.state, JobState::Dead);
    assert_eq!(send(&admin, &token).await.status, 303);
    let other = create_key(&file, "other", &["admin"]);
    let app = start_app(&database, &file).await;
    let headers = [("authorization", basic(&other))];
    let response =
        app.upload(Method::POST, &path, (FORM, format!("token={token}")), &[(headers[0].0, headers[0].1.as_str())]).await;
    assert!(html_of(&response, 400).contains("reload the page"), "a token belongs to one key");
}

async fn forms_of_other_origins_change_nothing(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("fever", "EUR", 2).await;
    let job = insert_job(&catalogue.database, "fever", JobState::Dead, None).await;
    let (_folder, file) = create_keys_file_path();
    let admin = basic(&create_key(&file, "admin", &["admin"]));
    let path = format!("/ops/jobs/{}/retry", job.id);
    // With keys, of which a browser sends the password to any page, and without, where the browser is on the local machine.
    for (app, authorization) in [(start_app(&database, &file).await, admin.as_str()), (TestApp::new(&database).await, "")] {
        let page = html_of(&app.send(Method::GET, "/ops/jobs", &[("authorization", authorization)]).await, 200);
        let body = format!("token={}", token_of(&page));
        for header in [
            ("origin", "https://elsewhere.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            for (path, form) in [(path.as_str(), FORM), ("/ops/dry-runs", "multipart/form-data; boundary=x")] {
                let headers = [("authorization", authorization), header];
                let response = app.upload(Method::POST, path, (form, body.clone()), &headers).await;
                assert!(html_of(&response, 403).contains("another origin"), "{path} {header:?}");
            }
        }
        let stored = entity::job::Entity::find_by_id(job.id).one(&catalogue.database).await.unwrap().unwrap();
        assert_eq!(stored.state, JobState::Dead);
    }
    assert!(entity::pushed_feed::Entity::find().all(&catalogue.database).await.unwrap().is_empty());
}
