//! `PUBLIC_URL`: absolute URLs begin with it, and nothing of a request does.

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
    without_it_nothing_is_absolute,
    two_addresses_share_no_cached_response,
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

async fn without_it_nothing_is_absolute(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let id = event.row.id;
    let app = start_app(&database, [event]).await;
    for (uri, canonical) in [("/?city=barcelona", "?city=barcelona".to_owned()), (&*format!("/e/{id}"), format!("../e/{id}"))] {
        let response = send(&app, uri).await;
        let html = response.text();
        assert_eq!((metadata(&html, "canonical"), metadata(&html, "og:url")), (Some(canonical), None));
        assert!(!html.contains("webcal:"));
        assert_eq!(response.body, app.get(uri).await.body, "so a cache may store it for all readers");
    }
    let feed = send(&app, "/events.atom?city=barcelona").await.text();
    assert!(feed.contains("<link rel=\"self\" href=\"events.atom?city=barcelona\"/>"), "{feed}");
    assert!(feed.contains("<link rel=\"alternate\" href=\"https://tickets.example/1?a=1&amp;b=2\"/>"), "{feed}");
    let calendar = send(&app, "/events.ics").await.text();
    assert!(calendar.contains("URL:https://tickets.example/1?a=1&b=2\r\n") && !calendar.contains("SOURCE"), "{calendar}");
}

async fn two_addresses_share_no_cached_response(database: Arc<TestDatabase>) {
    CatalogueFixture::new(&database).await.insert([concert("Show")]).await;
    let connection = database.connect(ConnectionRole::Api).await;
    let relative = State::new(connection.clone(), connection, 1 << 20, None);
    let absolute = State { public_url: Some(PUBLIC_URL.parse().unwrap()), ..relative.clone() };
    let [relative, absolute] = [relative, absolute].map(|state| TestApp::with_state(&state));
    for _ in 0..2 {
        assert!(!relative.get("/events.atom").await.text().contains(PUBLIC_URL));
        assert!(absolute.get("/events.atom").await.text().contains(PUBLIC_URL));
    }
}
