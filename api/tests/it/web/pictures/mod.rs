//! `IMAGES=proxy`: pictures that the service loads from real servers.

mod server;

use std::{sync::Arc, time::Duration};

use api::{
    State,
    images::{Images, PictureLimits, PictureProxy},
};
use entity::ConnectionRole;
use futures_util::future::join_all;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;

use self::server::PictureServer;
use super::{concert, html::tags, open};
use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    recorder::RecordedMetrics,
    test_app::TestApp,
};

on_every_backend!(
    pictures_are_loaded_by_the_service,
    a_picture_is_loaded_once,
    private_addresses_are_refused,
    what_is_not_a_picture_within_the_limits_is_not_sent,
    a_slow_picture_is_not_waited_for,
    only_pictures_of_the_catalogue_are_loaded,
    a_reader_does_not_wait_long_for_other_pictures,
    a_slow_host_does_not_delay_others,
);

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and pixels";

fn with_picture(title: &str, url: &str) -> NewEvent {
    concert(title).with(|row| row.image_url = Some(url.to_owned()))
}

fn path_of(event: &NewEvent) -> String {
    format!("/img/{}", event.row.id)
}

async fn start_proxy(
    database: &TestDatabase,
    events: impl IntoIterator<Item = NewEvent>,
    (networks, limits): (&[&str], PictureLimits),
) -> TestApp {
    CatalogueFixture::new(database).await.insert(events).await;
    // The program does so when it starts.
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let networks: Vec<_> = networks.iter().map(|network| network.parse().unwrap()).collect();
    let pictures = Some(Arc::new(PictureProxy::new(&networks, limits).unwrap()));
    let connection = database.connect(ConnectionRole::Api).await;
    TestApp::with_state(&State { images: Images::Proxy, pictures, ..State::new(connection.clone(), connection, 0, None) })
}

/// The only network that tests allow.
fn loopback() -> (&'static [&'static str], PictureLimits) {
    (&["127.0.0.1/32"], PictureLimits::default())
}

/// Pictures may be slow, and readers do not wait for others.
fn impatient() -> (&'static [&'static str], PictureLimits) {
    let (waiting_time, long) = (Duration::from_millis(1), Duration::from_secs(120));
    (&["127.0.0.0/8"], PictureLimits { waiting_time, read_timeout: long, load_timeout: long, ..PictureLimits::default() })
}

async fn pictures_are_loaded_by_the_service(database: Arc<TestDatabase>) {
    let server = PictureServer::new("127.0.0.1", "200 OK\nContent-Type: text/html\nSet-Cookie: a=b", PNG).await;
    let event = with_picture("Show", &server.url("1.png?a=1&b=2"));
    let (page, path) = (format!("/e/{}", event.row.id), path_of(&event));
    let app = start_proxy(&database, [event], loopback()).await;
    for (page, source) in [("/", path.trim_start_matches('/').to_owned()), (&page, format!("..{path}"))] {
        let html = open(&app, page).await;
        assert!(tags(&html).iter().any(|tag| tag.name == "img" && tag.get("src") == Some(&source)), "{html}");
        let host = server.address.to_string();
        assert!(!tags(&html).iter().any(|tag| tag.get("src").is_some_and(|source| source.contains(&host))), "{html}");
        let response = app.get(page).await;
        assert!(response.header("content-security-policy").unwrap().contains("; img-src 'self' data:; "));
    }

    let response = app.get(&path).await;
    assert_eq!((response.status.as_u16(), &*response.body), (200, PNG));
    for (name, value) in [
        ("content-type", Some("image/png")),
        ("content-length", Some("19")),
        ("cache-control", Some("public, no-cache")),
        ("content-security-policy", Some("default-src 'none'; sandbox")),
        ("cross-origin-resource-policy", Some("same-origin")),
        ("set-cookie", None),
    ] {
        assert_eq!(response.header(name), value, "{name}");
    }
    let etag = response.header("etag").unwrap();
    assert_eq!(app.send(Method::GET, &path, &[("if-none-match", etag)]).await.status, 304);
    assert_eq!(app.send(Method::HEAD, &path, &[]).await.status, 200);
    assert_eq!(server.requests(), ["GET /1.png?a=1&b=2 HTTP/1.1"], "later requests need none");
}

async fn a_picture_is_loaded_once(database: Arc<TestDatabase>) {
    let server = PictureServer::waiting("127.0.0.1", "200 OK", PNG).await;
    let events = ["One", "Two"].map(|title| with_picture(title, &server.url("1.png")));
    let [one, two] = [&events[0], &events[1]].map(path_of);
    let app = start_proxy(&database, events, loopback()).await;
    let metrics = RecordedMetrics::default();
    let recording = metrics::set_default_local_recorder(&metrics);
    let release = async {
        server.wait_for_requests(1).await;
        server.release(1);
    };
    let (one, two, ()) = tokio::join!(app.get(&one), app.get(&two), release);
    assert_eq!((one.status.as_u16(), two.status.as_u16(), server.requests().len()), (200, 200, 1));
    assert_eq!(metrics.counter("marquee_pictures_total{outcome=loaded}"), 1);
    assert_eq!(metrics.counter("marquee_pictures_total{outcome=cached}"), 1);
    drop(recording);
}

async fn private_addresses_are_refused(database: Arc<TestDatabase>) {
    let target = PictureServer::new("127.0.0.1", "200 OK", PNG).await;
    let to_target = PictureServer::new("127.0.0.2", &format!("302 Found\nLocation: {}", target.url("a.png")), b"").await;
    let to_cloud = PictureServer::new("127.0.0.2", "302 Found\nLocation: http://169.254.169.254/", b"").await;
    let to_file = PictureServer::new("127.0.0.2", "302 Found\nLocation: file:///etc/passwd", b"").await;
    let events = [
        with_picture("Address", &target.url("b.png")),
        with_picture("Name", &target.url("c.png").replace("127.0.0.1", "localhost")),
        with_picture("Mapped", &target.url("d.png").replace("127.0.0.1", "[::ffff:127.0.0.1]")),
        with_picture("Redirect", &to_target.url("e.png")),
        with_picture("Cloud", &to_cloud.url("f.png")),
        with_picture("File", &to_file.url("g.png")),
    ];
    let paths: Vec<String> = events.iter().map(path_of).collect();
    let app = start_proxy(&database, events, (&["127.0.0.2/32"], PictureLimits::default())).await;
    let metrics = RecordedMetrics::default();
    let recording = metrics::set_default_local_recorder(&metrics);
    for path in &paths {
        app.get(path).await.problem(404, "not_found");
    }
    assert_eq!(metrics.counter("marquee_pictures_total{outcome=refused}"), 6);
    drop(recording);
    assert!(target.requests().is_empty(), "{:?}", target.requests());
    assert_eq!([&to_target, &to_cloud, &to_file].map(|server| server.requests().len()), [1; 3]);
}

async fn what_is_not_a_picture_within_the_limits_is_not_sent(database: Arc<TestDatabase>) {
    let large = [PNG, &[0; 2_000]].concat();
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let limits = PictureLimits { bytes: 1_000, ..PictureLimits::default() };
    let cases: [(&str, &[u8], &str); 7] = [
        ("200 OK\nContent-Length: 2019", &large, "too_large"),
        ("200 OK", &large, "too_large"),
        ("200 OK\nContent-Type: image/png", svg, "not_a_picture"),
        ("200 OK\nContent-Length: 99", PNG, "failed"),
        ("404 Not Found\nContent-Type: image/png", PNG, "failed"),
        ("206 Partial Content", PNG, "failed"),
        ("nonsense", b"", "failed"),
    ];
    let mut servers = Vec::new();
    for (head, body, outcome) in cases {
        servers.push((PictureServer::new("127.0.0.1", head, body).await, outcome));
    }
    let events: Vec<NewEvent> = servers.iter().map(|(server, _)| with_picture(&server.url(""), &server.url("x.png"))).collect();
    let paths: Vec<String> = events.iter().map(path_of).collect();
    let app = start_proxy(&database, events, (&["127.0.0.1/32"], limits)).await;
    for ((server, outcome), path) in servers.iter().zip(paths) {
        let metrics = RecordedMetrics::default();
        let recording = metrics::set_default_local_recorder(&metrics);
        for _ in 0..2 {
            let response = app.get(&path).await;
            response.problem(404, "not_found");
            assert_eq!(response.header("cache-control"), Some("no-store"));
        }
        assert_eq!(metrics.counter(&format!("marquee_pictures_total{{outcome={outcome}}}")), 1, "{path}");
        assert_eq!(server.requests().len(), 1, "the failure is remembered");
        drop(recording);
    }
}

async fn a_slow_picture_is_not_waited_for(database: Arc<TestDatabase>) {
    let silent = PictureServer::waiting("127.0.0.1", "200 OK", PNG).await;
    // The rest of the picture never arrives.
    let hanging = PictureServer::hanging("127.0.0.1", "200 OK\nContent-Length: 99", PNG).await;
    let events = [&silent, &hanging].map(|server| with_picture(&server.url(""), &server.url("x.png")));
    let paths = [&events[0], &events[1]].map(path_of);
    let limits = PictureLimits { load_timeout: Duration::from_millis(100), ..PictureLimits::default() };
    let app = start_proxy(&database, events, (&["127.0.0.1/32"], limits)).await;
    let metrics = RecordedMetrics::default();
    let recording = metrics::set_default_local_recorder(&metrics);
    for path in paths {
        app.get(&path).await.problem(404, "not_found");
    }
    assert_eq!(metrics.counter("marquee_pictures_total{outcome=timed_out}"), 2);
    drop(recording);
}

async fn only_pictures_of_the_catalogue_are_loaded(database: Arc<TestDatabase>) {
    let hostile = [None, Some("javascript:alert(1)"), Some("file:///etc/passwd"), Some("//pictures.example/1.png"), Some("")];
    let show = |(index, url): (usize, Option<&str>)| {
        concert(&format!("Show {index}")).with(|row| row.image_url = url.map(str::to_owned))
    };
    let events: Vec<NewEvent> = hostile.into_iter().enumerate().map(show).collect();
    let paths: Vec<String> = events.iter().map(path_of).collect();
    let app = start_proxy(&database, events, loopback()).await;
    for path in &paths {
        app.get(path).await.problem(404, "not_found");
    }
    app.get("/img/00000000-0000-4000-8000-000000000000").await.problem(404, "not_found");
    app.get("/img/1").await.problem(400, "invalid_parameter");
    app.get(&format!("{}?url=http://127.0.0.1/", paths[0])).await.problem(400, "invalid_parameter");
    TestApp::new(&database).await.get(&paths[0]).await.problem(404, "path_not_found");
}

async fn a_reader_does_not_wait_long_for_other_pictures(database: Arc<TestDatabase>) {
    let hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"];
    let servers = join_all(hosts.map(|host| PictureServer::waiting(host, "200 OK", PNG))).await;
    // As many as are loaded at the same time, and one more.
    let show = |number: usize| with_picture(&format!("Show {number}"), &servers[number / 4].url(&format!("{number}.png")));
    let events: Vec<NewEvent> = (0..17).map(show).collect();
    let paths: Vec<String> = events.iter().map(path_of).collect();
    let app = start_proxy(&database, events, impatient()).await;
    let last = async {
        join_all(servers[..4].iter().map(|server| server.wait_for_requests(4))).await;
        let response = app.get(&paths[16]).await;
        response.problem(503, "overloaded");
        assert!(response.header("retry-after").is_some());
        servers.iter().for_each(|server| server.release(4));
    };
    let (responses, ()) = tokio::join!(join_all(paths[..16].iter().map(|path| app.get(path))), last);
    assert!(responses.iter().all(|response| response.status == 200));
    assert!(servers[4].requests().is_empty());
}

async fn a_slow_host_does_not_delay_others(database: Arc<TestDatabase>) {
    let slow = PictureServer::waiting("127.0.0.1", "200 OK", PNG).await;
    let other = PictureServer::new("127.0.0.2", "200 OK", PNG).await;
    let mut events: Vec<NewEvent> =
        (0..5).map(|number| with_picture(&number.to_string(), &slow.url(&format!("{number}.png")))).collect();
    events.push(with_picture("Other", &other.url("1.png")));
    let paths: Vec<String> = events.iter().map(path_of).collect();
    let app = start_proxy(&database, events, impatient()).await;
    let others = async {
        slow.wait_for_requests(4).await;
        app.get(&paths[4]).await.problem(503, "overloaded");
        assert_eq!(app.get(&paths[5]).await.status, 200);
        slow.release(5);
    };
    let (responses, ()) = tokio::join!(join_all(paths[..4].iter().map(|path| app.get(path))), others);
    assert!(responses.iter().all(|response| response.status == 200));
    assert_eq!(app.get(&paths[4]).await.status, 200, "the host has capacity again");
}
