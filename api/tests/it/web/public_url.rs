//! Absolute URLs begin with `PUBLIC_URL`, or with the origin of the request if it is unset.

use std::sync::Arc;

use api::State;
use entity::ConnectionRole;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;

use super::{PUBLIC_URL, concert, html::metadata, open, start_app, start_public_app};
use crate::{
    fixtures::CatalogueFixture,
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    pages_have_absolute_addresses,
    exports_have_absolute_addresses,
    without_it_urls_begin_with_the_origin_of_the_request,
    origins_share_no_stored_response,
    behind_a_path_prefix_nothing_is_absolute,
);

/// Headers with which a client, or a page that it visits, tries to choose where links lead.
const FORGED: [(&str, &str); 4] = [
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-prefix", "/evil"),
    ("forwarded", "host=evil.example;proto=https"),
];

async fn send(app: &TestApp, uri: &str) -> TestResponse {
    let host: &[(&str, &str)] = &[("host", "evil.example")];
    let response = app.send(Method::GET, uri, &[host, &FORGED].concat()).await;
    assert!(response.status.is_success(), "{uri}: {}", response.text());
    assert!(!response.text().contains("evil"), "{uri}: {}", response.text());
    response
}

async fn pages_have_absolute_addresses(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let path = format!("/e/{}", event.row.id);
    let app = start_public_app(&database, [event]).await;
    for (uri, address) in [
        (path.as_str(), path.as_str()),
        ("/", "/"),
        ("/?city=barcelona&q=%22%3E%3Cb%3E", "/?city=barcelona&q=%22%3E%3Cb%3E"),
        ("/?limit=1&city=", "/"),
        ("/?utm_source=x&city=barcelona&fbclid=y", "/?city=barcelona"),
        (&*format!("{path}?fbclid=y"), path.as_str()),
    ] {
        let html = send(&app, uri).await.text();
        let absolute = Some(format!("{PUBLIC_URL}{address}"));
        assert_eq!((metadata(&html, "canonical"), metadata(&html, "og:url")), (absolute.clone(), absolute), "{uri}");
    }
    let html = open(&app, "/?city=barcelona").await;
    assert!(html.contains("href=\"webcal://events.example/marquee/events.ics?city=barcelona\""), "{html}");
}

async fn exports_have_absolute_addresses(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let (id, page) = (event.row.id, format!("{PUBLIC_URL}/e/{}", event.row.id));
    let app = start_public_app(&database, [event]).await;

    let feed = send(&app, "/events.atom?city=barcelona&limit=9").await.text();
    for link in [
        format!("<link rel=\"self\" href=\"{PUBLIC_URL}/events.atom?city=barcelona&amp;limit=9\"/>"),
        format!("<link rel=\"alternate\" href=\"{PUBLIC_URL}/?city=barcelona\"/>"),
        format!("<link rel=\"alternate\" href=\"{page}\"/>"),
        "<link rel=\"related\" href=\"https://tickets.example/1?a=1&amp;b=2\"/>".to_owned(),
        format!("<id>urn:uuid:{id}</id>"),
    ] {
        assert!(feed.contains(&link), "{link}\n{feed}");
    }
    let calendar = send(&app, "/events.ics?city=barcelona").await.text().replace("\r\n ", "");
    for line in [
        format!("URL:{PUBLIC_URL}/?city=barcelona\r\nSOURCE;VALUE=URI:{PUBLIC_URL}/events.ics?city=barcelona\r\n"),
        format!("URL:{page}\r\nEND:VEVENT"),
    ] {
        assert!(calendar.contains(&line), "{line}\n{calendar}");
    }
    let calendar = send(&app, &format!("/events/{id}.ics")).await.text().replace("\r\n ", "");
    assert!(calendar.contains(&format!("URL:{page}\r\n")) && !calendar.contains("SOURCE"), "{calendar}");
    let data = send(&app, &format!("/events/{id}.jsonld")).await;
    let data: serde_json::Value = serde_json::from_slice(&data.body).unwrap();
    assert_eq!((&data["url"], &data["offers"]["url"]), (&page.into(), &"https://tickets.example/1?a=1&b=2".into()));
}

async fn behind_a_path_prefix_nothing_is_absolute(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let id = event.row.id;
    let app = start_app(&database, [event]).await;
    let read = async |uri: &str| app.send(Method::GET, uri, &[("x-forwarded-prefix", "/events")]).await.text();
    for (uri, canonical) in [("/?city=barcelona", "?city=barcelona".to_owned()), (&*format!("/e/{id}"), format!("../e/{id}"))] {
        let html = read(uri).await;
        assert_eq!((metadata(&html, "canonical"), metadata(&html, "og:url")), (Some(canonical), None));
        assert!(!html.contains("webcal:"));
    }
    let feed = read("/events.atom?city=barcelona").await;
    assert!(feed.contains("<link rel=\"self\" href=\"events.atom?city=barcelona\"/>"), "{feed}");
    assert!(feed.contains("<link rel=\"alternate\" href=\"https://tickets.example/1?a=1&amp;b=2\"/>"), "{feed}");
    let calendar = read("/events.ics").await;
    assert!(calendar.contains("URL:https://tickets.example/1?a=1&b=2\r\n") && !calendar.contains("SOURCE"), "{calendar}");
    for path in ["/sitemap.xml", "/sitemaps/events-0-0.xml"] {
        assert!(read(path).await.contains("\"not_found\""), "{path}");
    }
    assert_eq!(read("/robots.txt").await, "User-agent: *\nDisallow: /out/\nDisallow: /new?\n");
}

async fn without_it_urls_begin_with_the_origin_of_the_request(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let id = event.row.id;
    let app = start_app(&database, [event]).await;
    for (headers, origin) in [
        (&[("host", "tickets.example:8000")][..], "http://tickets.example:8000"),
        (&[("host", "TICKETS.example"), ("x-forwarded-proto", "https")], "https://tickets.example"),
        (
            &[("host", "[::1]:8000"), ("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")],
            "http://[::1]:8000",
        ),
    ] {
        let read = async |uri: &str| app.send(Method::GET, uri, headers).await.text().replace("\r\n ", "");
        let page = read(&format!("/e/{id}")).await;
        let address = Some(format!("{origin}/e/{id}"));
        assert_eq!((metadata(&page, "canonical"), metadata(&page, "og:url")), (address.clone(), address), "{origin}");
        let (_, host) = origin.split_once("://").unwrap();
        for (uri, text) in [
            ("/?city=barcelona", format!("href=\"webcal://{host}/events.ics?city=barcelona\"")),
            ("/events.atom", format!("<link rel=\"alternate\" href=\"{origin}/e/{id}\"/>")),
            ("/events.ics", format!("URL:{origin}/e/{id}\r\n")),
            (&format!("/events/{id}.ics"), format!("URL:{origin}/e/{id}\r\n")),
            (&format!("/events/{id}.jsonld"), format!("\"url\":\"{origin}/e/{id}\"")),
            ("/robots.txt", format!("Sitemap: {origin}/sitemap.xml\n")),
            ("/sitemap.xml", format!("<loc>{origin}/sitemaps/events-0-0.xml</loc>")),
            ("/sitemaps/events-0-0.xml", format!("<loc>{origin}/e/{id}</loc>")),
        ] {
            let response = read(uri).await;
            assert!(response.contains(&text) && !response.contains("evil"), "{uri}: {text}\n{response}");
        }
    }
}

async fn origins_share_no_stored_response(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let paths = ["/", &format!("/e/{}", event.row.id), "/events.atom", "/sitemap.xml"].map(str::to_owned);
    CatalogueFixture::new(&database).await.insert([event]).await;
    let connection = database.connect(ConnectionRole::Api).await;
    let unset = State::new(connection.clone(), connection, 1 << 20, None);
    let configured = State { public_url: Some(PUBLIC_URL.parse().unwrap()), ..unset.clone() };
    let [unset, configured] = [unset, configured].map(|state| TestApp::with_state(&state));
    for path in &paths {
        for _ in 0..2 {
            let read = async |app: &TestApp, headers: &[(&str, &str)]| app.send(Method::GET, path, headers).await.text();
            let origins = [
                (read(&unset, &[("host", "a.example")]).await, "http://a.example"),
                (read(&unset, &[("host", "a.example"), ("x-forwarded-proto", "https")]).await, "https://a.example"),
                (read(&unset, &[("host", "b.example")]).await, "http://b.example"),
                (read(&configured, &[("host", "a.example")]).await, PUBLIC_URL),
            ];
            for (text, origin) in &origins {
                let others = origins.iter().filter(|(_, other)| other != origin);
                assert!(text.contains(&format!("{origin}/")), "{path}, {origin}: {text}");
                assert!(others.clone().all(|(_, other)| !text.contains(&format!("{other}/"))), "{path}, {origin}: {text}");
            }
        }
    }
}
