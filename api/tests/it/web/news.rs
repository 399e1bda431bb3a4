//! `GET /new` and `GET /new.atom`.

use std::sync::Arc;

use entity::change::ChangeKind;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::prelude::Uuid;

use super::{
    PUBLIC_URL, concert,
    html::{links, metadata, tags},
    html_of, open, start_public_app,
};
use crate::{fixtures::CatalogueFixture, test_app::TestApp};

on_every_backend!(
    each_list_has_its_changes_the_newest_first,
    filters_of_the_search_select_events_as_they_are_now,
    lists_are_followed_to_the_end,
    lists_and_their_feeds_are_in_both_languages,
    a_feed_has_the_entries_of_its_list,
    every_link_of_a_list_leads_somewhere,
    invalid_parameters_are_reported,
);

const CHEAPER: &str = r#"{"min_price":{"old":40.0,"new":30.0}}"#;
const DEARER: &str = r#"{"min_price":{"old":20.0,"new":30.0}}"#;

/// Makes a release with one change.
async fn log(catalogue: &CatalogueFixture, kind: ChangeKind, event: Uuid, changed: &str) {
    let change = catalogue.change(kind, "fever", event, changed).await;
    catalogue.release(vec![change]).await;
}

/// Three events, each with a change of another list.
async fn start(database: &TestDatabase) -> (CatalogueFixture, TestApp) {
    let events = ["New show", "Cheaper show", "Cancelled show"].map(concert);
    let ids = events.each_ref().map(|event| event.row.id);
    let app = start_public_app(database, events).await;
    let catalogue = CatalogueFixture::new(database).await;
    log(&catalogue, ChangeKind::Created, ids[0], "{}").await;
    log(&catalogue, ChangeKind::PriceChanged, ids[1], CHEAPER).await;
    log(&catalogue, ChangeKind::PriceChanged, ids[0], DEARER).await;
    log(&catalogue, ChangeKind::Cancelled, ids[2], r#"{"status":{"old":"scheduled","new":"cancelled"}}"#).await;
    (catalogue, app)
}

/// The titles of the events of a page, in order.
fn titles(html: &str) -> Vec<String> {
    let titles = html.split("<h3>").skip(1).map(|part| part.split("<bdi>").nth(1).unwrap().split("</bdi>").next().unwrap());
    titles.map(str::to_owned).collect()
}

async fn each_list_has_its_changes_the_newest_first(database: Arc<TestDatabase>) {
    let (catalogue, app) = start(&database).await;
    let texts = [
        ("/new", "New show", "<p class=\"note\">Added · <time"),
        ("/new?kind=cheaper", "Cheaper show", "<p class=\"note\">Now from 30 EUR instead of 40 EUR · <time"),
        ("/new?kind=cancelled", "Cancelled show", "<p class=\"note\">Cancelled · <time"),
    ];
    for (uri, title, note) in texts {
        let html = open(&app, uri).await;
        assert_eq!(titles(&html), [title], "{uri}");
        assert!(html.contains(note), "{uri}\n{html}");
        let current: Vec<_> = tags(&html).into_iter().filter(|tag| tag.get("aria-current").is_some()).collect();
        assert!(current.len() == 1 && uri.ends_with(current[0].get("href").unwrap().trim_start_matches("./")), "{current:?}");
    }
    let other = concert("Other show");
    let id = other.row.id;
    catalogue.insert([other]).await;
    log(&catalogue, ChangeKind::PriceChanged, id, CHEAPER).await;
    log(&catalogue, ChangeKind::PriceChanged, id, r#"{"min_price":{"old":60.0,"new":55.5}}"#).await;
    let html = open(&app, "/new?kind=cheaper").await;
    assert_eq!(titles(&html), ["Other show", "Cheaper show"], "each event once");
    assert!(html.contains("Now from 55.50 EUR instead of 60 EUR"), "{html}");
    assert_eq!(app.send(Method::DELETE, &format!("/events/{id}?reason=x"), &[]).await.status, 204);
    assert_eq!(titles(&open(&app, "/new?kind=cheaper").await), ["Cheaper show"]);
}

async fn filters_of_the_search_select_events_as_they_are_now(database: Arc<TestDatabase>) {
    let (_, app) = start(&database).await;
    for (filters, found) in [
        ("city=barcelona", 1),
        ("city=madrid", 0),
        ("q=new%20show", 1),
        ("q=cheaper", 0),
        ("category=music&max_price=30", 1),
        ("starts_at=2099-02-10&ends_at=2099-02-10&time_zone=venue&range=overlaps&city=barcelona", 1),
    ] {
        let html = open(&app, &format!("/new?{filters}")).await;
        assert_eq!(titles(&html).len(), found, "{filters}");
        let active =
            html.split("class=\"filters\"").nth(1).map_or(0, |rest| rest.split("</ul>").next().unwrap().matches("<li>").count());
        assert!(active > 0, "{filters}\n{html}");
        assert!(
            links("/new", &html)
                .iter()
                .any(|link| link.starts_with("/?") && link.contains(filters.split(['&', '%']).next().unwrap()))
        );
    }
    let html = open(&app, "/?city=barcelona").await;
    assert!(links("/", &html).contains(&"/new?city=barcelona".to_owned()), "{html}");
}

async fn lists_are_followed_to_the_end(database: Arc<TestDatabase>) {
    let (catalogue, app) = start(&database).await;
    let id = concert("New show").row.id;
    let events: Vec<_> = (0..30).map(|number| concert(&format!("Show {number}"))).collect();
    let mut changes = Vec::new();
    for event in &events {
        changes.push(catalogue.change(ChangeKind::Created, "fever", event.row.id, "{}").await);
    }
    catalogue.insert(events).await;
    catalogue.release(changes).await;
    // More changes of one event than a page examines.
    let again = catalogue.change(ChangeKind::Created, "fever", id, "{}").await;
    catalogue.release(vec![again; 250]).await;
    let (mut found, mut uri, mut pages) = (Vec::new(), "/new?lang=en".to_owned(), 0);
    loop {
        let html = open(&app, &uri).await;
        found.extend(titles(&html));
        pages += 1;
        let Some(next) = tags(&html).into_iter().find(|tag| tag.get("rel") == Some("next")) else { break };
        uri = format!("/{}", next.get("href").unwrap());
        assert!(uri.contains("lang=en"), "{uri}");
    }
    let shows = found.iter().filter(|title| title.starts_with("Show")).collect::<std::collections::BTreeSet<_>>();
    assert_eq!((shows.len(), found.iter().filter(|title| title.starts_with("Show")).count()), (30, 30), "{found:?}");
    assert!(pages >= 4, "{pages}");
}

async fn lists_and_their_feeds_are_in_both_languages(database: Arc<TestDatabase>) {
    let (_, app) = start(&database).await;
    let spanish = app.send(Method::GET, "/new?kind=cheaper", &[("accept-language", "es")]).await;
    let html = html_of(&spanish, 200);
    assert_eq!(spanish.header("content-language"), Some("es"));
    assert!(html.contains("<h1>Novedades</h1>") && html.contains("Ahora desde 30 EUR en vez de 40 EUR"), "{html}");
    let chosen = open(&app, "/new?lang=es").await;
    for link in links("/new", &chosen).into_iter().filter(|link| link.starts_with("/new")) {
        assert!(link.contains("lang="), "{link}");
    }
    let feed = app.get("/new.atom?kind=cheaper&lang=es").await;
    assert!(feed.text().contains("Ahora desde 30 EUR en vez de 40 EUR"), "{}", feed.text());
    assert_eq!(metadata(&chosen, "canonical").as_deref(), Some(&*format!("{PUBLIC_URL}/new?lang=es")));
}

async fn a_feed_has_the_entries_of_its_list(database: Arc<TestDatabase>) {
    let (_, app) = start(&database).await;
    let id = concert("Cheaper show").row.id;
    let response = app.get("/new.atom?kind=cheaper&city=barcelona").await;
    assert_eq!(response.header("content-type"), Some("application/atom+xml; charset=utf-8"));
    let xml = response.text();
    let mut reader = quick_xml::Reader::from_str(&xml);
    while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    for text in [
        format!("<link rel=\"self\" href=\"{PUBLIC_URL}/new.atom?kind=cheaper&amp;city=barcelona\"/>"),
        format!("<link rel=\"alternate\" href=\"{PUBLIC_URL}/new?kind=cheaper&amp;city=barcelona\"/>"),
        format!("<link rel=\"alternate\" href=\"{PUBLIC_URL}/e/{id}\"/>"),
        "<title>Marquee: Cheaper</title>".to_owned(),
        "<title>Cheaper show</title>".to_owned(),
        "Now from 30 EUR instead of 40 EUR, Tue 10 Feb 2099, 20:00, Sala Apolo, Barcelona, 30 to 55.50 EUR".to_owned(),
    ] {
        assert!(xml.contains(&text), "{text}\n{xml}");
    }
    assert_eq!(xml.matches("<entry>").count(), 1);
    let etag = response.header("etag").unwrap();
    assert_eq!(app.send(Method::GET, "/new.atom?kind=cheaper&city=barcelona", &[("if-none-match", etag)]).await.status, 304);
    assert_eq!(app.get("/new.atom?city=madrid").await.text().matches("<entry>").count(), 0);
}

async fn every_link_of_a_list_leads_somewhere(database: Arc<TestDatabase>) {
    let (_, app) = start(&database).await;
    for page in ["/new", "/new?kind=cheaper&city=barcelona&lang=es"] {
        for link in links(page, &open(&app, page).await) {
            let status = app.get(&link).await.status.as_u16();
            assert!([200, 302, 303].contains(&status), "{page}: {link}: {status}");
        }
    }
}

async fn invalid_parameters_are_reported(database: Arc<TestDatabase>) {
    let (_, app) = start(&database).await;
    for (query, text) in [
        ("kind=other", "must be created, cheaper, cancelled"),
        ("before=x", "must be a cursor"),
        ("min_price=cheap", "min_price"),
        ("nonsense=1", "nonsense"),
    ] {
        let html = html_of(&app.get(&format!("/new?{query}")).await, 400);
        assert!(html.contains(text), "{query}\n{html}");
        app.get(&format!("/new.atom?{query}")).await.problem(400, "invalid_parameter");
    }
}
