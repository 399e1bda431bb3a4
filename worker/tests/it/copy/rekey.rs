//! Ids that are read from another property: a sync refuses to change them, and `rekey` preserves them.

use std::sync::Arc;

use entity::{
    alias::{self, AliasKind},
    provider, tombstone,
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use uuid::Uuid;
use worker::{
    progress::ProgressCounter,
    provider::format,
    sync::{
        Counts, FeedSource, SyncError, identity,
        rekey::{self, RekeyError, RekeyReport},
        revert::RevertError,
    },
};

use super::{Copying, SLUG, Tables, hold};

on_every_backend!(
    a_sync_refuses_to_read_other_ids,
    rekey_preserves_all_ids,
    a_rekey_can_be_undone,
    ambiguous_keys_are_not_matched,
    events_move_between_base_events,
    changed_content_is_left_to_the_sync,
    a_removed_event_is_not_imported_with_its_new_key,
    runs_before_a_rekey_are_not_reverted,
    nothing_is_changed_without_the_lease,
    a_document_without_the_property_is_refused,
);

/// An event with two ids, a venue and a performer that have them, too.
fn event(number: usize) -> Value {
    json!({
        "@type": "MusicEvent",
        "@id": format!("https://a.example/#{number}"),
        "identifier": {"@type": "PropertyValue", "value": format!("jazz-{number}")},
        "name": format!("Jazz {number}"),
        "startDate": format!("2131-07-{:02}T20:00:00", number % 28 + 1),
        "location": {"@type": "Place", "@id": "https://a.example/#hall", "identifier": "hall", "name": "Hall"},
        "performer": {"@id": format!("https://a.example/#band-{number}"), "identifier": number, "name": format!("Band {number}")},
    })
}

fn document(events: impl IntoIterator<Item = Value>) -> String {
    Value::from_iter(events).to_string()
}

impl Copying {
    /// A provider of JSON-LD.
    pub(super) async fn with_json(database: &TestDatabase) -> Self {
        let mut copying = Self::new(database).await;
        copying.entry.format = format::find("schema-org-json").unwrap();
        copying
    }

    pub(super) fn set_id_from(&mut self, property: Option<&str>) {
        self.entry.id_from = property.map(|property| property.parse().unwrap());
    }

    async fn try_rekey(&self, document: &str, is_dry_run: bool) -> Result<Option<RekeyReport>, RekeyError> {
        let file = self.folder.path().join("rekey.json");
        std::fs::write(&file, document).unwrap();
        let claim = hold(&self.database, &self.entry.slug).await;
        let lease = (!is_dry_run).then_some(&claim);
        let progress = ProgressCounter::none();
        let report = rekey::rekey(&self.database, &self.entry, &FeedSource::File(file), lease, &progress).await;
        entity::job::queue::finish(&self.database, &claim).await.unwrap();
        report
    }

    pub(super) async fn rekey(&self, document: &str) -> RekeyReport {
        self.try_rekey(document, false).await.unwrap().unwrap()
    }

    async fn list_aliases(&self) -> Vec<alias::Model> {
        let mut aliases = alias::Entity::find().all(&self.database).await.unwrap();
        aliases.sort_by_key(|alias| alias.id);
        aliases
    }
}

/// The ids of all rows.
fn ids(tables: &Tables) -> [Vec<Uuid>; 4] {
    [
        tables.base_events.iter().map(|row| row.id).collect(),
        tables.events.iter().map(|row| row.id).collect(),
        tables.performers.iter().map(|row| row.id).collect(),
        tables.venues.iter().map(|row| row.id).collect(),
    ]
}

async fn a_sync_refuses_to_read_other_ids(database: Arc<TestDatabase>) {
    let mut copying = Copying::with_json(&database).await;
    copying.set_id_from(Some("@id"));
    copying.accept("[]").await;
    copying.set_id_from(Some("identifier"));
    let document = document((0..3).map(event));
    copying.accept(&document).await;
    assert_eq!(copying.provider().await.id_from.as_deref(), Some("identifier"), "the copy was empty");
    let before = copying.tables().await;

    for (id_from, reason) in [
        (None, "were read from `identifier`, and `id_from` is now the format's own ids; run `marquee-worker rekey SLUG`"),
        (Some("@id"), "were read from `identifier`, and `id_from` is now `@id`; run `marquee-worker rekey SLUG`"),
    ] {
        copying.set_id_from(id_from);
        let error = copying.sync(&document).await.unwrap_err();
        assert_eq!(error.code(), "id_from_changed");
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(copying.tables().await, before);
    }
    copying.set_id_from(Some("identifier"));
    assert_eq!(copying.accept(&document).await.unchanged, 3);
}

async fn rekey_preserves_all_ids(database: Arc<TestDatabase>) {
    let mut copying = Copying::with_json(&database).await;
    let document = document((0..3).map(event));
    copying.accept(&document).await;
    let before = copying.tables().await;

    copying.set_id_from(Some("identifier"));
    let planned = copying.try_rekey(&document, true).await.unwrap().unwrap();
    assert_eq!(copying.tables().await, before, "a dry run changes nothing");
    let report = copying.rekey(&document).await;
    assert_eq!(report, planned);
    let counts = (report.events, report.base_events, report.performers, report.venues, report.unmatched);
    assert_eq!((counts, report.ambiguous), ((3, 3, 3, 1, 0), vec![]));

    let after = copying.tables().await;
    assert_eq!(ids(&after), ids(&before));
    assert_eq!((&after.performers, &after.venues), (&before.performers, &before.venues), "clients use their plain ids");
    assert_eq!(after.version, before.version + 1, "readers see the provider's ids of events");
    let event = copying.event("jazz-1#2131-07-02T20:00:00").await;
    let key = identity::event_id(SLUG, "jazz-1", &event.source_id);
    let alias = copying.list_aliases().await.into_iter().find(|alias| alias.id == key).unwrap();
    assert_eq!((alias.kind, alias.target), (AliasKind::Event, event.id));

    let unchanged = Counts { fetched: 3, unchanged: 3, ..Counts::default() };
    assert_eq!(copying.accept(&document).await, unchanged);
    assert_eq!(copying.tables().await, after);
    assert_eq!(copying.try_rekey(&document, false).await.unwrap(), None);

    // The `@id` of everything changes, as those of this publisher do.
    let other_ids = document.replace("a.example/#", "a.example/#v2-").replace("Jazz 2", "Jazz II").replace("Band 2", "Band II");
    assert_eq!(copying.accept(&other_ids).await, Counts { fetched: 3, updated: 1, unchanged: 2, ..Counts::default() });
    let changed = copying.tables().await;
    assert_eq!(ids(&changed), ids(&before));
    let renamed = changed.performers.iter().find(|performer| performer.name == "Band II").unwrap();
    assert_eq!(renamed.source_id, "https://a.example/#band-2");
}

async fn a_rekey_can_be_undone(database: Arc<TestDatabase>) {
    let mut copying = Copying::with_json(&database).await;
    let document = document((0..3).map(event));
    copying.accept(&document).await;
    let before = copying.tables().await;
    for property in ["identifier", "@id"] {
        copying.set_id_from(Some(property));
        copying.rekey(&document).await;
    }
    copying.set_id_from(None);
    assert_eq!(copying.rekey(&document).await.events, 3);
    assert!(copying.list_aliases().await.is_empty());
    let after = copying.tables().await;
    assert_eq!(Tables { version: before.version, ..after.clone() }, before);
    assert_eq!(copying.accept(&document).await.unchanged, 3);
    assert_eq!(copying.tables().await, after);
}

async fn ambiguous_keys_are_not_matched(database: Arc<TestDatabase>) {
    let mut copying = Copying::with_json(&database).await;
    let mut events: Vec<Value> = (0..6).map(event).collect();
    // One identifier and start of two events; and a key that is that of another event.
    events[1]["identifier"] = "jazz-0".into();
    events[1]["startDate"] = events[0]["startDate"].clone();
    events[2]["@id"] = "jazz-3#2131-07-04T20:00:00".into();
    events[2]["superEvent"] = json!({"@id": "jazz-3", "name": "Nights"});
    let document = document(events);
    copying.accept(&document).await;
    copying.set_id_from(Some("identifier"));
    let report = copying.rekey(&document).await;
    assert_eq!((report.events, report.ambiguous.len(), report.unmatched), (3, 3, 0), "{report:?}");
    let expected = "event `https://a.example/#0` of base event `https://a.example/#0`: its new key `jazz-0#2131-07-01T20:00:00` is or was \
                    that of another event, too";
    assert_eq!(report.ambiguous[0], expected);
}

async fn events_move_between_base_events(database: Arc<TestDatabase>) {
    let mut copying = Copying::with_json(&database).await;
    // Two shows with two dates each; and one that has the id of another one as its identifier.
    let mut events: Vec<Value> = (0..6).map(event).collect();
    for (number, show) in [(0, "a"), (1, "a"), (2, "b"), (3, "b"), (4, "https://a.example/#5")] {
        events[number]["identifier"] = show.into();
    }
    let document = document(events);
    copying.accept(&document).await;
    let before = copying.tables().await;
    for (id_from, base_events) in [(Some("identifier"), 4), (None, 6), (Some("identifier"), 4)] {
        copying.set_id_from(id_from);
        let report = copying.rekey(&document).await;
        assert_eq!((report.events, report.base_events, report.unmatched), (6, base_events, 0), "{report:?}");
        let counts = copying.accept(&document).await;
        assert_eq!((counts.inserted, counts.left, counts.updated + counts.unchanged), (0, 0, 6), "{id_from:?}: {counts:?}");
        let after = copying.tables().await;
        assert_eq!((after.base_events.len(), &ids(&after)[1..]), (base_events, &ids(&before)[1..]), "{id_from:?}");
        let version = copying.version().await;
        assert_eq!(copying.accept(format!("{document} ")).await.unchanged, 6);
        assert_eq!(copying.version().await, version);
    }
}

async fn changed_content_is_left_to_the_sync(database: Arc<TestDatabase>) {
    let mut copying = Copying::with_json(&database).await;
    copying.accept(document((0..4).map(event))).await;
    let before = copying.tables().await;
    // Newer than the copy: one event has changed, one is new, and one is not in it.
    let newer = document((1..5).map(event)).replace("Jazz 2", "Jazz II");
    copying.set_id_from(Some("identifier"));
    let report = copying.rekey(&newer).await;
    assert_eq!((report.events, report.unmatched), (3, 1));
    let expected = Counts { fetched: 4, inserted: 1, updated: 1, unchanged: 2, left: 1, ..Counts::default() };
    assert_eq!(copying.accept(&newer).await, expected);
    let after = copying.tables().await;
    assert!(before.events.iter().all(|event| after.events.iter().any(|other| other.id == event.id)));
}

async fn a_removed_event_is_not_imported_with_its_new_key(database: Arc<TestDatabase>) {
    let mut copying = Copying::with_json(&database).await;
    let document = document((0..3).map(event));
    copying.accept(&document).await;
    let removed = copying.event("https://a.example/#1").await.id;
    assert!(copying.remove(removed).await);
    copying.set_id_from(Some("identifier"));
    assert_eq!(copying.rekey(&document).await.events, 2);
    assert_eq!(copying.accept(&document).await.inserted, 0);
    assert_eq!(copying.tables().await.events.len(), 2);
    assert!(tombstone::Entity::find_by_id(removed).one(&copying.database).await.unwrap().is_some());
}

async fn runs_before_a_rekey_are_not_reverted(database: Arc<TestDatabase>) {
    let mut copying = Copying::with_json(&database).await;
    // Two dates of each show; the feed tells them apart by their `@id`.
    let events = |price: &str| {
        document((0..4).map(|number| {
            let mut event = event(number);
            event["sku"] = format!("S{}", number / 2).into();
            event["offers"] = json!({"@type": "Offer", "price": price, "priceCurrency": "EUR"});
            event
        }))
    };
    copying.accept(events("10.00")).await;
    let before = copying.run(&events("12.00")).await;
    copying.set_id_from(Some("sku"));
    copying.rekey(&events("12.00")).await;
    let tables = copying.tables().await;
    let error = copying.revert(before).await.unwrap_err();
    assert!(matches!(error, RevertError::NotStored(_)), "{error}");
    assert_eq!(copying.tables().await, tables);
    // The two dates of a show have one base event now, which is the only change.
    for price in ["12.00", "13.00"] {
        let counts = copying.accept(events(price)).await;
        assert_eq!((counts.inserted, counts.left), (0, 0), "{counts:?}");
    }

    let after = copying.run(&events("14.00")).await;
    copying.revert(after).await.unwrap();
    assert_eq!(ids(&copying.tables().await), ids(&tables));
    assert_eq!(copying.accept(events("15.00")).await.updated, 4);
}

async fn nothing_is_changed_without_the_lease(database: Arc<TestDatabase>) {
    let mut copying = Copying::with_json(&database).await;
    let document = document((0..3).map(event));
    copying.accept(&document).await;
    let before = copying.tables().await;
    copying.set_id_from(Some("identifier"));
    let file = copying.folder.path().join("rekey.json");
    std::fs::write(&file, &document).unwrap();
    let claim = hold(&copying.database, SLUG).await;
    entity::job::queue::finish(&copying.database, &claim).await.unwrap();
    let source = FeedSource::File(file);
    let error = rekey::rekey(&copying.database, &copying.entry, &source, Some(&claim), &ProgressCounter::none()).await;
    assert!(matches!(error, Err(RekeyError::Sync(SyncError::LeaseLost))), "{error:?}");
    assert_eq!(copying.tables().await, before);
    assert!(copying.list_aliases().await.is_empty());

    let purged = provider::ActiveModel { id_from: Set(Some("a.b".to_owned())), ..copying.provider().await.into_active_model() };
    purged.update(&copying.database).await.unwrap();
    copying.entry.format = format::find("icalendar").unwrap();
    let error = copying.try_rekey(&document, false).await.unwrap_err();
    assert!(matches!(error, RekeyError::OtherFormat { .. }), "{error}");
}

async fn a_document_without_the_property_is_refused(database: Arc<TestDatabase>) {
    let mut copying = Copying::with_json(&database).await;
    let document = document((0..3).map(event));
    copying.set_id_from(Some("identifier"));
    assert!(matches!(copying.try_rekey(&document, false).await.unwrap_err(), RekeyError::UnknownProvider(_)));
    copying.set_id_from(None);
    copying.accept(&document).await;
    copying.set_id_from(Some("sku"));
    let error = copying.try_rekey(&document, false).await.unwrap_err().to_string();
    assert!(error.contains("`sku` is missing, which is the `id_from` of the provider"), "{error}");
    assert_eq!(copying.provider().await.id_from, None);
}
