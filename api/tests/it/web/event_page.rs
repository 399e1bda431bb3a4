//! `GET /e/{id}`.

use std::sync::Arc;

use entity::alias::AliasKind;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use serde_json::Value;

use super::{concert, html::tags, html_of, open, start_app};
use crate::{
    aliases::{self, OLD},
    fixtures::instant,
};

on_every_backend!(
    an_event_is_shown_with_all_details,
    other_dates_of_the_show_are_linked,
    an_event_that_left_its_feed_is_marked,
    an_old_id_redirects_to_the_page_of_the_new_one,
    a_removed_event_is_gone,
);

async fn an_event_is_shown_with_all_details(database: Arc<TestDatabase>) {
    let event = concert("Show & more").zone("A", |zone| {
        (zone.name, zone.capacity, zone.price, zone.numbered) = (Some("Stalls".to_owned()), Some(7), 2_000, Some(true));
    });
    let id = event.row.id;
    let app = start_app(&database, [event]).await;

    let html = open(&app, &format!("/e/{id}")).await;

    for text in [
        "<title>Show &#38; more - Marquee</title>",
        "Tue 10 Feb 2099, 20:00</time> until <time datetime=\"2099-02-10T21:30:00+00:00\">21:30</time> (UTC)",
        "<bdi>Sala Apolo</bdi></a><br><bdi>Nou de la Rambla 113</bdi><br><bdi>Barcelona</bdi><br><bdi>ES</bdi><br><a href=\"https://www.openstreetmap.org/",
        "<dd>20 to 55.50 EUR</dd>",
        "Music: jazz",
        "<bdi>Performer 12</bdi>",
        "<p dir=\"auto\">First line.</p>",
        "<bdi>Stalls</bdi></th><td>20 EUR</td><td>7</td><td>numbered</td>",
        "From <bdi>fever</bdi>",
    ] {
        assert!(html.contains(text), "{text}\n{html}");
    }
    let tags = tags(&html);
    let buy = tags.iter().find(|tag| tag.get("class") == Some("button")).unwrap();
    assert_eq!((buy.get("href"), buy.get("rel")), (Some(&*format!("../out/{id}")), Some("nofollow noopener")));
    let canonical = tags.iter().find(|tag| tag.get("rel") == Some("canonical")).unwrap();
    assert_eq!(canonical.get("href"), Some(&*format!("../e/{id}")));
    let (_, data) = html.split_once("<script type=\"application/ld+json\">").unwrap();
    let data: Value = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    assert_eq!((&data["name"], &data["offers"]["lowPrice"]), (&"Show & more".into(), &20.0.into()));
}

async fn other_dates_of_the_show_are_linked(database: Arc<TestDatabase>) {
    let show = concert("Show");
    let other_date = |wall_clock: &str| {
        let mut event = concert(wall_clock).starts(wall_clock);
        (event.row.base_event_id, event.base_event) = (show.row.base_event_id, show.base_event.clone());
        event
    };
    let (later, sooner, past) = (other_date("2099-03-01"), other_date("2099-02-11"), other_date("2021-02-11"));
    let path = format!("/e/{}", show.row.id);
    let app = start_app(&database, [show.clone(), later.clone(), sooner.clone(), past, concert("Another")]).await;
    let html = open(&app, &path).await;
    let (_, dates) = html.split_once("Other dates").unwrap();
    let linked: Vec<String> = tags(dates).iter().filter_map(|tag| tag.get("href").map(str::to_owned)).take(2).collect();
    assert_eq!(linked, [sooner.row.id.to_string(), later.row.id.to_string()]);
    assert_eq!(dates.matches("<li>").count(), 2);
}

async fn an_event_that_left_its_feed_is_marked(database: Arc<TestDatabase>) {
    let event = concert("Show").with(|row| row.left_at = Some(instant("2026-02-01T08:10:00")));
    let path = format!("/e/{}", event.row.id);
    let app = start_app(&database, [event]).await;
    let html = open(&app, &path).await;
    assert!(html.contains("No longer offered") && html.contains("removed by the provider"), "{html}");
}

async fn an_old_id_redirects_to_the_page_of_the_new_one(database: Arc<TestDatabase>) {
    let (app, target) = aliases::start_app(&database, AliasKind::Event).await;
    let response = app.get(&format!("/e/{OLD}")).await;
    html_of(&response, 308);
    assert_eq!(response.location(), format!("/e/{target}"));
    open(&app, &response.location()).await;
}

async fn a_removed_event_is_gone(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let id = event.row.id;
    let app = start_app(&database, [event]).await;
    let removal = app.send(Method::DELETE, &format!("/events/{id}?reason=x"), &[]).await;
    assert_eq!(removal.status, 204, "{}", removal.text());
    let html = html_of(&app.get(&format!("/e/{id}")).await, 410);
    assert!(html.contains("<h1>Event removed</h1>") && !html.contains("Show"), "{html}");
}
