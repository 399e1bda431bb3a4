//! No client takes the resources of all others: large reads have their own permits, and so have the bodies of each caller.

use std::{future::pending, io, sync::Arc, time::Duration};

use api::{
    State,
    auth::{AccessSettings, Keys, KeysSettings},
    database::reader::ReadSize,
    error::ApiError,
};
use bytes::Bytes;
use entity::ConnectionRole;
use futures_util::{StreamExt, future::join_all, stream};
use migration::{on_every_backend, testing::TestDatabase};
use poem::{Body, http::Method};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::time::timeout;

use crate::{
    api_keys::{create_key, create_keys_file_path, put_places},
    rates::BATCHES,
    test_app::{TestApp, TestResponse},
};

on_every_backend!(large_reads_do_not_delay_small_ones, slow_bodies_delay_no_other_key, cancelled_reads_free_their_connections,);

async fn large_reads_do_not_delay_small_ones(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Api).await;
    let state = State::new(connection.clone(), connection, 0, None);
    let app = TestApp::with_state(&state);
    let large =
        join_all((0..60).map(|_| state.reader.read(state.reader.primary(), ReadSize::Large, pending::<Result<(), ApiError>>())));
    let small = async {
        for path in
            ["/search?limit=100", "/concerts?limit=10&bandIds=1", "/venues?limit=5", "/providers", "/zzz?limit=3", "/multivac"]
        {
            assert_eq!(app.get(path).await.status, 200, "{path}");
        }
        app.get("/events/c4a626ff-9f25-5533-a0a8-2b67472b5ee3").await.problem(404, "not_found");
        app.get("/search").await.problem(503, "overloaded");
    };
    tokio::select! {
        biased;
        _ = large => panic!("a read that never ends has ended"),
        () = small => {}
    }
}

async fn slow_bodies_delay_no_other_key(database: Arc<TestDatabase>) {
    let (_folder, file) = create_keys_file_path();
    let [slow, other] = ["slow", "other"].map(|name| format!("Bearer {}", create_key(&file, name, &["places", "rates"])));
    let connection = database.connect(ConnectionRole::Api).await;
    let keys = Keys::load(&KeysSettings { keys_file: Some(file) }, AccessSettings::default()).unwrap();
    let app = TestApp::with_state(&State { keys, ..State::new(connection.clone(), connection, 0, None) });
    let list = "{\"regions\":[],\"places\":[{\"code\":\"AAAAA\",\"name\":\"A\"},{\"code\":\"BBBBB\",\"name\":\"B\"}]}";
    assert_eq!(upload(&app, (Method::PUT, "/places", "application/json"), list, &other).await.status, 200);

    let slow_lists =
        join_all((0..8).map(|_| upload(&app, (Method::PUT, "/places", "application/json"), stalled_body("{"), &slow)));
    let slow_batches =
        join_all((0..64).map(|_| upload(&app, (Method::POST, BATCHES, "text/csv"), stalled_body("orig_code,"), &slow)));
    let others = async {
        assert_eq!(put_places(&app, &other).await.status, 200);
        assert_eq!(upload(&app, (Method::PUT, "/places", "application/json"), list, &other).await.status, 200);
        let batch = "orig_code,dest_code,day,price\nAAAAA,BBBBB,2021-01-01,1\n";
        let response = upload(&app, (Method::POST, BATCHES, "text/csv"), batch, &other).await;
        assert_eq!(response.status, 201, "{}", response.text());
    };
    tokio::select! {
        biased;
        _ = slow_lists => panic!("a body that never ends has ended"),
        _ = slow_batches => panic!("a body that never ends has ended"),
        () = others => {}
    }
}

async fn upload(
    app: &TestApp,
    (method, path, media_type): (Method, &str, &str),
    body: impl Into<Body>,
    authorization: &str,
) -> TestResponse {
    app.upload(method, path, (media_type, body), &[("authorization", authorization)]).await
}

/// There are more of them than connections, and a request waits for a connection for less time than a statement may take.
async fn cancelled_reads_free_their_connections(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Api).await;
    let backend = connection.get_database_backend();
    let endless = match backend {
        DbBackend::Postgres => "SELECT pg_sleep(3600)",
        _ => "WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number) SELECT COUNT(*) FROM number",
    };
    let state = State::new(connection.clone(), connection.clone(), 0, None);
    // Few at a time, and long enough for each to begin on a busy machine.
    for _ in 0..7 {
        let reads = (0..3).map(|_| async {
            let statement = Statement::from_string(backend, endless);
            let read = state.reader.read(state.reader.primary(), ReadSize::Small, connection.query_all_raw(statement));
            assert!(timeout(Duration::from_millis(300), read).await.is_err(), "the statement never ends");
        });
        join_all(reads).await;
    }
    let app = TestApp::with_state(&state);
    for response in join_all((0..6).map(|_| app.get("/search?limit=1"))).await {
        assert_eq!(response.status, 200, "{}", response.text());
    }
}

/// A body that begins and never ends.
fn stalled_body(text: &'static str) -> Body {
    Body::from_bytes_stream(stream::iter([Ok::<_, io::Error>(Bytes::from(text))]).chain(stream::pending()))
}
