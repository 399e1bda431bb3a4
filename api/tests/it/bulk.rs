//! `GET /events.ndjson`: copies of all events, and following the changes after them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use entity::{
    catalogue_version,
    change::{ChangeKind, NewChange},
    event, provider,
};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use migration::{
    on_every_backend,
    testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase},
};
use poem::http::Method;
use sea_orm::{EntityTrait, QueryFilter, prelude::Uuid};
use serde_json::{Value, json};
use tokio::{
    net::TcpSocket,
    time::{interval, timeout},
};

use crate::{
    api_process::RunningApi,
    changes::cursor,
    fixtures::{CatalogueFixture, NewEvent, instant},
    server::{MIB, read_status},
    test_app::TestApp,
};

on_every_backend!(
    a_copy_contains_every_visible_event_as_its_page_shows_it,
    a_copy_can_be_restricted_to_a_provider,
    a_copy_is_encoded_as_requested,
    many_events_of_one_base_event_are_copied,
    a_copy_that_follows_the_changes_becomes_the_catalogue,
    stalled_copies_are_aborted_and_delay_no_other_read,
);

/// Generous, because the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(120);
const EVENTS: u32 = 20_000;
/// The tests would spend most of their time on the words of more shows.
const EVENTS_PER_SHOW: u32 = 20;
const PROVIDERS: [&str; 4] = ["fever", "other", "third", "fourth"];
const RELEASES: u32 = 16;
const CHANGES_PER_RELEASE: u32 = 25;
/// How much more a copy of everything may need than one of a quarter before it: less than the catalogue has.
const MEMORY: u64 = 20 * MIB;

/// The lines of a complete copy.
fn parse(body: &[u8]) -> (String, Vec<Value>) {
    let lines = std::str::from_utf8(body).unwrap().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut lines: Vec<Value> = lines.collect();
    let (first, last) = (lines.remove(0), lines.pop().unwrap());
    assert_eq!(last, json!({ "events": lines.len() }));
    assert_eq!(first.as_object().unwrap().len(), 1);
    (first["cursor"].as_str().unwrap().to_owned(), lines)
}

fn ids(events: &[Value]) -> Vec<&str> {
    let mut ids: Vec<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

async fn a_copy_contains_every_visible_event_as_its_page_shows_it(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("tokyo", "JPY", 0).await;
    let full = NewEvent::titled("full \u{202e}")
        .of_provider("tokyo")
        .ends("2021-02-11T00:00:00")
        .prices(&[300, 100, 200])
        .performers(&["2", "1", "3"])
        .venue("Sala Apolo", (41.374, 2.169), Some("ESBCN"));
    let removed = NewEvent::titled("removed").with(|row| (row.left_at, row.last_seen_at) = (Some(instant("2021-01-02")), None));
    let events = [full, removed, NewEvent::titled("bare").performers(&["1"]), NewEvent::titled("hidden").hidden()];
    let visible: Vec<String> = events[..3].iter().map(|event| event.row.id.to_string()).collect();
    catalogue.insert(events).await;
    catalogue.insert([NewEvent::titled("loading").of_provider("loading")]).await;
    provider::Entity::update_many()
        .col_expr(provider::Column::LoadingSince, 1_i64.into())
        .filter(provider::COLUMN.slug.eq("loading"))
        .exec(&catalogue.database)
        .await
        .unwrap();
    catalogue.release(Vec::new()).await;
    let app = TestApp::new(&database).await;

    let copy = app.get("/events.ndjson").await;

    let current = catalogue_version::fetch(&catalogue.database).await.unwrap();
    assert_eq!(copy.header("content-type"), Some("application/x-ndjson"));
    assert_eq!((copy.header("cache-control"), copy.header("etag")), (Some("no-store"), None));
    let (position, events) = parse(&copy.body);
    assert_eq!(position, cursor(current.version, i32::MAX, current.raised_at));
    assert_eq!(copy.header("x-cursor"), Some(&*position));
    assert_eq!(events.len(), 3);
    for id in visible {
        let page = app.get(&format!("/events/{id}")).await;
        let line = events.iter().find(|event| event["id"] == id).unwrap();
        assert_eq!(&page.json()["data"], line);
        // Also the same text: the order of keys, and escaped characters.
        let data = page.text()["{\"data\":".len()..].trim_end_matches(",\"error\":null}").to_owned();
        assert!(copy.text().lines().any(|line| line == data), "{data}");
    }
    let head = app.send(Method::HEAD, "/events.ndjson", &[]).await;
    assert_eq!((head.status.as_u16(), head.header("x-cursor"), head.body.len()), (200, Some(&*position), 0));
}

async fn a_copy_can_be_restricted_to_a_provider(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let (one, other) = (NewEvent::titled("one"), NewEvent::titled("other").of_provider("other"));
    let expected = [one.row.id.to_string(), other.row.id.to_string()];
    catalogue.insert([one, other]).await;
    let app = TestApp::new(&database).await;
    for (slug, expected) in [("fever", &expected[..1]), ("other", &expected[1..]), ("unknown", &[])] {
        assert_eq!(ids(&parse(&app.get(&format!("/events.ndjson?provider={slug}")).await.body).1), expected, "{slug}");
    }
    let errors = app.get("/events.ndjson?provider=Fever&limit=5").await.validation_errors();
    let parameters: Vec<&str> = errors.iter().map(|(parameter, _)| parameter.as_str()).collect();
    assert_eq!(parameters, ["provider", "limit"]);
}

async fn a_copy_is_encoded_as_requested(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    // Several parts.
    catalogue.insert((0..700).map(|number| NewEvent::titled(&format!("event {number}")).performers(&["1"]))).await;
    let app = TestApp::new(&database).await;
    let plain = app.get("/events.ndjson").await.body;
    assert_eq!(parse(&plain).1.len(), 700);
    for coding in ["gzip", "br", "zstd"] {
        let copy = app.send(Method::GET, "/events.ndjson", &[("accept-encoding", coding)]).await;
        assert_eq!((copy.header("content-encoding"), copy.header("vary")), (Some(coding), Some("accept-encoding")));
        assert!(copy.body.len() < plain.len() / 4, "{coding}: {} of {} bytes", copy.body.len(), plain.len());
        assert!(copy.decoded() == plain, "{coding}");
    }
}

async fn many_events_of_one_base_event_are_copied(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let show = NewEvent::titled("show");
    let event = |number: u128| NewEvent { row: show.row.clone(), ..show.clone() }.id(Uuid::from_u128(number)).prices(&[5, 6]);
    catalogue.insert((0..1_500).map(event)).await;
    let (_, events) = parse(&TestApp::new(&database).await.get("/events.ndjson").await.body);
    assert_eq!(events.len(), 1_500);
    assert!(events.iter().all(|event| event["zones"].as_array().unwrap().len() == 2));
}

/// A copy that is received frame by frame.
struct Copy(Response<Incoming>);

impl Copy {
    async fn start(process: &RunningApi) -> Self {
        // The kernel would buffer most of a copy.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let stream = socket.connect(process.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("/events.ndjson").header("host", "test").body(Empty::<&[u8]>::new()).unwrap();
        Self(sender.send_request(request).await.unwrap())
    }

    /// Receives the rest; an error if it is incomplete.
    async fn receive(&mut self) -> Result<Vec<u8>, hyper::Error> {
        let mut body = Vec::new();
        while let Some(frame) = timeout(TIMEOUT, self.0.frame()).await.unwrap() {
            body.extend_from_slice(&frame?.into_data().unwrap());
        }
        Ok(body)
    }
}

fn large_event(number: u32) -> NewEvent {
    let title = format!("show {} {}", number / EVENTS_PER_SHOW, "x".repeat(800));
    NewEvent::titled(&title)
        .of_provider(provider_of(number))
        .prices(&[i64::from(number), 5_000])
        .performers(&["1"])
        .id(event_id(number))
}

fn provider_of(number: u32) -> &'static str {
    PROVIDERS[(number / EVENTS_PER_SHOW) as usize % PROVIDERS.len()]
}

fn event_id(number: u32) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes())
}

async fn insert_large_catalogue(database: &TestDatabase) -> CatalogueFixture {
    let catalogue = CatalogueFixture::new(database).await;
    for slug in PROVIDERS {
        catalogue.insert_provider(slug, "EUR", 2).await;
    }
    catalogue.insert((0..EVENTS).map(large_event)).await;
    catalogue.release(Vec::new()).await;
    catalogue
}

/// Changes events all over the catalogue, and adds some.
async fn make_release(catalogue: &CatalogueFixture, release: u32) {
    let mut changes: Vec<NewChange> = Vec::new();
    let numbers: Vec<u32> =
        (0..CHANGES_PER_RELEASE).map(|change| (release * CHANGES_PER_RELEASE + change) * 7_919 % EVENTS).collect();
    for number in &numbers {
        changes.push(catalogue.change(ChangeKind::Updated, provider_of(*number), event_id(*number), "{}").await);
    }
    let new = large_event(EVENTS + release);
    let created = catalogue.change(ChangeKind::Created, new.provider, new.row.id, "{}").await;
    catalogue.insert([new.hidden()]).await;
    let shown = created.event_id;
    changes.push(created);
    let sold_out = numbers.into_iter().map(event_id);
    catalogue
        .release_with(changes, async |transaction| {
            event::Entity::update_many()
                .col_expr(event::Column::SoldOut, true.into())
                .filter(event::COLUMN.id.is_in(sold_out))
                .exec(transaction)
                .await
                .unwrap();
            event::Entity::update_many()
                .col_expr(event::Column::Shown, true.into())
                .filter(event::COLUMN.id.eq(shown))
                .exec(transaction)
                .await
                .unwrap();
        })
        .await;
}

fn by_id(events: Vec<Value>) -> BTreeMap<String, Value> {
    events.into_iter().map(|event| (event["id"].as_str().unwrap().to_owned(), event)).collect()
}

/// Requests changes until there are none, and reads each event that has changed.
async fn follow(process: &RunningApi, mut after: String, copy: &mut BTreeMap<String, Value>) -> usize {
    let mut count = 0;
    loop {
        let (_, page) = process.get(&format!("/changes?after={after}")).await;
        let page: Value = serde_json::from_str(&page).unwrap();
        let changes = page["data"]["changes"].as_array().unwrap();
        if changes.is_empty() {
            return count;
        }
        count += changes.len();
        for change in changes {
            let id = change["event_id"].as_str().unwrap();
            let event: Value = serde_json::from_str(&process.get(&format!("/events/{id}")).await.1).unwrap();
            copy.insert(id.to_owned(), event["data"].clone());
        }
        after = page["meta"]["next"].as_str().unwrap().to_owned();
    }
}

async fn a_copy_that_follows_the_changes_becomes_the_catalogue(database: Arc<TestDatabase>) {
    let catalogue = insert_large_catalogue(&database).await;
    let process = RunningApi::start(database.settings.url.expose(), &["--log-filter", "warn,marquee_api=info"]).await;
    let quarter = process.get("/events.ndjson?provider=fever").await;
    assert_eq!(quarter.0, "HTTP/1.1 200 OK");
    let memory = read_status(&process, "RssAnon");
    // The snapshot is older than every change.
    let mut copy = Copy::start(&process).await;
    let change = async {
        for release in 0..RELEASES / 2 {
            make_release(&catalogue, release).await;
        }
    };
    let (received, ()) = tokio::join!(copy.receive(), change);
    let (position, copied) = parse(&received.unwrap());
    let used = read_status(&process, "RssAnon");
    assert!(used < memory + MEMORY, "{used} bytes, {memory} before");
    assert_eq!(copied.len(), EVENTS as usize);
    assert!(copied.iter().all(|event| event["sold_out"] == false), "the copy is one state of the catalogue");
    for release in RELEASES / 2..RELEASES {
        make_release(&catalogue, release).await;
    }

    let mut copied = by_id(copied);
    let changes = follow(&process, position, &mut copied).await;

    assert_eq!(changes, ((CHANGES_PER_RELEASE + 1) * RELEASES) as usize);
    let (_, current) = parse(&Copy::start(&process).await.receive().await.unwrap());
    assert_eq!(current.len(), (EVENTS + RELEASES) as usize);
    assert!(by_id(current) == copied, "the copy has become the catalogue");
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

async fn stalled_copies_are_aborted_and_delay_no_other_read(database: Arc<TestDatabase>) {
    let catalogue = insert_large_catalogue(&database).await;
    let process = RunningApi::start(database.settings.url.expose(), &["--log-filter", "error,marquee_api=info"]).await;
    let mut stalled = [Copy::start(&process).await, Copy::start(&process).await];
    let (status, body) = process.get("/events.ndjson").await;
    assert!(status.contains(" 503 ") && body.contains("\"code\":\"overloaded\""), "{status} {body}");
    // Each is a read of its own, without a cached response.
    let reads = (1..=10).map(async |limit| {
        let paths = [format!("/search?limit={limit}"), format!("/changes?limit={limit}"), format!("/events/{}", event_id(limit))];
        for path in paths {
            assert_eq!(process.get(&path).await.0, "HTTP/1.1 200 OK", "{path}");
        }
    });
    futures_util::future::join_all(reads).await;
    make_release(&catalogue, 0).await;
    // Until one is aborted.
    let mut pauses = interval(Duration::from_millis(100));
    while process.get("/events.ndjson?provider=unknown").await.0.contains(" 503 ") {
        pauses.tick().await;
    }
    // The other one may be received again just in time.
    let received = [stalled[0].receive().await, stalled[1].receive().await];
    assert!(received.iter().any(Result::is_err), "an aborted copy is incomplete");
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_ends_with_its_database() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    insert_large_catalogue(&database).await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Forward).await;
    let process = RunningApi::start(proxy.settings().url.expose(), &["--log-filter", "error,marquee_api=info"]).await;
    let mut copy = Copy::start(&process).await;
    proxy.set_mode(ProxyMode::Cut).await;
    copy.receive().await.unwrap_err();
    assert_eq!(process.stop("-TERM").await.0, Some(0));
    database.remove().await;
}
