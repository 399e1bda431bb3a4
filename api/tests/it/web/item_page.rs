//! `GET /p/{id}` and `GET /v/{id}`.

use std::{collections::BTreeSet, sync::Arc};

use entity::{
    ConnectionRole,
    alias::{self, AliasKind},
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{EntityTrait, IntoActiveModel, prelude::Uuid};

use super::{
    PUBLIC_URL, concert,
    html::{ORIGIN, links, metadata, tags},
    html_of, open, start_app, start_public_app,
};
use crate::{fixtures::NewEvent, test_app::TestApp};

on_every_backend!(
    a_venue_has_its_address_and_events,
    a_performer_has_its_events,
    events_and_lists_link_to_both,
    pages_are_followed_to_the_end,
    an_item_without_upcoming_events_links_to_past_ones,
    other_ids_lead_to_the_same_page,
    missing_items_and_unknown_parameters_are_pages,
);

/// The paths of the pages of the venue and of the performer of an event.
async fn find_pages(app: &TestApp, id: Uuid) -> [String; 2] {
    let event = app.get(&format!("/events/{id}")).await.json();
    let [venue, performer] = ["/venue/uuid", "/performers/0/uuid"].map(|path| event["data"].pointer(path).unwrap().clone());
    [format!("/v/{}", venue.as_str().unwrap()), format!("/p/{}", performer.as_str().unwrap())]
}

async fn a_venue_has_its_address_and_events(database: Arc<TestDatabase>) {
    let event = concert("Show & more");
    let id = event.row.id;
    let elsewhere = concert("Elsewhere").venue_with("Hall", None, |_| {});
    let app = start_public_app(&database, [event, elsewhere, concert("Later").starts("2099-03-01")]).await;
    let [venue, _] = find_pages(&app, id).await;

    let html = open(&app, &venue).await;

    for text in [
        "<title>Sala Apolo - Marquee</title>",
        "<h1><bdi>Sala Apolo</bdi></h1>",
        "<bdi>Nou de la Rambla 113</bdi><br><bdi>Barcelona</bdi><br><bdi>ES</bdi>",
        "https://www.openstreetmap.org/?mlat=41.374&#38;mlon=2.169",
        "<dd>UTC</dd>",
        "<p>2 events</p>",
        "<bdi>Show &#38; more</bdi>",
        "content=\"Venue · 2 events · Nou de la Rambla 113 · Barcelona · ES\"",
        "webcal://events.example/marquee/events.ics?venue=",
    ] {
        assert!(html.contains(text), "{text}\n{html}");
    }
    assert!(!html.contains("Elsewhere"));
    assert_eq!(metadata(&html, "canonical"), Some(format!("{PUBLIC_URL}{venue}")));
}

async fn a_performer_has_its_events(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let id = event.row.id;
    let app = start_app(&database, [event, concert("Elsewhere").performers(&["13"])]).await;
    let [_, performer] = find_pages(&app, id).await;
    let html = open(&app, &performer).await;
    assert!(html.contains("<h1><bdi>Performer 12</bdi></h1>") && html.contains("<p>1 event</p>"), "{html}");
    assert!(html.contains("<bdi>Show</bdi>") && !html.contains("Elsewhere") && !html.contains("Time zone"), "{html}");
    assert_eq!(metadata(&html, "canonical"), Some(format!("{ORIGIN}{performer}")));
}

async fn events_and_lists_link_to_both(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let id = event.row.id;
    let app = start_app(&database, [event]).await;
    let [venue, performer] = find_pages(&app, id).await;
    let path = format!("/e/{id}");
    let of_event = links(&path, &open(&app, &path).await);
    assert!(of_event.contains(&venue) && of_event.contains(&performer), "{of_event:?}");
    assert!(links("/", &open(&app, "/").await).contains(&venue));
    for page in [&venue, &performer] {
        for link in links(page, &open(&app, page).await) {
            assert_eq!(app.get(&link).await.status, 200, "{page}: {link}");
        }
    }
}

async fn pages_are_followed_to_the_end(database: Arc<TestDatabase>) {
    let events: Vec<NewEvent> = (0..30).map(|index| concert(&format!("Show {index}"))).collect();
    let id = events[0].row.id;
    let app = start_public_app(&database, events).await;
    for first in find_pages(&app, id).await {
        let html = open(&app, &first).await;
        let next = tags(&html).into_iter().find(|tag| tag.get("rel") == Some("next")).unwrap();
        let second = format!("{first}{}", next.get("href").unwrap());
        let last = open(&app, &second).await;
        let shown = |page: &str, html: &str| {
            links(page, html).into_iter().filter(|link| link.starts_with("/e/")).collect::<BTreeSet<_>>()
        };
        assert_eq!(shown(&first, &html).union(&shown(&second, &last)).count(), 30);
        assert!(!tags(&last).iter().any(|tag| tag.get("rel") == Some("next")));
        assert!(links(&second, &last).contains(&first), "a link to the first page");
        assert_eq!(metadata(&last, "canonical"), Some(format!("{PUBLIC_URL}{second}")));
    }
}

async fn an_item_without_upcoming_events_links_to_past_ones(database: Arc<TestDatabase>) {
    let past = concert("Past").starts("2021-02-10T20:00:00").ends("2021-02-10T21:30:00");
    let id = past.row.id;
    let app = start_app(&database, [past]).await;
    for page in find_pages(&app, id).await {
        let html = open(&app, &page).await;
        assert!(html.contains("There are no upcoming events"), "{html}");
        let past = links(&page, &html).into_iter().find(|link| link.contains("range=all")).unwrap();
        assert!(open(&app, &past).await.contains("<bdi>Past</bdi>"), "{past}");
    }
}

async fn other_ids_lead_to_the_same_page(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let id = event.row.id;
    let app = start_app(&database, [event]).await;
    let connection = database.connect(ConnectionRole::Worker).await;
    for (kind, page) in [AliasKind::Venue, AliasKind::Performer].into_iter().zip(find_pages(&app, id).await) {
        let (folder, target) = page.rsplit_once('/').unwrap();
        let old = Uuid::new_v5(&Uuid::nil(), folder.as_bytes());
        let row = alias::Model { id: old, provider_id: 1, kind, target: target.parse().unwrap() };
        alias::Entity::insert(row.into_active_model()).exec_without_returning(&connection).await.unwrap();
        let response = app.get(&format!("{folder}/{old}")).await;
        html_of(&response, 308);
        assert_eq!(response.location(), page);
        let in_spanish = app.get(&format!("{folder}/{old}?lang=es")).await;
        assert_eq!(in_spanish.location(), format!("{page}?lang=es"));
    }
    let html = open(&app, "/p/fever:12").await;
    let [_, performer] = find_pages(&app, id).await;
    assert_eq!(metadata(&html, "canonical"), Some(format!("{ORIGIN}{performer}")));
}

async fn missing_items_and_unknown_parameters_are_pages(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let id = event.row.id;
    let app = start_app(&database, [event]).await;
    for folder in ["v", "p"] {
        assert!(html_of(&app.get(&format!("/{folder}/{}", Uuid::nil())).await, 404).contains("<h1>Not found</h1>"));
        assert!(html_of(&app.get(&format!("/{folder}/x")).await, 400).contains("must be a UUID"));
    }
    for page in find_pages(&app, id).await {
        for query in ["limit=1", "cursor=x", "q=a"] {
            html_of(&app.get(&format!("{page}?{query}")).await, 400);
        }
        assert_eq!(app.get(&format!("{page}?utm_source=x")).await.status, 200);
    }
}
