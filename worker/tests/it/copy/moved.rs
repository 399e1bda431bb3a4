//! Events with keys that contain their date, when their provider moves them.

use std::{collections::BTreeMap, sync::Arc};

use entity::{
    EventStatus,
    alias::{self, AliasKind},
    change::{self, ChangeKind},
    event,
    footprint::{Footprint, Scope},
    release,
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

use super::Copying;
use crate::feeds::{feed, online};

on_every_backend!(
    an_event_keeps_its_id_when_its_date_moves,
    what_is_ambiguous_is_not_matched,
    only_keys_with_a_date_of_a_future_event_are_matched,
    a_key_that_gains_its_date_is_the_same_event,
    both_keys_in_one_feed_are_two_events,
    a_renamed_provider_keeps_the_ids,
);

fn show(key: &str, date: &str) -> String {
    format!("<event event_id=\"{key}\" event_start_date=\"{date}T20:00:00\"/>")
}

impl Copying {
    async fn accept_shows(&self, events: &[(&str, &str)]) {
        let events: Vec<String> = events.iter().map(|(key, date)| show(key, date)).collect();
        self.accept(feed(&[online("jazz", &events)])).await;
    }

    /// The events in the feed, by their start.
    async fn listed(&self) -> Vec<event::Model> {
        let mut events = self.tables().await.events;
        events.retain(|event| event.left_at.is_none());
        events.sort_by_key(|event| event.starts_at);
        events
    }

    async fn last_change(&self) -> ChangeKind {
        let newest = change::Entity::find().order_by_desc(change::Column::Version);
        newest.one(&self.database).await.unwrap().unwrap().kind
    }

    async fn aliases(&self) -> Vec<alias::Model> {
        alias::Entity::find().all(&self.database).await.unwrap()
    }
}

async fn an_event_keeps_its_id_when_its_date_moves(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept_shows(&[("jazz-2131-06-30", "2131-06-30"), ("jazz-2131-07-30", "2131-07-30")]).await;
    let [first, other]: [event::Model; 2] = copying.listed().await.try_into().unwrap();

    for (key, date) in [("jazz-21310702", "2131-07-02"), ("jazz-2131-07-03", "2131-07-03")] {
        let before = copying.event(&copying.listed().await[0].source_id).await;
        copying.accept_shows(&[(key, date), ("jazz-2131-07-30", "2131-07-30")]).await;
        let [moved, unchanged]: [event::Model; 2] = copying.listed().await.try_into().unwrap();
        assert_eq!((moved.id, moved.source_id.as_str()), (first.id, key));
        assert_eq!((moved.status, moved.previous_start_at), (EventStatus::Rescheduled, Some(before.starts_at)));
        assert_eq!(unchanged.id, other.id);
        assert_eq!(copying.last_change().await, ChangeKind::Rescheduled);
        assert_eq!(copying.tables().await.events.len(), 2, "nothing has left");
    }
    let aliases = copying.aliases().await;
    assert_eq!(aliases.len(), 2);
    assert!(aliases.iter().all(|alias| (alias.kind, alias.target) == (AliasKind::Event, first.id)), "{aliases:?}");

    // Unchanged, changed again, and with its first key.
    let version = copying.version().await;
    copying.accept_shows(&[("jazz-2131-07-03", "2131-07-03"), ("jazz-2131-07-30", "2131-07-30")]).await;
    assert_eq!(copying.version().await, version);
    copying.accept_shows(&[("jazz-2131-06-30", "2131-06-30"), ("jazz-2131-07-30", "2131-07-30")]).await;
    assert_eq!(copying.listed().await[0].id, first.id);
    assert_eq!(copying.tables().await.events.len(), 2);
}

async fn what_is_ambiguous_is_not_matched(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept_shows(&[("jazz-2131-06-30", "2131-06-30"), ("jazz-2131-07-30", "2131-07-30")]).await;
    copying.accept_shows(&[("jazz-2131-07-01", "2131-07-01"), ("jazz-2131-07-31", "2131-07-31")]).await;
    assert_eq!(copying.tables().await.events.len(), 4, "two left, and two arrived");
    copying.accept_shows(&[("jazz-2131-08-01", "2131-08-01")]).await;
    assert_eq!(copying.tables().await.events.len(), 5, "two left, and one arrived");
    assert!(copying.aliases().await.is_empty());
}

async fn only_keys_with_a_date_of_a_future_event_are_matched(database: Arc<TestDatabase>) {
    let pairs = [
        (("41", "2131-06-30"), ("42", "2131-07-01")),
        (("jazz-2131-06-30", "2131-06-30"), ("42", "2131-07-01")),
        // A daily show: yesterday's is no longer listed, and another day is.
        (("jazz-2021-06-30", "2021-06-30"), ("jazz-2131-07-01", "2131-07-01")),
    ];
    let copying = Copying::new(&database).await;
    let base_event = |(number, (key, date)): (usize, (&str, &str))| online(&number.to_string(), &[show(key, date)]);
    copying.accept(feed(&Vec::from_iter(pairs.map(|(old, _)| old).into_iter().enumerate().map(base_event)))).await;
    copying.accept(feed(&Vec::from_iter(pairs.map(|(_, new)| new).into_iter().enumerate().map(base_event)))).await;
    assert_eq!(copying.tables().await.events.len(), 2 * pairs.len());
    assert!(copying.aliases().await.is_empty());
}

async fn a_key_that_gains_its_date_is_the_same_event(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept_shows(&[("https://a.example/jazz", "2021-06-30")]).await;
    let before = copying.listed().await;
    let shows = [
        ("https://a.example/jazz#2021-06-30T20:00:00", "2021-06-30"),
        ("https://a.example/jazz#2021-07-30T20:00:00", "2021-07-30"),
    ];
    copying.accept_shows(&shows).await;
    let [same, other]: [event::Model; 2] = copying.listed().await.try_into().unwrap();
    assert_eq!((same.id, same.status, same.previous_start_at), (before[0].id, EventStatus::Scheduled, None));
    assert_ne!(other.id, same.id);
    copying.accept_shows(&shows).await;
    assert_eq!(copying.listed().await, [same, other]);
}

async fn both_keys_in_one_feed_are_two_events(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept_shows(&[("jazz-2131-06-30", "2131-06-30")]).await;
    copying.accept_shows(&[("jazz-2131-07-02", "2131-07-02")]).await;
    let first = copying.listed().await[0].id;
    copying.accept_shows(&[("jazz-2131-06-30", "2131-06-30"), ("jazz-2131-07-02", "2131-07-02")]).await;
    let [old, new]: [event::Model; 2] = copying.listed().await.try_into().unwrap();
    assert_eq!(old.id, first);
    assert_ne!(new.id, first);
    assert!(copying.aliases().await.is_empty());
    copying.accept_shows(&[("jazz-2131-07-02", "2131-07-02")]).await;
    assert_eq!(copying.listed().await[0].id, new.id);
}

async fn a_renamed_provider_keeps_the_ids(database: Arc<TestDatabase>) {
    let mut copying = Copying::new(&database).await;
    copying.accept_shows(&[("1", "2131-06-30")]).await;
    let before = copying.tables().await;
    let provider = copying.provider().await;
    copying.entry.previous_slugs = vec![std::mem::replace(&mut copying.entry.slug, "southstage".to_owned())];
    copying.accept_shows(&[("1", "2131-06-30"), ("2", "2131-07-30")]).await;
    assert_eq!(copying.provider().await.id, provider.id);
    assert_eq!(copying.event("1").await, before.events[0]);
    assert_eq!(releases_of_settings(&copying.database).await, 1);

    // What readers see of the provider changes without a sync.
    copying.entry.attribution = Some("by them".to_owned());
    for _ in 0..2 {
        worker::sync::register::register(&copying.database, &copying.entry).await.unwrap();
        assert_eq!(releases_of_settings(&copying.database).await, 2);
    }
    copying.entry.attribution = None;
    worker::sync::register::register(&copying.database, &copying.entry).await.unwrap();
    assert_eq!(releases_of_settings(&copying.database).await, 3);

    // The parameters of ticket links are part of nothing but the pages of events.
    let affiliate = [("aid".to_owned(), "7".to_owned())].into();
    for affiliate in [affiliate, BTreeMap::new()] {
        copying.entry.affiliate = affiliate;
        worker::sync::register::register(&copying.database, &copying.entry).await.unwrap();
        assert_eq!(copying.provider().await.affiliate_parameters(), copying.entry.affiliate);
        let newest = release::Entity::find().order_by_desc(release::Column::Version).one(&copying.database).await.unwrap();
        let footprint: Footprint = serde_json::from_str(&newest.unwrap().footprint).unwrap();
        assert_eq!(footprint, Footprint::all_of(&[Scope::Details]));
    }
    assert_eq!(releases_of_settings(&copying.database).await, 5);

    // Another provider with the former slug would have the same ids.
    copying.entry.slug = copying.entry.previous_slugs.pop().unwrap();
    let error = worker::sync::register::register(&copying.database, &copying.entry).await.unwrap_err();
    assert!(error.to_string().contains("belonged to the provider `southstage`"), "{error}");
}

async fn releases_of_settings(database: &DatabaseConnection) -> u64 {
    let releases = release::Entity::find().filter(release::COLUMN.action.eq(release::Cause::Settings.name()));
    releases.count(database).await.unwrap()
}
