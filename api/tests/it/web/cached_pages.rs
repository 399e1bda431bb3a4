//! Pages of events, and their ticket links, from the cache.

use std::{sync::Arc, time::Duration};

use api::State;
use entity::{
    alias::{self, AliasKind},
    footprint::{Footprint, Scope},
    release::{self, Cause},
    zone,
};
use migration::{
    on_every_backend,
    testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase},
};
use poem::http::Method;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, TransactionTrait, prelude::Uuid};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{concert, html_of};
use crate::{
    aliases::OLD,
    cached_responses::{CACHE_BYTES, TIMEOUT, cache_status, create_state},
    fixtures::CatalogueFixture,
    test_app::TestApp,
};

on_every_backend!(
    the_page_of_an_event_is_cached,
    a_removed_event_leaves_the_cache,
    missing_events_are_not_cached,
    search_pages_are_sent_as_they_were_rendered,
    search_pages_that_may_differ_later_are_rendered,
);

/// As a worker publishes a change of the numbers of tickets.
async fn set_capacity(catalogue: &CatalogueFixture, capacity: i64, scope: Scope) {
    let transaction = catalogue.database.begin().await.unwrap();
    let update = zone::Entity::update_many().col_expr(zone::Column::Capacity, capacity.into());
    update.filter(zone::Column::SourceId.eq("A")).exec(&transaction).await.unwrap();
    release::publish(&transaction, (Cause::SyncRun, None), &Footprint::all_of(&[scope])).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Waits until a page has a text. A cached page is sent without waiting for anything, so that the timeout needs a pause.
async fn wait_for(app: &TestApp, uri: &str, text: &str) {
    let has_text = async {
        while !app.get(uri).await.text().contains(text) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TIMEOUT, has_text).await.unwrap();
}

async fn the_page_of_an_event_is_cached(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let event = concert("Show").zone("A", |zone| (zone.capacity, zone.price) = (Some(7), 2_000));
    let page = format!("/e/{}", event.row.id);
    catalogue.insert([event]).await;
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    let tickets = |capacity: u8| format!("<td>20 EUR</td><td>{capacity}</td>");

    let first = app.get(&page).await;
    assert_eq!(cache_status(&first), "marquee-process; fwd=miss; stored");
    assert_eq!(first.header("age"), Some("0"));
    for (uri, text) in [(page.clone(), "Tue 10 Feb 2099"), (format!("{page}?lang=es"), "mar, 10 feb 2099")] {
        let cached = app.get(&uri).await;
        assert_eq!(cache_status(&cached), "marquee-process; hit", "{uri}");
        assert!(html_of(&cached, 200).contains(text) && cached.text().contains(&tickets(7)), "{}", cached.text());
    }

    for (capacity, scope, expected) in [(8, Scope::Details, 8), (9, Scope::Rates, 8), (10, Scope::Events, 10)] {
        set_capacity(&catalogue, capacity, scope).await;
        state.version.refresh().await.unwrap();
        wait_for(&app, &page, &tickets(expected)).await;
        assert_eq!(app.get(&page).await.header("warning"), None, "{scope:?}");
    }
}

async fn a_removed_event_leaves_the_cache(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let id = event.row.id;
    CatalogueFixture::new(&database).await.insert([event]).await;
    let app = TestApp::with_state(&create_state(&database).await);
    for _ in 0..2 {
        html_of(&app.get(&format!("/e/{id}")).await, 200);
        assert_eq!(app.get(&format!("/out/{id}")).await.status, 302);
    }
    assert_eq!(app.send(Method::DELETE, &format!("/events/{id}?reason=x"), &[]).await.status, 204);
    for folder in ["e", "out"] {
        html_of(&app.get(&format!("/{folder}/{id}")).await, 410);
    }
}

async fn missing_events_are_not_cached(database: Arc<TestDatabase>) {
    let event = concert("Show");
    let id = event.row.id;
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([event]).await;
    let alias = alias::Model { id: OLD, provider_id: 1, kind: AliasKind::Event, target: id }.into_active_model();
    alias::Entity::insert(alias).exec_without_returning(&catalogue.database).await.unwrap();
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    for number in 0..5 {
        html_of(&app.get(&format!("/e/{}", Uuid::from_u128(100 + number))).await, 404);
        html_of(&app.get(&format!("/e/{OLD}")).await, 308);
    }
    assert!(state.cache.is_empty());
}

async fn search_pages_are_sent_as_they_were_rendered(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([concert("Show")]).await;
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    let first = app.get("/").await;
    assert_eq!((cache_status(&first), state.pages.count()), ("marquee-process; fwd=miss; stored", 1));
    let second = app.get("/").await;
    assert_eq!(cache_status(&second), "marquee-process; hit");
    assert_eq!(first.body, second.body);
    for name in first.headers.keys() {
        let [before, after] = [&first, &second].map(|response| response.headers.get_all(name).iter().collect::<Vec<_>>());
        assert_eq!(before != after, ["cache-status", "x-request-id"].contains(&name.as_str()), "{name}");
    }
    assert_eq!(first.headers.len(), second.headers.len());
    let etag = first.header("etag").unwrap();
    assert_eq!(app.send(Method::GET, "/", &[("if-none-match", etag)]).await.status, 304);
    let head = app.send(Method::HEAD, "/", &[]).await;
    assert_eq!(
        (head.header("etag"), head.body.len(), head.header("content-length")),
        (Some(etag), 0, first.header("content-length"))
    );

    for headers in [("accept-language", "es"), ("accept-encoding", "gzip")] {
        let [rendered, stored] = [app.send(Method::GET, "/", &[headers]).await, app.send(Method::GET, "/", &[headers]).await];
        assert_eq!(rendered.body, stored.body);
        assert_ne!(rendered.body, first.body);
        assert_eq!(rendered.header("content-language"), stored.header("content-language"));
        assert_eq!(rendered.header("content-encoding"), stored.header("content-encoding"));
    }
    assert_eq!(state.pages.count(), 3);

    catalogue.insert_with_new_version(concert("Another")).await;
    state.version.refresh().await.unwrap();
    wait_for(&app, "/", "<bdi>Another</bdi>").await;
    let id = concert("Another").row.id;
    assert_eq!(app.send(Method::DELETE, &format!("/events/{id}?reason=x"), &[]).await.status, 204);
    assert!(!app.get("/").await.text().contains("<bdi>Another</bdi>"), "not even for a moment");
}

async fn search_pages_that_may_differ_later_are_rendered(database: Arc<TestDatabase>) {
    CatalogueFixture::new(&database).await.insert([concert("Show")]).await;
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    let long = format!("/?utm_source={}", "x".repeat(250));
    for uri in ["/?q=show", "/?city=nowhere", &format!("/?ids={}", concert("Show").row.id), &long, "/new"] {
        html_of(&app.get(uri).await, 200);
    }
    for (uri, status) in [("/?nope=1", 400), ("/?lang=xx", 400)] {
        html_of(&app.get(uri).await, status);
    }
    assert_eq!(state.pages.count(), 0);
    html_of(&app.get("/?city=barcelona&starts_at=2099-02-01").await, 200);
    assert_eq!(state.pages.count(), 1);
    let uncached = TestApp::new(&database).await;
    for _ in 0..2 {
        assert_eq!(cache_status(&uncached.get("/").await), "marquee-process; fwd=miss; stored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_pages_are_shown_while_the_database_is_unavailable() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let (event, other) = (concert("Show"), concert("Other"));
    let (page, out) = (format!("/e/{}", event.row.id), format!("/out/{}", event.row.id));
    let other_page = format!("/e/{}", other.row.id);
    CatalogueFixture::new(&database).await.insert([event, other]).await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Forward).await;
    let state = State::new(proxy.connect().await, proxy.connect_watch().await, CACHE_BYTES, None);
    let shutdown = CancellationToken::new();
    state.start_background_tasks(proxy.settings(), shutdown.clone());
    let app = TestApp::with_state(&state);
    let html = html_of(&app.get(&page).await, 200);
    assert!(html.contains("<bdi>Other</bdi>") && !html.contains("may be out of date"), "{html}");

    proxy.set_mode(ProxyMode::Cut).await;
    timeout(TIMEOUT, state.availability.wait_until_unavailable()).await.unwrap();
    for uri in [page.clone(), format!("{page}?lang=en"), format!("{page}?from=Oslo")] {
        let response = app.get(&uri).await;
        let html = html_of(&response, 200);
        assert!(html.contains("<h1><bdi>Show</bdi></h1>") && html.contains("may be out of date"), "{html}");
        assert!(html.contains("<bdi>Other</bdi>"), "the event nearby is cached, too: {html}");
        assert_eq!(response.header("warning"), Some("111 - \"Revalidation Failed\""));
        assert!(response.header("age").is_some());
    }
    assert_eq!(app.get(&out).await.status, 302);
    html_of(&app.get(&other_page).await, 503);

    proxy.set_mode(ProxyMode::Forward).await;
    let is_available = async { while app.get(&other_page).await.status != 200 {} };
    timeout(TIMEOUT, is_available).await.expect("recovers without a restart");
    assert_eq!(app.get(&page).await.header("warning"), None);
    shutdown.cancel();
    proxy.set_mode(ProxyMode::Cut).await;
    database.remove().await;
}
