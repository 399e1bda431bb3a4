//! A sync that commits between two statements of a query: the cached response is not mistaken for one of the new version.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use api::State;
use entity::{ConnectionRole, provider};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{EntityTrait, QueryFilter};
use tokio::{runtime::Handle, task::block_in_place, time::Instant};

use crate::{
    cached_responses::{CACHE_BYTES, TIMEOUT},
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(lookups_and_events_are_of_one_version);

/// An event that is inserted after a statement with this text.
#[derive(Clone, Copy)]
struct Change {
    after: &'static str,
    provider: &'static str,
    price: Option<i64>,
}

async fn lookups_and_events_are_of_one_version(database: Arc<TestDatabase>) {
    let performers = Change { after: "FROM performer", provider: "fever", price: None };
    let venues = Change { after: "FROM venue", ..performers };
    for (uri, change) in [
        ("/events?performer=fever:1,fever:2", performers),
        ("/events?performer=fever:1,fever:2&total=true", performers),
        ("/search?performer=fever:1,fever:2", performers),
        ("/events/facets?by=city&performer=fever:1,fever:2", performers),
        ("/events/calendar?starts_at=2131-02-01&performer=fever:1,fever:2", performers),
        ("/events?venue=fever:venue%20of%201,fever:venue%20of%202", venues),
        ("/search?venue=fever:venue%20of%201,fever:venue%20of%202", venues),
        ("/events?provider=fever,northstage", Change { after: "FROM provider", provider: "northstage", ..performers }),
        // The events with a price are read before those without one.
        ("/events?sort=price&currency=EUR", Change { after: "min_price IS NOT NULL", price: Some(500), ..performers }),
    ] {
        let catalogue = CatalogueFixture::new(&database).await;
        catalogue.insert([show("1", "fever")]).await;
        check(&database, uri, change).await;
        catalogue.clear().await;
        let created = provider::Entity::delete_many().filter(provider::COLUMN.slug.eq("northstage"));
        created.exec(&catalogue.database).await.unwrap();
    }
}

/// An upcoming event with its own performer and venue.
fn show(number: &'static str, provider: &'static str) -> NewEvent {
    let show = NewEvent::titled(number).of_provider(provider).starts("2131-02-10T20:00:00").performers(&[number]);
    show.venue_with(number, None, |_| ())
}

async fn check(database: &TestDatabase, uri: &str, Change { after, provider, price }: Change) {
    let mut connection = database.connect(ConnectionRole::Api).await;
    let (writer, is_written) = (CatalogueFixture::new(database).await, AtomicBool::default());
    connection.set_metric_callback(move |info| {
        if info.statement.sql.contains(after) && !is_written.swap(true, Ordering::Relaxed) {
            let event = show("2", provider).with(|row| (row.min_price, row.max_price) = (price, price));
            block_in_place(|| Handle::current().block_on(writer.insert_with_new_version(event)));
        }
    });
    let state = State::new(connection, database.connect(ConnectionRole::Watch).await, CACHE_BYTES, None);
    let app = TestApp::with_state(&state);

    let first = app.get(uri).await;
    let expected = TestApp::new(database).await.get(uri).await;
    assert_ne!(first.body, expected.body, "{uri}: the sync is committed after the lookup");
    state.version.refresh().await.unwrap();
    let deadline = Instant::now() + TIMEOUT;
    while app.get(uri).await.body != expected.body {
        assert!(Instant::now() < deadline, "{uri}: the response without the event is still current: {}", first.text());
    }
}
