//! `GET /changes/stream`, by the real process.

mod client;
mod endings;

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use entity::change::{ChangeKind, NewChange};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tokio::time::sleep;

use self::client::{Block, StreamClient};
use crate::{
    api_process::RunningApi,
    fixtures::{CatalogueFixture, state_in, with_states},
    test_app::TestApp,
};

on_every_backend!(
    a_stream_sends_the_entries_of_the_log,
    a_stream_begins_at_the_position_of_the_client_or_now,
    filters_select_changes_before_and_after_a_stream_joins,
    filters_of_events_select_changes_of_pages_and_parts,
    a_quiet_stream_advances_the_position_of_its_client,
    a_client_that_reconnects_at_random_receives_the_log,
    many_streams_share_the_reads_of_the_log,
    positions_that_are_invalid_are_rejected,
);

const LOG: [&str; 2] = ["--log-filter", "warn,marquee_api=info"];

async fn start(database: &TestDatabase) -> RunningApi {
    RunningApi::start(database.settings.url.expose(), &LOG).await
}

/// Makes a release with changes of the events with these numbers.
async fn release(catalogue: &CatalogueFixture, kind: ChangeKind, provider: &str, events: impl IntoIterator<Item = u128>) {
    let template = catalogue.change(kind, provider, Uuid::nil(), r#"{"name":{"old":"a\nb","new":null}}"#).await;
    let change = |event| NewChange { event_id: Uuid::from_u128(event), ..template.clone() };
    catalogue.release(events.into_iter().map(change).collect()).await;
}

fn number(change: &Value) -> u128 {
    change["event_id"].as_str().unwrap().parse::<Uuid>().unwrap().as_u128()
}

fn numbers(changes: &[Value]) -> Vec<u128> {
    changes.iter().map(number).collect()
}

/// The whole log, read page by page, and its end.
async fn read_log(process: &RunningApi) -> (Vec<Value>, String) {
    let (mut log, mut after) = (Vec::new(), String::new());
    loop {
        let (_, page) = process.get(&format!("/changes?limit=1000&after={after}")).await;
        let page: Value = serde_json::from_str(&page).unwrap();
        let changes = page["data"]["changes"].as_array().unwrap();
        after = page["meta"]["next"].as_str().unwrap().to_owned();
        if changes.is_empty() {
            return (log, after);
        }
        log.extend(changes.iter().cloned());
    }
}

async fn a_stream_sends_the_entries_of_the_log(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let process = start(&database).await;
    let (_, beginning) = read_log(&process).await;
    // More than a page, and an end within a release.
    release(&catalogue, ChangeKind::Updated, "fever", 0..150).await;
    release(&catalogue, ChangeKind::Created, "other", 150..250).await;
    let mut stream = StreamClient::open(process.address, &format!("after={beginning}"), None).await;
    assert_eq!(stream.next().await, Some(Block { id: Some(beginning), ..Block::default() }), "the position of the client");
    let mut received = stream.next_changes(250).await;
    release(&catalogue, ChangeKind::Left, "other", 250..400).await;
    received.extend(stream.next_changes(150).await);
    assert_eq!(received, read_log(&process).await.0);
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

async fn a_stream_begins_at_the_position_of_the_client_or_now(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let process = start(&database).await;
    release(&catalogue, ChangeKind::Updated, "fever", 0..4).await;
    let (log, end) = read_log(&process).await;
    let cursor = |position: usize| log[position]["cursor"].as_str().unwrap();
    let mut from_parameter = StreamClient::open(process.address, &format!("after={}", cursor(0)), None).await;
    let mut from_header = StreamClient::open(process.address, &format!("after={}", cursor(0)), Some(cursor(2))).await;
    let mut from_empty_header = StreamClient::open(process.address, &format!("after={}", cursor(1)), Some("")).await;
    assert_eq!(numbers(&from_parameter.next_changes(3).await), [1, 2, 3]);
    assert_eq!(numbers(&from_header.next_changes(1).await), [3], "browsers repeat the URL when they reconnect");
    assert_eq!(numbers(&from_empty_header.next_changes(2).await), [2, 3]);
    let mut now = StreamClient::open(process.address, "", None).await;
    // Once the process has detected the release.
    while now.next().await.unwrap().id != Some(end.clone()) {
        now = StreamClient::open(process.address, "", None).await;
    }
    release(&catalogue, ChangeKind::Updated, "fever", [4]).await;
    for stream in [&mut from_parameter, &mut from_header, &mut from_empty_header, &mut now] {
        assert_eq!(numbers(&stream.next_changes(1).await), [4]);
    }
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

/// Streams with filters receive these changes, first from pages and then from parts. `change_everything` logs all changes, with numbers
/// from its argument on.
async fn assert_selected(process: &RunningApi, expected: &[(&str, &[u128])], change_everything: impl AsyncFn(u128)) {
    let (_, beginning) = read_log(process).await;
    change_everything(0).await;
    let mut streams = Vec::new();
    for &(filters, expected) in expected {
        let mut stream = StreamClient::open(process.address, &format!("{filters}&after={beginning}"), None).await;
        assert_eq!(numbers(&stream.next_changes(expected.len()).await), expected, "{filters}");
        streams.push(stream);
    }
    change_everything(10).await;
    for (stream, &(filters, expected)) in streams.iter_mut().zip(expected) {
        let expected: Vec<u128> = expected.iter().map(|number| number + 10).collect();
        assert_eq!(numbers(&stream.next_changes(expected.len()).await), expected, "{filters}");
    }
}

async fn filters_select_changes_before_and_after_a_stream_joins(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let process = start(&database).await;
    let change_everything = async |first: u128| {
        for (number, (kind, provider)) in [
            (ChangeKind::Created, "fever"),
            (ChangeKind::Updated, "fever"),
            (ChangeKind::Created, "other"),
            (ChangeKind::Left, "other"),
        ]
        .into_iter()
        .enumerate()
        {
            release(&catalogue, kind, provider, [first + number as u128]).await;
        }
    };
    let expected = [
        ("kind=created", &[0, 2][..]),
        ("kind=updated,left", &[1, 3]),
        ("provider=other", &[2, 3]),
        ("provider=fever&kind=created&kind=left", &[0]),
        ("provider=fever,other", &[0, 1, 2, 3]),
    ];
    assert_selected(&process, &expected, change_everything).await;
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

async fn filters_of_events_select_changes_of_pages_and_parts(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let process = start(&database).await;
    let (paris, madrid) = (state_in("paris"), state_in("madrid"));
    let change_everything = async |first: u128| {
        for (number, (old, new)) in
            [(Some(&paris), Some(&madrid)), (Some(&madrid), None), (Some(&madrid), Some(&paris))].into_iter().enumerate()
        {
            let id = Uuid::from_u128(first + number as u128);
            let change = catalogue.change(ChangeKind::Updated, "fever", id, "{}").await;
            catalogue.release(vec![with_states(change, old.cloned(), new.cloned())]).await;
        }
    };
    let expected = [
        ("city=Paris", &[0, 2][..]),
        ("city=Madrid", &[0, 1, 2]),
        ("city=Paris&kind=updated", &[0, 2]),
        ("city=Madrid&provider=fever", &[0, 1, 2]),
    ];
    assert_selected(&process, &expected, change_everything).await;
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

async fn a_quiet_stream_advances_the_position_of_its_client(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let process = start(&database).await;
    let mut stream = StreamClient::open(process.address, "kind=left", None).await;
    let beginning = stream.next().await.unwrap().id;
    release(&catalogue, ChangeKind::Updated, "fever", [1]).await;
    let end = read_log(&process).await.1;
    // The first heartbeat may come before the process has detected the release.
    let mut advanced = stream.next().await.unwrap();
    while advanced != (Block { id: Some(end.clone()), ..Block::default() }) {
        assert!(advanced == Block::default() || advanced.id == beginning, "{advanced:?}");
        advanced = stream.next().await.unwrap();
    }
    assert_eq!(stream.next().await, Some(Block::default()), "a comment while nothing changes");
    release(&catalogue, ChangeKind::Left, "fever", [2]).await;
    assert_eq!(numbers(&stream.next_changes(1).await), [2]);
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

/// Receives changes until it has one, and reconnects after a random number of blocks.
async fn receive_with_interruptions(address: SocketAddr, query: &str, mut last_id: Option<String>, end: u128) -> Vec<Value> {
    let mut received: Vec<Value> = Vec::new();
    loop {
        let mut stream = StreamClient::open(address, query, last_id.as_deref()).await;
        for _ in 0..fastrand::usize(1..60) {
            let block = stream.next().await.expect("the stream is open");
            let Some(data) = block.data else { continue };
            received.push(serde_json::from_str(&data).unwrap());
            if received.last().map(number) == Some(end) {
                return received;
            }
        }
        last_id = stream.last_id;
    }
}

async fn a_client_that_reconnects_at_random_receives_the_log(database: Arc<TestDatabase>) {
    const RELEASES: u128 = 150;
    const END: u128 = u128::MAX;
    let catalogue = Arc::new(CatalogueFixture::new(&database).await);
    let process = start(&database).await;
    let (_, beginning) = read_log(&process).await;
    let writer = catalogue.clone();
    let write = async move {
        for number in 0..RELEASES {
            let kind = if number % 3 == 0 { ChangeKind::Left } else { ChangeKind::Updated };
            let provider = if number % 2 == 0 { "fever" } else { "other" };
            let first = number * 1_000;
            release(&writer, kind, provider, first..first + fastrand::u128(0..12)).await;
        }
        release(&writer, ChangeKind::Left, "fever", [END]).await;
    };
    let receive = |query: &'static str| receive_with_interruptions(process.address, query, Some(beginning.clone()), END);
    let ((), everything, left, of_provider) = tokio::join!(write, receive(""), receive("kind=left"), receive("provider=fever"));
    let log = read_log(&process).await.0;
    let select = |name: &str, value: &str| log.iter().filter(|change| change[name] == value).cloned().collect::<Vec<_>>();
    assert_eq!(everything, log);
    assert_eq!(left, select("kind", "left"));
    assert_eq!(of_provider, select("provider", "fever"));
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

/// The value of a metric without labels.
async fn read_metric(process: &RunningApi, name: &str) -> u64 {
    let (_, metrics) = process.get("/metrics").await;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

async fn many_streams_share_the_reads_of_the_log(database: Arc<TestDatabase>) {
    const STREAMS: usize = 250;
    const RELEASES: u128 = 20;
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("fever", "EUR", 2).await;
    let process = start(&database).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        streams.push(StreamClient::open(process.address, "", None).await);
    }
    assert_eq!(read_metric(&process, "marquee_change_streams").await, STREAMS as u64);
    let reads = read_metric(&process, "marquee_database_seconds_count").await;
    for event in 0..RELEASES {
        release(&catalogue, ChangeKind::Updated, "fever", [event]).await;
    }
    let expected: Vec<u128> = (0..RELEASES).collect();
    for stream in &mut streams {
        assert_eq!(numbers(&stream.next_changes(expected.len()).await), expected);
    }
    let reads = read_metric(&process, "marquee_database_seconds_count").await - reads;
    assert!(reads <= 2 * RELEASES as u64, "{reads} reads for {STREAMS} streams");
    assert_eq!(read_metric(&process, "marquee_streamed_changes_total").await, STREAMS as u64 * RELEASES as u64);
    assert_eq!(process.get("/search").await.0, "HTTP/1.1 200 OK");
    drop(streams);
    while read_metric(&process, "marquee_change_streams").await > 0 {
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

async fn positions_that_are_invalid_are_rejected(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let send = async |query: &str, id: &str| {
        app.send(poem::http::Method::GET, &format!("/changes/stream{query}"), &[("last-event-id", id)]).await
    };
    let expected = "must be a cursor of `/changes` or `/events.ndjson`, got `x`";
    let errors = send("?after=x&kind=x&limit=1", "x").await.validation_errors();
    let parameters: BTreeSet<&str> = errors.iter().map(|(parameter, _)| parameter.as_str()).collect();
    assert_eq!(parameters, BTreeSet::from(["Last-Event-ID", "after", "kind", "limit"]));
    assert!(errors.contains(&("Last-Event-ID".to_owned(), expected.to_owned())), "{errors:?}");
    let later = crate::changes::cursor(1_000, 0, entity::UtcInstant(0));
    send("", &later).await.problem(410, "cursor_expired");
    let head = app.send(poem::http::Method::HEAD, "/changes/stream", &[]).await;
    assert_eq!((head.status.as_u16(), head.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!((head.header("cache-control"), head.header("x-accel-buffering")), (Some("no-store"), Some("no")));
    assert_eq!(json!(head.body), json!([]));
}
