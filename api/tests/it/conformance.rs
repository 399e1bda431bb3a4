//! What RFC 9110 and browsers expect of every operation: hosts, encodings, redirects, methods, caching, forms and conditions.

use std::{io::Write, sync::Arc};

use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::DatabaseConnection;
use serde_json::json;

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    parameters_of_forms_and_of_campaigns_are_accepted,
    times_without_seconds_are_accepted,
    head_is_get_without_a_body,
    places_are_replaced_only_if_the_condition_holds,
    a_batch_is_deleted_only_if_the_condition_holds,
    forms_are_read_strictly,
    encoded_bodies_are_decoded_or_rejected,
    a_byte_order_mark_is_ignored_in_every_body,
    csv_headers_are_read_in_any_case,
    an_idempotency_key_may_be_a_structured_field,
    feeds_need_the_media_type_of_a_document,
);

fn app_without_database() -> TestApp {
    TestApp::with_connection(DatabaseConnection::default())
}

async fn post_form(app: &TestApp, media_type: &str, body: &[u8]) -> TestResponse {
    app.upload(Method::POST, "/multivac/data", (media_type, body.to_vec()), &[]).await
}

const URL_ENCODED: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_host_must_be_valid() {
    let app = app_without_database();
    for host in ["localhost", "localhost:8000", "[::1]:8000", "events.example", ""] {
        assert_eq!(app.send(Method::GET, "/livez", &[("host", host)]).await.status, 200, "{host}");
    }
    for host in ["a b", "user@host", "a/b", "a,b", "a?b"] {
        app.send(Method::GET, "/livez", &[("host", host)]).await.problem(400, "bad_request");
    }
}

#[tokio::test]
async fn invalid_utf8_is_rejected() {
    let app = app_without_database();
    for path in ["/events/%FF", "/%C3%28", "/search%80"] {
        let problem = app.get(path).await.problem(400, "bad_request");
        assert_eq!(problem["detail"], "the path must be percent-encoded UTF-8");
    }
    for (query, parameter) in [("starts_at=%FF", "starts_at"), ("limit=1&starts_at=%C3%28", "starts_at"), ("%FF=1", "\u{fffd}")] {
        let errors = app.get(&format!("/search?{query}")).await.validation_errors();
        assert!(errors.contains(&(parameter.to_owned(), "must be percent-encoded UTF-8".to_owned())), "{query}: {errors:?}");
    }
}

#[tokio::test]
async fn unreserved_characters_may_be_encoded() {
    let app = app_without_database();
    for path in ["/%6Civez", "/livez", "/%6c%69%76%65%7a?x=1"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
    assert_eq!(app.get("/%73earch?limit=0").await.status, 400, "the fast path has the same paths");
    app.get("/livez%2F").await.problem(404, "path_not_found");
}

#[tokio::test]
async fn reads_with_extra_slashes_are_redirected() {
    let app = app_without_database();
    for (uri, location) in [
        ("/search/", "../search"),
        ("/search/?limit=1&q=%20", "../search?limit=1&q=%20"),
        ("//search", "../search"),
        ("/docs/", "../docs"),
        ("/sync-runs//1/rejects/", "../../../../sync-runs/1/rejects"),
        ("/openapi.json/", "../openapi.json"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let response = app.send(method, uri, &[]).await;
            assert_eq!((response.status.as_u16(), response.header("location")), (308, Some(location)), "{uri}");
        }
        app.send(Method::PUT, uri, &[]).await.problem(404, "path_not_found");
    }
}

#[tokio::test]
async fn options_lists_the_methods() {
    let app = app_without_database();
    for (path, allow) in
        [("*", "GET, HEAD, POST, PUT, DELETE, OPTIONS"), ("/docs", "GET, HEAD, OPTIONS"), ("/multivac/data", "POST, OPTIONS")]
    {
        let response = app.send(Method::OPTIONS, path, &[]).await;
        assert_eq!((response.status.as_u16(), response.header("allow")), (204, Some(allow)), "{path}");
    }
}

#[tokio::test]
async fn errors_are_not_stored_by_caches() {
    let app = app_without_database();
    for (method, path) in
        [(Method::GET, "/search?limit=0"), (Method::GET, "/unknown"), (Method::POST, "/search"), (Method::GET, "/events/x")]
    {
        assert_eq!(app.send(method, path, &[]).await.header("cache-control"), Some("no-store"), "{path}");
    }
}

async fn parameters_of_forms_and_of_campaigns_are_accepted(database: Arc<TestDatabase>) {
    CatalogueFixture::new(&database).await.insert([NewEvent::titled("show")]).await;
    let app = TestApp::new(&database).await;
    for uri in [
        "/search?starts_at=&ends_at=&limit=&cursor=",
        "/search?_=1699999999&utm_source=x&utm_medium=%20",
        "/search?fbclid=x&gclid=y&msclkid=z",
        "/venues?q=",
        "/concerts?bandIds=1&latitude=",
    ] {
        assert_eq!(app.get(uri).await.status, 200, "{uri}");
    }
    assert_eq!(app.get("/search?starts_at=&utm_source=x").await.titles(), ["show"]);
    assert_eq!(app.get("/search?unknown=").await.validation_errors()[0].0, "unknown");
    assert_eq!(app.get("/search?utm=1").await.validation_errors()[0].0, "utm");
    // An empty value is not a second one.
    assert_eq!(app.get("/search?limit=&limit=1").await.status, 200);
    assert_eq!(app.get("/search?limit=1&limit=2").await.validation_errors()[0].1, "must be given only once");
    let required = app.get("/rates?date_from=").await.validation_errors();
    assert!(required.contains(&("date_from".to_owned(), "is required".to_owned())), "{required:?}");
}

async fn times_without_seconds_are_accepted(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for time in ["2027-05-05T20:00", "2027-05-05T20:00Z", "2027-05-05T20:00%2B02:00"] {
        assert_eq!(app.get(&format!("/search?starts_at={time}")).await.status, 200, "{time}");
    }
}

async fn head_is_get_without_a_body(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let document: serde_json::Value = serde_json::from_str(&app.get("/openapi.json").await.text()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let reads = paths.iter().filter(|(_, operations)| operations.get("get").is_some()).map(|(path, _)| path.replace("{id}", "1"));
    for path in reads.chain(["/", "/docs", "/errors", "/favicon.ico", "/openapi.json", "/unknown", "/search/"].map(str::to_owned))
    {
        let (get, head) = (app.get(&path).await, app.send(Method::HEAD, &path, &[]).await);
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert_eq!(head.header("etag"), get.header("etag"), "{path}");
    }
}

async fn places_are_replaced_only_if_the_condition_holds(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let put = async |code: &str, etag: &str| {
        let body = json!({ "regions": [], "places": [{ "code": code, "name": "Somewhere" }] }).to_string();
        app.upload(Method::PUT, "/places", ("application/json", body), &[("if-match", etag)]).await
    };
    for coding in ["identity", "gzip", "br", "zstd"] {
        let etag = app.send(Method::GET, "/places", &[("accept-encoding", coding)]).await.header("etag").unwrap().to_owned();
        put("AAAAA", "\"other\"").await.problem(412, "precondition_failed");
        put("AAAAA", &format!("W/{etag}")).await.problem(412, "precondition_failed");
        let code = format!("AA{}", &coding.to_uppercase().repeat(2)[..3]);
        assert_eq!(put(&code, &format!("\"other\", {etag}")).await.status, 200, "{coding}");
        put("AAAAA", &etag).await.problem(412, "precondition_failed");
        assert_eq!(app.get("/places").await.json()["data"]["places"][0]["code"], code.as_str());
    }
    assert_eq!(put("AAAAA", "*").await.status, 200);
    put("AAAAB", "unquoted").await.problem(412, "precondition_failed");
    put("AAAAB", "").await.problem(412, "precondition_failed");
}

async fn a_batch_is_deleted_only_if_the_condition_holds(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let places = r#"{"regions":[],"places":[{"code":"AAAAA","name":"A"},{"code":"BBBBB","name":"B"}]}"#;
    assert_eq!(app.upload(Method::PUT, "/places", ("application/json", places), &[]).await.status, 200);
    let batch = r#"[{"orig_code":"AAAAA","dest_code":"BBBBB","day":"2021-01-31","price":1}]"#;
    let created = app.upload(Method::POST, "/rates/batches", ("application/json", batch), &[]).await;
    assert_eq!(created.status, 201, "{}", created.text());
    let etag = app.get("/rates/batches/1").await.header("etag").unwrap().to_owned();
    let delete = async |etag: &str| app.send(Method::DELETE, "/rates/batches/1", &[("if-match", etag)]).await;
    delete("\"other\"").await.problem(412, "precondition_failed");
    assert_eq!(delete(&etag).await.status, 204);
    delete(&etag).await.problem(404, "not_found");
}

async fn forms_are_read_strictly(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let multipart = "multipart/form-data; boundary=X";
    let part = |value: &str| format!("--X\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{value}\r\n");
    let accepted = format!("{}--X--\r\n", part("ein Möwe & more"));
    assert_eq!(post_form(&app, multipart, accepted.as_bytes()).await.status, 200);
    assert_eq!(post_form(&app, URL_ENCODED, b"data=ein+M%C3%B6we&other=1").await.status, 200);
    let data = app.get("/zzz").await.json();
    assert_eq!(
        (&data["data"]["data"][0]["data"], &data["data"]["data"][1]["data"]),
        (&json!("ein Möwe"), &json!("ein Möwe & more"))
    );

    let repeated = format!("{}{}--X--\r\n", part("a"), part("b"));
    for (media_type, body) in
        [(URL_ENCODED, "data=a&data=b"), (multipart, repeated.as_str()), (URL_ENCODED, "data="), (URL_ENCODED, "")]
    {
        let response = post_form(&app, media_type, body.as_bytes()).await;
        assert_eq!(response.validation_errors()[0].0, "data", "{body}");
    }
    for (media_type, body) in [
        (URL_ENCODED, &b"data=%FF"[..]),
        (URL_ENCODED, b"data=\xff"),
        (multipart, b"--X\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n\xff\r\n--X--\r\n"),
        (multipart, b"data=a"),
        ("multipart/form-data", b"--X--"),
    ] {
        post_form(&app, media_type, body).await.problem(400, "invalid_body");
    }
    for media_type in ["text/plain", "application/json", ""] {
        post_form(&app, media_type, b"data=a").await.problem(415, "unsupported_media_type");
    }
}

async fn encoded_bodies_are_decoded_or_rejected(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"data=LIGHT").unwrap();
    let body = encoder.finish().unwrap();
    for (method, path, media_type) in
        [(Method::POST, "/multivac/data", URL_ENCODED), (Method::PUT, "/places", "application/json")]
    {
        let response = app.upload(method, path, (media_type, body.clone()), &[("content-encoding", "gzip")]).await;
        let problem = response.problem(415, "unsupported_media_type");
        assert_eq!(problem["detail"], "the request must have no `Content-Encoding`");
    }
    let response = app.upload(Method::POST, "/multivac/data", (URL_ENCODED, "data=a"), &[("content-encoding", "identity")]).await;
    assert_eq!(response.status, 200);
}

async fn a_byte_order_mark_is_ignored_in_every_body(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let places = "\u{feff}{\"regions\":[],\"places\":[{\"code\":\"AAAAA\",\"name\":\"A\"},{\"code\":\"BBBBB\",\"name\":\"B\"}]}";
    let batch = "\u{feff}[{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1}]";
    let line = "\u{feff}{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1}\n";
    let csv = "\u{feff}orig_code,dest_code,day,price\nAAAAA,BBBBB,2021-01-31,1\n";
    for (method, path, media_type, body, status) in [
        (Method::PUT, "/places", "application/json", places, 200),
        (Method::POST, "/rates/batches", "application/json", batch, 201),
        (Method::POST, "/rates/batches", "application/x-ndjson", line, 201),
        (Method::POST, "/rates/batches", "text/csv", csv, 201),
    ] {
        let response = app.upload(method, path, (media_type, body), &[]).await;
        assert_eq!(response.status, status, "{media_type}: {}", response.text());
    }
}

async fn csv_headers_are_read_in_any_case(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let places = r#"{"regions":[],"places":[{"code":"AAAAA","name":"A"},{"code":"BBBBB","name":"B"}]}"#;
    app.upload(Method::PUT, "/places", ("application/json", places), &[]).await;
    let csv = "Price,ORIG_CODE,Dest_Code,day\n1,AAAAA,BBBBB,2021-01-31\n";
    let response = app.upload(Method::POST, "/rates/batches", ("text/csv", csv), &[]).await;
    assert_eq!(response.status, 201, "{}", response.text());
    let repeated = "price,PRICE,orig_code,dest_code,day\n1,1,AAAAA,BBBBB,2021-01-31\n";
    app.upload(Method::POST, "/rates/batches", ("text/csv", repeated), &[]).await.problem(422, "invalid_items");
}

async fn an_idempotency_key_may_be_a_structured_field(database: Arc<TestDatabase>) {
    CatalogueFixture::new(&database).await.insert_provider("fever", "EUR", 2).await;
    let app = TestApp::new(&database).await;
    let push = async |key: &str| {
        let response =
            app.upload(Method::POST, "/providers/fever/feed", ("text/xml", "<eventList/>"), &[("idempotency-key", key)]).await;
        assert_eq!(response.status, 202, "{}", response.text());
        response.header("location").unwrap().to_owned()
    };
    let first = push("k").await;
    assert_eq!(push("\"k\"").await, first);
    let escaped = push(r#""a\"b""#).await;
    assert_ne!(escaped, first);
    assert_eq!(push(r#"a"b"#).await, escaped);
}

async fn feeds_need_the_media_type_of_a_document(database: Arc<TestDatabase>) {
    CatalogueFixture::new(&database).await.insert_provider("fever", "EUR", 2).await;
    let app = TestApp::new(&database).await;
    let push =
        async |media_type: &str| app.upload(Method::POST, "/providers/fever/feed", (media_type, "<eventList/>"), &[]).await;
    for media_type in [
        "application/xml",
        "text/xml; charset=utf-8",
        "Application/JSON",
        "application/ld+json",
        "text/html",
        "text/calendar",
        "application/octet-stream",
    ] {
        assert_eq!(push(media_type).await.status, 202, "{media_type}");
    }
    for media_type in ["text/plain", URL_ENCODED, "multipart/form-data; boundary=X", "", "image/png"] {
        push(media_type).await.problem(415, "unsupported_media_type");
    }
}
