//! Details of events and venues: how they are stored, and that each of them is a change.

use std::sync::Arc;

use entity::{
    EventStatus, UtcInstant,
    change::{self, ChangeKind},
    event_state::ChangedStates,
    reject::Severity,
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::Copying;

on_every_backend!(
    details_are_stored_with_the_event_or_its_base_event,
    a_picture_on_the_server_of_the_feed_has_its_address,
    a_change_of_any_detail_is_logged,
    a_change_is_filtered_by_the_organizer_of_its_event,
    an_organizer_may_have_the_longest_name,
    a_cancelled_event_is_no_shown_concert,
    a_venue_without_coordinates_is_stored,
    warnings_are_stored_after_rejects,
);

const FULL: &str = r#"<eventList><output>
<base_event base_event_id="1" sell_mode="online" title="Jazz Night" description="Every week." url="https://a.example/jazz"
  image_url="https://a.example/jazz.jpg" organizer_name="The Club">
<event event_id="11" event_start_date="2031-07-01T20:00:00" status="scheduled" name="Opening" url="https://a.example/jazz/11"
  description="With the mayor." currency="USD">
<zone zone_id="1" price="15.00" name="Stalls"/>
<performer performer_id="7" name="The Kettles"/>
<venue venue_id="3" name="Corn Hall" latitude="28.1" longitude="-15.4" address="Main Street 1" city="Las Palmas" region="Canarias"
  country="ES" postal_code="35001"/>
</event></base_event></output></eventList>"#;

async fn details_are_stored_with_the_event_or_its_base_event(database: Arc<TestDatabase>) {
    let copying = Copying::with(&database, "time_zone = \"Europe/Madrid\"").await;
    copying.accept(FULL).await;
    let tables = copying.tables().await;
    let (base_event, event, venue) = (&tables.base_events[0], &tables.events[0], &tables.venues[0]);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!((&base_event.description, &base_event.url), (&text("Every week."), &text("https://a.example/jazz")));
    assert_eq!((&base_event.image_url, &base_event.organizer_name), (&text("https://a.example/jazz.jpg"), &text("The Club")));
    assert_eq!((&event.name, &event.description), (&text("Opening"), &text("With the mayor.")));
    assert_eq!((&event.url, &event.image_url), (&text("https://a.example/jazz/11"), &None));
    assert_eq!((&event.currency, event.currency_digits, event.min_price), (&text("USD"), Some(2), Some(1_500)));
    assert_eq!(tables.zones[0].currency, text("USD"));
    assert_eq!((&venue.address, &venue.postal_code, &venue.city), (&text("Main Street 1"), &text("35001"), &text("Las Palmas")));
    assert_eq!((&venue.region, &venue.country), (&text("Canarias"), &text("ES")));
    // An hour after the mainland.
    assert_eq!(event.time_zone, text("Atlantic/Canary"));
    assert_eq!(event.starts_at, "2031-07-01T19:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().map(UtcInstant::from).unwrap());
}

async fn a_picture_on_the_server_of_the_feed_has_its_address(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(FULL.replace("https://a.example/jazz.jpg", "/jazz.jpg")).await;
    assert_eq!(copying.tables().await.base_events[0].image_url.as_deref(), Some("http://localhost/jazz.jpg"));
}

async fn a_change_of_any_detail_is_logged(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(FULL).await;
    for (from, to, kind, field, old, new) in [
        ("Every week.", "Each week.", None, "", json!(null), json!(null)),
        ("The Club", "A Club", Some(ChangeKind::Updated), "organizer", json!("The Club"), json!("A Club")),
        (
            "jazz.jpg",
            "jazz.png",
            Some(ChangeKind::Updated),
            "image_url",
            json!("https://a.example/jazz.jpg"),
            json!("https://a.example/jazz.png"),
        ),
        ("With the mayor.", "Without.", Some(ChangeKind::Updated), "description", json!("With the mayor."), json!("Without.")),
        (
            " description=\"With the mayor.\"",
            "",
            Some(ChangeKind::Updated),
            "description",
            json!("With the mayor."),
            json!("Every week."),
        ),
        ("Opening", "Closing", Some(ChangeKind::Updated), "name", json!("Opening"), json!("Closing")),
        ("\"scheduled\"", "\"cancelled\"", Some(ChangeKind::Cancelled), "status", json!("scheduled"), json!("cancelled")),
        ("\"scheduled\"", "\"postponed\"", Some(ChangeKind::Postponed), "status", json!("scheduled"), json!("postponed")),
        ("\"scheduled\"", "\"moved_online\"", Some(ChangeKind::Updated), "status", json!("scheduled"), json!("moved_online")),
        ("USD", "CHF", Some(ChangeKind::PriceChanged), "currency", json!("USD"), json!("CHF")),
        (
            "Main Street 1",
            "Main Street 2",
            Some(ChangeKind::Updated),
            "venue_address",
            json!("Main Street 1"),
            json!("Main Street 2"),
        ),
    ] {
        let changed = FULL.replacen(from, to, 1);
        assert_ne!(changed, FULL, "{from}");
        let before = copying.version().await;
        copying.accept(&changed).await;
        assert_eq!(copying.version().await, before + 1, "{from}: it is a release");
        let rows = change::Entity::find().filter(change::COLUMN.version.gt(before)).all(&copying.database).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.kind).collect::<Vec<_>>(), Vec::from_iter(kind), "{from}");
        for row in rows {
            let logged: Value = serde_json::from_str(&row.changed).unwrap();
            let value = |side: &str| match &logged[field][side] {
                Value::Object(address) => address["address"].clone(),
                value => value.clone(),
            };
            assert_eq!((value("old"), value("new")), (old.clone(), new.clone()), "{from}: {logged}");
        }
        copying.accept(FULL).await;
    }
}

async fn a_change_is_filtered_by_the_organizer_of_its_event(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(FULL).await;
    copying.accept(FULL.replace("status=", "organizer_name=\"The Mayor\" status=")).await;
    let changes = change::Entity::find().filter(change::COLUMN.version.eq(copying.version().await));
    let change = changes.one(&copying.database).await.unwrap().unwrap();
    let states = ChangedStates::from_json(change.states.as_ref().unwrap()).unwrap();
    let organizers = [states.old, states.new].map(|state| state.unwrap().organizers);
    assert_eq!(organizers, [["The Club"], ["The Mayor"]]);
}

/// An index has the names of organizers, and entries of some indexes are bounded.
async fn an_organizer_may_have_the_longest_name(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let name: String = (0..1_000).filter_map(|number| char::from_u32(0x20000 + number * 7_919 % 40_000)).collect();
    assert_eq!(name.len(), 4_000, "bytes, which cannot be compressed");
    copying.accept(FULL.replace("status=", &format!("organizer_name=\"{name}\" status="))).await;
    assert_eq!(copying.event("11").await.organizer_name, Some(name));
}

async fn a_cancelled_event_is_no_shown_concert(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    // `Tables` checks the columns that repeat the status.
    let cancelled = FULL.replace("\"scheduled\"", "\"cancelled\"");
    for document in [FULL, &cancelled, &FULL.replace("online", "offline"), &cancelled.replace("online", "offline"), &cancelled] {
        copying.accept(document).await;
        let is_cancelled = document.contains("\"cancelled\"");
        let concert = &copying.tables().await.event_performers[0];
        assert_eq!((concert.shown, concert.cancelled), (!is_cancelled, is_cancelled));
    }
    let hidden = Copying::new(&database).await.entry;
    let copying =
        Copying { entry: worker::provider::entry::ProviderEntry { slug: "southstage".to_owned(), ..hidden }, ..copying };
    copying.accept(cancelled.replace("online", "offline")).await;
    copying.accept(&cancelled).await;
    let shown: Vec<_> = copying.tables().await.event_performers.iter().map(|row| (row.shown, row.cancelled)).collect();
    assert_eq!(shown, [(false, true); 2], "also if it is shown later");
}

async fn a_venue_without_coordinates_is_stored(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(FULL.replace("latitude=\"28.1\" longitude=\"-15.4\" ", "")).await;
    let tables = copying.tables().await;
    let (venue, event) = (&tables.venues[0], &tables.events[0]);
    assert_eq!((venue.name.as_str(), venue.located, venue.cell), ("Corn Hall", false, None));
    assert_eq!((event.venue_id, event.status), (Some(venue.id), EventStatus::Scheduled));
    assert_eq!(tables.event_performers[0].venue_id, None, "no concert");
}

async fn warnings_are_stored_after_rejects(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let invalid = FULL
        .replace("\"scheduled\"", "\"sheduled\"")
        .replace("</base_event>", "<event event_id=\"12\" event_start_date=\"2031-09-31\"/></base_event>");
    let report = copying.sync(&invalid).await.unwrap();
    assert_eq!((report.counts.rejected, report.counts.warned), (1, 1));
    assert_eq!(copying.last_run().await.warned, 1);
    let rows = copying.last_rejects().await;
    let rows: Vec<_> = rows.iter().map(|row| (row.position, row.severity, row.event_source_id.as_deref())).collect();
    assert_eq!(rows, [(0, Severity::Error, Some("12")), (1, Severity::Warning, Some("11"))]);
    assert!(copying.last_rejects().await[1].reason.contains("`sheduled`"));
}
