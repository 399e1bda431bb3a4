//! The web page: what people read, where its links lead, and that text of providers remains text.

mod cached_pages;
mod errors;
mod event_page;
mod html;
mod item_page;
mod language;
mod map;
mod map_tiles;
mod month_grid;
mod news;
mod ops;
mod pictures;
mod public_url;
mod search_page;
mod security;
mod sitemap;
mod ticket_redirect;

use api::State;
use entity::ConnectionRole;
use migration::testing::TestDatabase;

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::{TestApp, TestResponse},
};

/// An address with a path that a proxy removes.
const PUBLIC_URL: &str = "https://events.example/marquee";

/// An upcoming event with what a list shows.
fn concert(title: &str) -> NewEvent {
    NewEvent::titled(title)
        .starts("2099-02-10T20:00:00")
        .ends("2099-02-10T21:30:00")
        .prices(&[3_000, 5_550])
        .performers(&["12"])
        .venue_with("Sala Apolo", Some((41.374, 2.169)), |venue| {
            venue.address = Some("Nou de la Rambla 113".to_owned());
            (venue.city, venue.country) = (Some("Barcelona".to_owned()), Some("ES".to_owned()));
        })
        .with(|row| {
            row.category = Some("music/jazz".to_owned());
            row.url = Some("https://tickets.example/1?a=1&b=2".to_owned());
            row.description = Some("First line.\nSecond line.".to_owned());
        })
}

async fn start_app(database: &TestDatabase, events: impl IntoIterator<Item = NewEvent>) -> TestApp {
    CatalogueFixture::new(database).await.insert(events).await;
    TestApp::new(database).await
}

/// An app that knows its address on the web.
async fn start_public_app(database: &TestDatabase, events: impl IntoIterator<Item = NewEvent>) -> TestApp {
    CatalogueFixture::new(database).await.insert(events).await;
    let connection = database.connect(ConnectionRole::Api).await;
    let public_url = Some(PUBLIC_URL.parse().unwrap());
    TestApp::with_state(&State { public_url, ..State::new(connection.clone(), connection, 0, None) })
}

/// The HTML of a page.
async fn open(app: &TestApp, uri: &str) -> String {
    html_of(&app.get(uri).await, 200)
}

fn html_of(response: &TestResponse, status: u16) -> String {
    assert_eq!((response.status.as_u16(), response.header("content-type")), (status, Some("text/html; charset=utf-8")));
    response.text()
}
