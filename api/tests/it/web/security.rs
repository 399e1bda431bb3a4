//! Text of providers on pages, the headers that protect readers, the files that pages load, and their sizes.

use std::sync::Arc;

use api::{State, images::Images};
use entity::ConnectionRole;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;

use super::{
    concert,
    html::{links, tags},
    open, start_app,
};
use crate::{fixtures::CatalogueFixture, test_app::TestApp};

on_every_backend!(
    text_of_providers_is_never_markup,
    links_of_providers_are_addresses_of_the_web,
    pages_are_revalidated_and_compressed,
    files_are_stored_forever_under_their_hash,
    pictures_of_providers_are_shown_on_request_only,
    the_first_page_and_its_scripts_are_small,
);

/// Of the first page and of our own scripts together, with gzip.
const MAX_PAGE_BYTES: usize = 30_000;
const MAX_SCRIPTS_BYTES: usize = 20_000;

const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>' \u{202e}{{ 7*7 }}";

async fn text_of_providers_is_never_markup(database: Arc<TestDatabase>) {
    let mut event =
        concert(HOSTILE).performers(&[HOSTILE]).zone("<i>", |zone| zone.name = Some(HOSTILE.to_owned())).with(|row| {
            (row.name, row.description) = (Some(HOSTILE.to_owned()), Some(HOSTILE.to_owned()));
            row.organizer_name = Some(HOSTILE.to_owned());
        });
    let venue = event.venue.as_mut().unwrap();
    (venue.name, venue.city, venue.address) = (HOSTILE.to_owned(), Some(HOSTILE.to_owned()), Some(HOSTILE.to_owned()));
    let path = format!("/e/{}", event.row.id);
    let app = start_app(&database, [event]).await;
    let linked = links(&path, &open(&app, &path).await);
    let items = linked.into_iter().filter(|link| link.starts_with("/v/") || link.starts_with("/p/")).map(|link| (link, None));
    let pages = items.chain([("/".to_owned(), Some("module")), (path, Some("application/ld+json"))]).collect::<Vec<_>>();
    assert_eq!(pages.len(), 4);
    for (page, script) in pages {
        let html = open(&app, &page).await;
        assert!(html.contains("&#60;script&#62;alert(1)"), "{html}");
        let tags = tags(&html);
        let types: Vec<_> = tags.iter().filter(|tag| tag.name == "script").map(|tag| tag.get("type")).collect();
        assert_eq!(types, Vec::from_iter(script.map(Some)), "{page}");
        assert!(!tags.iter().any(|tag| tag.get("onerror").is_some() || tag.get("style").is_some() || tag.name == "style"));
        // An override of the direction of text ends with the element that isolates it.
        for (at, _) in html.match_indices('\u{202e}') {
            let before = &html[..at];
            let is_isolated = [("<bdi>", "</bdi>"), ("<p dir=\"auto\">", "</p>"), ("<title>", "</title>")]
                .iter()
                .any(|(start, end)| before.rfind(start) > before.rfind(end));
            let in_attribute_or_head = before.rfind('<') > before.rfind('>') || !before.contains("</head>");
            assert!(is_isolated || in_attribute_or_head, "{page}: {}", &html[at.saturating_sub(200)..at]);
        }
    }
}

async fn links_of_providers_are_addresses_of_the_web(database: Arc<TestDatabase>) {
    let hostile =
        ["javascript:alert(1)", "JaVaScRiPt://x/%0aalert(1)", "data:text/html,<script>alert(1)</script>", "//evil.example"];
    for (index, url) in hostile.into_iter().enumerate() {
        let event = concert(&format!("Show {index}")).with(|row| row.url = Some(url.to_owned()));
        let path = format!("/e/{}", event.row.id);
        let app = start_app(&database, [event]).await;
        let html = open(&app, &path).await;
        let tags = tags(&html);
        let references = tags.iter().filter_map(|tag| tag.get("href").or(tag.get("src")).or(tag.get("content")));
        assert!(!references.into_iter().any(|value| value.contains("alert(1)") || value.contains("evil.example")), "{html}");
        assert!(!tags.iter().any(|tag| tag.get("class") == Some("button")), "{url}");
    }
}

async fn pages_are_revalidated_and_compressed(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let path = format!("/e/{}", event.row.id);
    let app = start_app(&database, [event]).await;
    for (uri, status) in [("/", 200), (path.as_str(), 200), ("/?limit=1&nope=1", 400)] {
        let response = app.get(uri).await;
        assert_eq!(response.status, status, "{uri}");
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; ") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{policy}");
        assert_eq!(policy.contains("; script-src 'self'; connect-src 'self'; "), uri == "/", "{policy}");
        assert_eq!(response.header("referrer-policy"), Some("strict-origin-when-cross-origin"));
    }
    for uri in ["/", path.as_str()] {
        let response = app.get(uri).await;
        assert_eq!(
            (response.header("cache-control"), response.header("vary")),
            (Some("public, no-cache"), Some("accept-encoding"))
        );
        let etag = response.header("etag").unwrap();
        assert_eq!(app.send(Method::GET, uri, &[("if-none-match", etag)]).await.status, 304);
        let head = app.send(Method::HEAD, uri, &[]).await;
        assert_eq!((head.header("etag"), head.body.len()), (Some(etag), 0));
        assert_eq!(head.header("content-length"), Some(&*response.body.len().to_string()));
        for coding in ["gzip", "br", "zstd"] {
            let encoded = app.send(Method::GET, uri, &[("accept-encoding", coding)]).await;
            assert_eq!((encoded.header("content-encoding"), encoded.decoded()), (Some(coding), response.body.clone()));
        }
    }
}

async fn pictures_of_providers_are_shown_on_request_only(database: Arc<TestDatabase>) {
    let with_picture = |title: &str, url: &str| concert(title).with(|row| row.image_url = Some(url.to_owned()));
    let event = with_picture("Show", "https://pictures.example/1.jpg?a=1&b=2");
    let path = format!("/e/{}", event.row.id);
    let others = [with_picture("Hostile", "javascript:alert(1)"), with_picture("Insecure", "http://pictures.example/2.jpg")];
    CatalogueFixture::new(&database).await.insert([event].into_iter().chain(others)).await;
    let connection = database.connect(ConnectionRole::Api).await;
    for (images, pictures) in [(Images::Tiles, 0), (Images::Direct, 1)] {
        let app = TestApp::with_state(&State { images, ..State::new(connection.clone(), connection.clone(), 0, None) });
        for page in ["/", &path] {
            let response = app.get(page).await;
            let tags = tags(&response.text());
            assert!(!tags.iter().any(|tag| tag.get("src").is_some_and(|url| url.starts_with("http:"))), "{page}");
            let shown = tags.iter().filter(|tag| tag.get("src") == Some("https://pictures.example/1.jpg?a=1&b=2"));
            let policies: Vec<_> = shown.map(|tag| tag.get("referrerpolicy").map(str::to_owned)).collect();
            assert_eq!(policies, vec![Some("no-referrer".to_owned()); pictures], "{page}");
            assert!(!response.text().contains("javascript:"), "{page}");
            let policy = response.header("content-security-policy").unwrap();
            assert_eq!(policy.contains("; img-src 'self' data: https:; "), pictures > 0, "{policy}");
        }
    }
}

async fn files_are_stored_forever_under_their_hash(database: Arc<TestDatabase>) {
    let app = start_app(&database, [concert("Show")]).await;
    let html = open(&app, "/").await;
    let files: Vec<String> = links("/", &html).into_iter().filter(|link| link.starts_with("/assets/")).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        let response = app.get(&file).await;
        assert_eq!(response.header("cache-control"), Some("public, max-age=31536000, immutable"), "{file}");
        let name = file.rsplit('/').next().unwrap();
        let other = app.get(&format!("/assets/0000000000000000/{name}")).await;
        assert_eq!((other.header("cache-control"), &other.body), (Some("public, no-cache"), &response.body));
    }
    app.get("/assets/0/nope.js").await.problem(404, "path_not_found");
}

/// What readers on slow networks load before they see the first results.
async fn the_first_page_and_its_scripts_are_small(database: Arc<TestDatabase>) {
    let events = (0..30).map(|index| {
        let title = format!("Performance {index} of {:x}", xxhash_rust::xxh3::xxh3_64(&[index]));
        let point = (40.0 + f64::from(index) / 7.0, -3.0 + f64::from(index) / 11.0);
        concert(&title).venue_with(&format!("Hall {title}"), Some(point), |venue| venue.city = Some(format!("City {index}")))
    });
    let app = start_app(&database, events).await;
    let load = async |path: &str| {
        let response = app.send(Method::GET, path, &[("accept-encoding", "gzip")]).await;
        assert_eq!((response.status.as_u16(), response.header("content-encoding")), (200, Some("gzip")), "{path}");
        (response.body.len(), String::from_utf8(response.decoded()).unwrap())
    };
    let (bytes, html) = load("/").await;
    assert_eq!(html.matches("<li class=\"event\">").count(), 24);
    assert!(html.contains("id=\"month\"") && html.contains("id=\"map\""), "{html}");
    assert!(bytes < MAX_PAGE_BYTES, "{bytes}");
    let mut scripts = 0;
    for name in ["search.js", "map.js", "ops.js"] {
        scripts += load(&format!("/assets/0/{name}")).await.0;
    }
    assert!(scripts < MAX_SCRIPTS_BYTES, "{scripts}");
}
