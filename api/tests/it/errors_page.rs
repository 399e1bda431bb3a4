//! `GET /errors`: the page to which the `type` of each problem refers.

use api::error::ErrorCode;
use poem::http::Method;
use sea_orm::DatabaseConnection;

use crate::test_app::TestApp;

#[tokio::test]
async fn serves_an_entry_for_each_code() {
    let app = TestApp::with_connection(DatabaseConnection::default());
    let page = app.get("/errors").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for code in ErrorCode::ALL {
        assert!(page.text().contains(&format!("id=\"{}\"", code.name())), "{}", code.name());
    }
    let problem = app.get("/nope").await.problem(404, "path_not_found");
    assert_eq!(problem["type"], "errors#path_not_found");
}

#[tokio::test]
async fn supports_head_and_revalidation() {
    let app = TestApp::with_connection(DatabaseConnection::default());
    let etag = app.get("/errors").await.header("etag").unwrap().to_owned();
    let head = app.send(Method::HEAD, "/errors", &[]).await;
    assert_eq!((head.status.as_u16(), head.header("etag")), (200, Some(&*etag)));
    assert_eq!(app.send(Method::GET, "/errors", &[("if-none-match", &etag)]).await.status, 304);
    app.send(Method::POST, "/errors", &[]).await.problem(405, "method_not_allowed");
}
