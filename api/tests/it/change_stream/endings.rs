//! How streams end, and what they survive.

use std::{sync::Arc, time::Duration};

use api::{Listeners, State, server::Limits};
use entity::{ConnectionRole, UtcInstant, catalogue_version, change::ChangeKind};
use migration::{
    on_every_backend,
    testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase},
};
use sea_orm::EntityTrait;
use tokio::{net::TcpListener, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    LOG,
    client::{Block, StreamClient},
    numbers, read_log, release, start,
};
use crate::{api_process::RunningApi, fixtures::CatalogueFixture};

on_every_backend!(
    streams_end_at_a_shutdown_and_continue_in_another_process,
    a_slow_reader_is_disconnected_and_misses_nothing,
    streams_end_when_the_database_is_restored,
    streams_leave_connections_to_requests,
);

/// Checks that a block ends a stream: it has the position, and when to reconnect.
fn assert_is_end(block: Option<&Block>) {
    let block = block.expect("a last block");
    assert!(block.data.is_none() && block.id.is_some(), "{block:?}");
    assert!((500..5_500).contains(&block.retry.unwrap()), "{block:?}");
}

async fn streams_end_at_a_shutdown_and_continue_in_another_process(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let (process, other) = (start(&database).await, start(&database).await);
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(StreamClient::open(process.address, "kind=left", None).await);
    }
    release(&catalogue, ChangeKind::Left, "fever", [1]).await;
    for stream in &mut streams {
        assert_eq!(numbers(&stream.next_changes(1).await), [1]);
    }
    release(&catalogue, ChangeKind::Updated, "fever", [2]).await;
    let stop = process.stop("-TERM");
    let receive = async {
        for stream in &mut streams {
            assert_is_end(stream.last().await.as_ref());
            assert!(!stream.has_failed, "the response is complete");
        }
    };
    let ((code, log), ()) = tokio::join!(stop, receive);
    assert_eq!(code, Some(0));
    assert!(!log.iter().any(|line| line.contains("drain time exceeded")), "{log:?}");
    release(&catalogue, ChangeKind::Left, "fever", [3]).await;
    for stream in streams {
        let mut resumed = StreamClient::open(other.address, "kind=left", stream.last_id.as_deref()).await;
        assert_eq!(numbers(&resumed.next_changes(1).await), [3]);
    }
    assert_eq!(other.stop("-TERM").await.0, Some(0));
}

async fn a_slow_reader_is_disconnected_and_misses_nothing(database: Arc<TestDatabase>) {
    const CHANGES: usize = 30_000;
    let catalogue = CatalogueFixture::new(&database).await;
    let process = start(&database).await;
    let mut slow = StreamClient::open(process.address, "", None).await;
    let mut fast = StreamClient::open(process.address, "", None).await;
    // The slow one has joined.
    release(&catalogue, ChangeKind::Updated, "fever", [u128::MAX]).await;
    slow.next_changes(1).await;
    release(&catalogue, ChangeKind::Updated, "fever", 0..CHANGES as u128).await;
    let mut received = 0;
    while received <= CHANGES {
        match fast.next_change().await {
            Some(_) => received += 1,
            // On a busy machine.
            None => fast = StreamClient::open(process.address, "", fast.last_id.as_deref()).await,
        }
    }

    let mut found = Vec::new();
    while let Some(block) = slow.next().await {
        if block.retry.is_some() {
            assert_is_end(Some(&block));
        }
        found.extend(block.data);
    }

    assert!(found.len() < CHANGES, "the stream has ended");
    while found.len() < CHANGES {
        slow = StreamClient::open(process.address, "", slow.last_id.as_deref()).await;
        while found.len() < CHANGES
            && let Some(block) = slow.next().await
        {
            found.extend(block.data);
        }
    }
    let log: Vec<String> = read_log(&process).await.0[1..].iter().map(ToString::to_string).collect();
    let found: Vec<String> =
        found.iter().map(|data| serde_json::from_str::<serde_json::Value>(data).unwrap().to_string()).collect();
    assert!(found == log, "the client has the log");
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

async fn streams_end_when_the_database_is_restored(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let process = start(&database).await;
    for event in 0..3 {
        release(&catalogue, ChangeKind::Updated, "fever", [event]).await;
    }
    let log = read_log(&process).await.0;
    let first = log[0]["cursor"].as_str().unwrap();
    // A process that does not know these releases cannot know that the database no longer has them.
    while !process.get("/readyz").await.1.contains("\"catalogue_version\":3") {
        sleep(Duration::from_millis(50)).await;
    }
    let mut streams = Vec::new();
    for query in ["kind=left".to_owned(), format!("after={first}")] {
        streams.push(StreamClient::open(process.address, &query, None).await);
    }
    streams[1].next_changes(2).await;
    catalogue_version::Entity::update_many()
        .col_expr(catalogue_version::Column::Version, 1_i64.into())
        .col_expr(catalogue_version::Column::RaisedAt, UtcInstant(1).into())
        .exec(&catalogue.database)
        .await
        .unwrap();
    for mut stream in streams {
        assert_is_end(stream.last().await.as_ref());
        let (status, body) = StreamClient::try_open(process.address, "", stream.last_id.as_deref()).await.err().unwrap();
        assert!(status == 410 && body.contains("\"code\":\"cursor_expired\""), "{status} {body}");
    }
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

async fn streams_leave_connections_to_requests(database: Arc<TestDatabase>) {
    const CONNECTIONS: u32 = 20;
    let state = State::new(database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await, 0, None);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let listeners = Listeners { public: listener, operations: None };
    let limits = Limits { connections: CONNECTIONS, ..Limits::default() };
    let server = tokio::spawn(api::run(listeners, state, limits, shutdown.clone()));
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS / 2 {
        streams.push(StreamClient::open(address, "", None).await);
    }
    for _ in 0..CONNECTIONS {
        let (status, body) = StreamClient::try_open(address, "", None).await.err().unwrap();
        assert!(status == 503 && body.contains("\"code\":\"overloaded\""), "{status} {body}");
    }
    assert!(streams.iter_mut().all(|stream| !stream.has_failed));
    streams.pop();
    // Once the process knows that its client has left.
    let reopened = loop {
        if let Ok(stream) = StreamClient::try_open(address, "", None).await {
            break stream;
        }
        sleep(Duration::from_millis(50)).await;
    };
    streams.push(reopened);
    shutdown.cancel();
    for stream in &mut streams {
        assert_is_end(stream.last().await.as_ref());
    }
    server.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_survives_an_outage_of_the_database() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("fever", "EUR", 2).await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Forward).await;
    let process = RunningApi::start(proxy.settings().url.expose(), &LOG).await;
    let mut joined = StreamClient::open(process.address, "", None).await;
    release(&catalogue, ChangeKind::Updated, "fever", 0..150).await;
    let log = joined.next_changes(150).await;
    for (mode, number) in [(ProxyMode::Cut, 1_000), (ProxyMode::Hang, 2_000)] {
        wait_until_ready_is(&process, true).await;
        // A mode that hangs applies to new connections.
        proxy.set_mode(ProxyMode::Cut).await;
        proxy.set_mode(mode).await;
        release(&catalogue, ChangeKind::Updated, "fever", number..number + 150).await;
        wait_until_ready_is(&process, false).await;
        let rejected = StreamClient::try_open(process.address, "", log[0]["cursor"].as_str()).await.err();
        assert_eq!(rejected.map(|(status, _)| status), Some(503));
        proxy.set_mode(ProxyMode::Cut).await;
        proxy.set_mode(ProxyMode::Forward).await;
        let expected: Vec<u128> = (number..number + 150).collect();
        assert_eq!(numbers(&joined.next_changes(150).await), expected);
    }
    assert_eq!(process.stop("-TERM").await.0, Some(0));
    catalogue.database.close().await.unwrap();
    drop(proxy);
    database.remove().await;
}

async fn wait_until_ready_is(process: &RunningApi, expected: bool) {
    while process.get("/readyz?strict").await.0.contains(" 200 ") != expected {
        sleep(Duration::from_millis(50)).await;
    }
}
