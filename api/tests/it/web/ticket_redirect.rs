//! `GET /out/{id}`: only URLs that the catalogue has are targets.

use std::sync::Arc;

use entity::{
    ConnectionRole,
    alias::{self, AliasKind},
    provider,
};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{EntityTrait, IntoActiveModel, prelude::Uuid};

use super::{concert, html::links, html_of, open, start_app};
use crate::{fixtures::NewEvent, recorder::RecordedMetrics, test_app::TestApp};

on_every_backend!(
    the_button_leads_to_the_seller,
    the_parameters_of_the_provider_are_added,
    only_urls_of_the_web_are_targets,
    other_ids_are_pages,
);

fn with_url(title: &str, url: Option<&str>) -> NewEvent {
    concert(title).with(|row| row.url = url.map(str::to_owned))
}

fn path_of(event: &NewEvent) -> String {
    format!("/out/{}", event.row.id)
}

async fn the_button_leads_to_the_seller(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let (page, path) = (format!("/e/{}", event.row.id), path_of(&event));
    let metrics = RecordedMetrics::default();
    let app = start_app(&database, [event]).await;
    let html = open(&app, &page).await;
    assert!(links(&page, &html).contains(&path), "{html}");
    assert!(html.contains("<bdi>tickets.example</bdi>") && !html.contains("href=\"https://tickets.example"), "{html}");

    let recording = metrics::set_default_local_recorder(&metrics);
    let response = app.get(&format!("{path}?utm_source=newsletter")).await;
    assert_eq!(response.header("location"), Some("https://tickets.example/1?a=1&b=2"));
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("x-robots-tag", "noindex, nofollow"),
    ] {
        assert_eq!(response.header(name), Some(value));
    }
    assert_eq!((response.status.as_u16(), response.body.len()), (302, 0));
    assert_eq!(app.send(Method::HEAD, &path, &[]).await.status, 302);
    assert_eq!(metrics.counter("marquee_ticket_redirects_total{provider=fever}"), 1, "without the HEAD");
    drop(recording);
}

async fn the_parameters_of_the_provider_are_added(database: Arc<TestDatabase>) {
    let event = with_url("Show", Some("https://tickets.example/ü?utm_source=feed&b=2#top"));
    let path = path_of(&event);
    let app = start_app(&database, [event]).await;
    let connection = database.connect(ConnectionRole::Worker).await;
    for (affiliate, expected) in [
        (r#"{"aid":"7 & 8","utm_source":"marquee"}"#, "?b=2&aid=7+%26+8&utm_source=marquee#top"),
        (r#"{"aid":"\r\nSet-Cookie: a=b"}"#, "?utm_source=feed&b=2&aid=%0D%0ASet-Cookie%3A+a%3Db#top"),
        ("not JSON", "?utm_source=feed&b=2#top"),
    ] {
        let update = provider::Entity::update_many().col_expr(provider::Column::Affiliate, affiliate.into());
        update.exec(&connection).await.unwrap();
        let response = app.get(&path).await;
        assert_eq!(response.header("location"), Some(&*format!("https://tickets.example/%C3%BC{expected}")));
    }
}

async fn only_urls_of_the_web_are_targets(database: Arc<TestDatabase>) {
    let urls = [None, Some("javascript:alert(1)"), Some("//evil.example"), Some("/x"), Some("data:text/html,x"), Some("")];
    let events: Vec<NewEvent> = urls.iter().enumerate().map(|(index, url)| with_url(&format!("Show {index}"), *url)).collect();
    let split = with_url("Split", Some("https://tickets.example/\r\nSet-Cookie: a=b"));
    let (paths, split_path) = (events.iter().map(path_of).collect::<Vec<_>>(), path_of(&split));
    let app = start_app(&database, events.into_iter().chain([split])).await;
    for path in paths {
        let response = app.get(&path).await;
        assert!(html_of(&response, 404).contains("does not exist"), "{}", response.text());
        assert_eq!(response.header("location"), None);
    }
    let response = app.get(&split_path).await;
    assert_eq!(response.header("location"), Some("https://tickets.example/%0D%0ASet-Cookie:%20a=b"));
    assert_eq!(response.header("set-cookie"), None);
    for query in ["url=https://evil.example", "to=x"] {
        html_of(&app.get(&format!("{split_path}?{query}")).await, 400);
    }
}

async fn other_ids_are_pages(database: Arc<TestDatabase>) {
    let (event, removed) = (concert("Show"), concert("Removed"));
    let (target, gone) = (event.row.id, removed.row.id);
    let app = start_app(&database, [event, removed]).await;
    html_of(&app.get(&format!("/out/{}", Uuid::nil())).await, 404);
    html_of(&app.get("/out/https:%2F%2Fevil.example").await, 400);
    let connection = database.connect(ConnectionRole::Worker).await;
    let old = Uuid::from_u128(1);
    let row = alias::Model { id: old, provider_id: 1, kind: AliasKind::Event, target };
    alias::Entity::insert(row.into_active_model()).exec_without_returning(&connection).await.unwrap();
    let moved = app.get(&format!("/out/{old}")).await;
    html_of(&moved, 308);
    assert_eq!(moved.location(), format!("/out/{target}"));
    assert_eq!(remove(&app, gone).await, 204);
    html_of(&app.get(&format!("/out/{gone}")).await, 410);
}

async fn remove(app: &TestApp, id: Uuid) -> u16 {
    app.send(Method::DELETE, &format!("/events/{id}?reason=x"), &[]).await.status.as_u16()
}
