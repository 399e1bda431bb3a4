//! Events that were ever on sale stay visible, with the times at which they were removed and reappeared.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::EntityTrait;
use worker::sync::Counts;

use super::Copying;
use crate::{
    entries,
    feeds::{base_event, event, feed, offline, online},
};

on_every_backend!(
    an_event_that_was_online_once_stays_visible,
    an_event_that_was_never_online_is_not_shown,
    a_base_event_that_comes_online_shows_its_removed_events,
    an_event_that_reappears_is_listed_again,
    removing_an_event_does_not_affect_others,
    an_empty_feed_removes_all_events_and_deletes_none,
    a_base_event_that_reappears_lists_its_events_again,
    performers_and_venues_have_their_latest_names,
    concerts_follow_their_events_and_venues,
    a_sync_does_not_affect_other_providers,
);

async fn an_event_that_was_online_once_stays_visible(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let events = [event("11", &["5.00"])];
    copying.accept(feed(&[online("1", &events)])).await;
    let first_online_at = copying.tables().await.base_events[0].first_online_at;
    assert!(copying.event("11").await.shown && first_online_at.is_some());

    // So do an event that is added later, and one that changes.
    copying.accept(feed(&[base_event("1", "offline", "Another Title", &[event("11", &["6.00"]), event("12", &["1.00"])])])).await;
    assert!(copying.event("11").await.shown && copying.event("12").await.shown);
    copying.accept(feed(&[])).await;
    assert!(copying.event("11").await.shown && copying.event("12").await.shown);
    let tables = copying.tables().await;
    assert_eq!(tables.base_events[0].first_online_at, first_online_at);
    assert_eq!((tables.base_events[0].title.as_str(), tables.base_events[0].sell_mode.as_str()), ("Another Title", "offline"));
}

async fn an_event_that_was_never_online_is_not_shown(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    for sell_mode in ["offline", "Online", "ONLINE", "online-soon"] {
        copying.accept(feed(&[base_event("1", sell_mode, "Show", &[event("11", &["5.00"])])])).await;
        assert!(!copying.event("11").await.shown, "{sell_mode}");
        assert_eq!(copying.tables().await.base_events[0].first_online_at, None, "{sell_mode}");
    }
}

async fn a_base_event_that_comes_online_shows_its_removed_events(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[offline("1", &[event("11", &["5.00"]), event("12", &["5.00"])])])).await;
    copying.accept(feed(&[offline("1", &[event("12", &["5.00"])])])).await;
    assert!(!copying.event("11").await.shown && copying.event("11").await.left_at.is_some());

    copying.accept(feed(&[online("1", &[event("12", &["5.00"])])])).await;
    let run = copying.last_run().await;
    assert!(copying.event("11").await.shown && copying.event("11").await.left_at.is_some());
    assert!(copying.event("12").await.shown);
    assert_eq!(copying.tables().await.base_events[0].first_online_at, Some(run.started_at));
}

async fn an_event_that_reappears_is_listed_again(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let with = feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])])]);
    let without = feed(&[online("1", &[event("12", &["5.00"])])]);
    copying.accept(&with).await;
    let first = copying.last_run().await;
    assert_eq!(copying.accept(&without).await, Counts { fetched: 1, unchanged: 1, left: 1, ..Counts::default() });
    let second = copying.last_run().await;
    let left = copying.event("11").await;
    assert_eq!((left.left_at, left.last_seen_at), (Some(second.started_at), Some(first.started_at)));

    // Still missing: it was removed only once.
    copying.accept(feed(&[online("1", &[event("12", &["6.00"])])])).await;
    assert_eq!(copying.event("11").await, left);

    assert_eq!(copying.accept(&with).await, Counts { fetched: 2, updated: 2, ..Counts::default() });
    let fourth = copying.last_run().await;
    let back = copying.event("11").await;
    assert_eq!((back.left_at, back.last_seen_at, back.came_back_at), (None, None, Some(fourth.started_at)));
    assert_eq!(back.first_seen_at, first.started_at);

    // `came_back_at` is retained when it changes and when it is removed again.
    copying.accept(feed(&[online("1", &[event("11", &["7.00"]), event("12", &["5.00"])])])).await;
    assert_eq!(copying.event("11").await.came_back_at, Some(fourth.started_at));
    copying.accept(&without).await;
    let gone = copying.event("11").await;
    let runs = copying.runs().await;
    assert_eq!((gone.left_at, gone.last_seen_at), (Some(runs[5].started_at), Some(runs[4].started_at)));
    assert_eq!((gone.came_back_at, gone.min_price), (Some(fourth.started_at), Some(700)));
}

async fn removing_an_event_does_not_affect_others(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let other = online("2", &[event("11", &["5.00"])]);
    copying.accept(feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])]), other.clone()])).await;
    copying.accept(feed(&[online("1", &[event("12", &["5.00"])]), other])).await;
    let left: Vec<bool> = copying.tables().await.lines().iter().map(|line| line.ends_with("left")).collect();
    assert_eq!(left, [true, false, false], "{:?}", copying.tables().await.lines());
}

async fn an_empty_feed_removes_all_events_and_deletes_none(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying
        .accept(feed(&[online("1", &[event("11", &["5.00"])]), offline("2", &[event("21", &["5.00"])]), online("3", &[])]))
        .await;
    let before = copying.tables().await;
    assert_eq!(copying.accept(feed(&[])).await, Counts { left: 2, ..Counts::default() });
    let after = copying.tables().await;
    assert_eq!((after.base_events.len(), after.events.len(), after.zones), (3, 2, before.zones));
    assert!(after.events.iter().all(|event| event.left_at.is_some()));
    let empty_again = feed(&[]).replace('\n', " ");
    assert_eq!(copying.accept(empty_again).await, Counts::default(), "nothing is removed twice");
}

async fn a_base_event_that_reappears_lists_its_events_again(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let with = feed(&[online("1", &[event("11", &["5.00"])])]);
    copying.accept(&with).await;
    copying.accept(feed(&[])).await;
    assert_eq!(copying.accept(&with).await, Counts { fetched: 1, updated: 1, ..Counts::default() });
    let event = copying.event("11").await;
    assert!(event.left_at.is_none() && event.came_back_at.is_some() && event.shown);
}

async fn performers_and_venues_have_their_latest_names(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let document = |band: &str, hall: &str, bill: &str| {
        let event = format!(
            "<event event_id=\"11\" event_date=\"2031-07-01\"><venue venue_id=\"7\" name=\"{hall}\" latitude=\"41.5\" \
             longitude=\"2.25\" place_code=\"ESBCN\"/>{bill}</event>"
        );
        feed(&[online("1", &[format!("<performer performer_id=\"12\" name=\"{band}\"/>"), event])])
    };
    let guest = "<performer performer_id=\"13\" name=\"Ada Mill\"/><performer performer_id=\"12\" name=\"The Kettles\"/>";
    copying.accept(document("The Kettles", "Corn Hall", guest)).await;
    let tables = copying.tables().await;
    let names: Vec<&str> = tables
        .event_performers
        .iter()
        .map(|row| tables.performers.iter().find(|performer| performer.id == row.performer_id).unwrap().name.as_str())
        .collect();
    assert_eq!(names, ["The Kettles", "Ada Mill"], "those of the base event first, without duplicates");
    assert_eq!(tables.events[0].venue_id, Some(tables.venues[0].id));
    assert_eq!((tables.venues[0].latitude, tables.venues[0].place_code.as_deref()), (41.5, Some("ESBCN")));

    copying.accept(document("The New Kettles", "Grain Hall", "")).await;
    let tables = copying.tables().await;
    assert_eq!(tables.venues[0].name, "Grain Hall");
    assert_eq!(tables.event_performers.len(), 1);
    let mut names: Vec<&str> = tables.performers.iter().map(|performer| performer.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Ada Mill", "The New Kettles"]);
}

async fn concerts_follow_their_events_and_venues(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let document = |sell_mode: &str, day: &str, venue: &str, latitude: &str| {
        let event = format!(
            "<event event_id=\"11\" event_date=\"2031-07-{day}\"><venue venue_id=\"{venue}\" name=\"Hall\" latitude=\"{latitude}\" \
             longitude=\"2.25\"/><performer performer_id=\"12\" name=\"The Kettles\"/></event>"
        );
        feed(&[base_event("1", sell_mode, "Show", &[event])])
    };
    let concert = async || copying.tables().await.event_performers[0].clone();
    copying.accept(document("offline", "01", "7", "41.5")).await;
    let hidden = concert().await;
    assert!(!hidden.shown);
    // The event itself does not change: it is shown because its base event is.
    copying.accept(document("online", "01", "7", "41.5")).await;
    assert_eq!(concert().await, entity::event_performer::Model { shown: true, ..hidden.clone() });
    copying.accept(document("online", "02", "7", "41.5")).await;
    assert!(concert().await.starts_at > hidden.starts_at);
    copying.accept(document("online", "02", "8", "41.5")).await;
    assert_ne!(concert().await.venue_id, hidden.venue_id);
    // Another event moves the shared venue.
    let mover = "<event event_id=\"21\" event_date=\"2031-07-01\"><venue venue_id=\"8\" name=\"Hall\" latitude=\"-10\" longitude=\"3\"/></event>";
    copying.accept(feed(&[online("2", &[mover.to_owned()])])).await;
    let venue = copying.tables().await.venues.into_iter().find(|venue| venue.latitude < 0.0).unwrap();
    assert_eq!(concert().await.venue_id, Some(venue.id));
}

async fn a_sync_does_not_affect_other_providers(database: Arc<TestDatabase>) {
    let mut copying = Copying::new(&database).await;
    let document = feed(&[online("1", &[event("11", &["5.00"])])]);
    copying.accept(&document).await;
    let ours = copying.event("11").await;
    copying.entry = entries::entry("southstage", "http://localhost/other", "");
    assert_eq!(copying.accept(&document).await.inserted, 1);
    copying.accept(feed(&[])).await;

    let events = entity::event::Entity::find().all(&copying.database).await.unwrap();
    assert_eq!(events.len(), 2, "the same ids of two providers are two events");
    assert!(events.contains(&ours));
}
