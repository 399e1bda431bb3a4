//! `/robots.txt`, `/sitemap.xml` and its pages.

use std::{collections::BTreeSet, sync::Arc};

use api::State;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;

use super::{PUBLIC_URL, concert, open, start_public_app};
use crate::{
    cached_responses::create_state,
    fixtures::{CatalogueFixture, NewEvent, instant},
    test_app::TestApp,
};

on_every_backend!(
    the_sitemap_lists_every_page_of_upcoming_events,
    parts_list_each_page_once,
    other_names_are_unknown,
    an_empty_catalogue_has_the_search_page,
    pages_are_cached_until_the_catalogue_changes,
);

/// The URLs of a document.
fn locations(xml: &str) -> Vec<String> {
    let parts = xml.split("<loc>").skip(1);
    parts.map(|part| part.split_once("</loc>").unwrap().0.to_owned()).collect()
}

async fn fetch(app: &TestApp, path: &str) -> String {
    let response = app.get(path).await;
    assert_eq!((response.status.as_u16(), response.header("content-type")), (200, Some("application/xml; charset=utf-8")));
    let xml = response.text();
    let mut reader = quick_xml::Reader::from_str(&xml);
    while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    xml
}

/// The paths that all pages of the sitemap list.
async fn list_all(app: &TestApp) -> Vec<String> {
    let mut paths = Vec::new();
    for page in locations(&fetch(app, "/sitemap.xml").await) {
        let page = fetch(app, page.strip_prefix(PUBLIC_URL).unwrap()).await;
        paths.extend(locations(&page).into_iter().map(|url| url.strip_prefix(PUBLIC_URL).unwrap().to_owned()));
    }
    paths
}

async fn the_sitemap_lists_every_page_of_upcoming_events(database: Arc<TestDatabase>) {
    let other = |title: &str, performer: &str| {
        concert(title).performers(&[performer]).venue_with(&format!("Hall of {title}"), None, |_| {})
    };
    let (show, past) = (concert("Show"), other("Past", "past").starts("2021-02-10").ends("2021-02-11"));
    let left = other("Left", "left").with(|row| row.left_at = Some(instant("2026-02-01T08:10:00")));
    let id = show.row.id;
    let app = start_public_app(&database, [show, past, left]).await;

    let robots = app.get("/robots.txt").await;
    let expected =
        format!("User-agent: *\nDisallow: /marquee/out/\nDisallow: /marquee/new?\n\nSitemap: {PUBLIC_URL}/sitemap.xml\n");
    assert_eq!((robots.text(), robots.header("content-type")), (expected, Some("text/plain; charset=utf-8")));
    let mut listed = list_all(&app).await;
    for path in &listed {
        open(&app, path).await;
    }
    listed.sort_by_key(|path| path.matches('/').count());
    assert_eq!(listed.len(), 4, "{listed:?}");
    assert_eq!(listed[..2], ["/".to_owned(), format!("/e/{id}")]);
    assert!(listed[2].starts_with("/v/") && listed[3].starts_with("/p/"), "{listed:?}");
    let events = fetch(&app, "/sitemaps/events-0-0.xml").await;
    assert!(events.contains("<lastmod>1970-01-01T00:00:00Z</lastmod>"), "{events}");
}

async fn parts_list_each_page_once(database: Arc<TestDatabase>) {
    let app = start_public_app(&database, (0..40).map(|index| concert(&format!("Show {index}")))).await;
    let all: BTreeSet<String> = locations(&fetch(&app, "/sitemaps/events-0-0.xml").await).into_iter().collect();
    assert_eq!(all.len(), 41);
    let mut of_parts = Vec::new();
    for index in 0..2 {
        let part = locations(&fetch(&app, &format!("/sitemaps/events-1-{index}.xml")).await);
        assert!(part.len() > 1, "ids are hashes");
        of_parts.extend(part);
    }
    assert_eq!((of_parts.len(), of_parts.into_iter().collect()), (41, all));
}

async fn other_names_are_unknown(database: Arc<TestDatabase>) {
    let app = start_public_app(&database, []).await;
    for name in ["events", "events-0-1.xml", "events-2-0.xml", "places-0-0.xml", "events-00-0.xml", "%2e%2e"] {
        app.get(&format!("/sitemaps/{name}")).await.problem(404, "not_found");
    }
    for path in ["/robots.txt", "/sitemap.xml", "/sitemaps/events-0-0.xml"] {
        assert_eq!(app.get(&format!("{path}?page=2")).await.status, 400);
        assert_eq!(app.send(Method::POST, path, &[]).await.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
}

async fn an_empty_catalogue_has_the_search_page(database: Arc<TestDatabase>) {
    let app = start_public_app(&database, []).await;
    assert_eq!(list_all(&app).await, ["/"]);
}

async fn pages_are_cached_until_the_catalogue_changes(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert((0..2).map(|index| NewEvent::titled(&format!("Show {index}")).starts("2099-02-10"))).await;
    let state = create_state(&database).await;
    let state = State { public_url: Some(PUBLIC_URL.parse().unwrap()), ..state };
    let app = TestApp::with_state(&state);
    for path in ["/sitemap.xml", "/sitemaps/events-0-0.xml"] {
        let first = app.get(path).await;
        let second = app.get(path).await;
        assert_eq!((second.header("cache-status"), &second.body), (Some("marquee-process; hit"), &first.body));
        let etag = first.header("etag").unwrap();
        assert_eq!(app.send(Method::GET, path, &[("if-none-match", etag)]).await.status, 304);
        let head = app.send(Method::HEAD, path, &[]).await;
        assert_eq!(head.header("content-length"), Some(&*first.body.len().to_string()));
    }
    catalogue.insert_with_new_version(NewEvent::titled("New").starts("2099-02-11")).await;
    state.version.refresh().await.unwrap();
    for path in ["/sitemap.xml", "/sitemaps/events-0-0.xml"] {
        let status = app.get(path).await.header("cache-status").unwrap().to_owned();
        assert_eq!(status, "marquee-process; hit; detail=REVALIDATING", "{path}");
    }
}
