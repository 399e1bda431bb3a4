//! Events that were removed for legal reasons, and the syncs after it.

use std::sync::Arc;

use entity::{
    UtcInstant, begin_write,
    change::{self, ChangeKind},
    change_log::{self, ChangesQuery},
    provider,
    pushed_feed::{self, Mode},
    reject, release,
    sql::begin_snapshot,
    takedown::{self, FoundEvent, ONLY_LEFT, REMOVED_TEXT},
    tombstone, undo,
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use uuid::Uuid;
use worker::{
    progress::ProgressCounter,
    sync::{
        Counts, SyncError, identity,
        purge::{self, PurgeCounts, Readmission},
    },
};

use super::{Copying, SLUG};
use crate::feeds::{event as event_element, feed, invalid_event, online};

on_every_backend!(
    a_removed_event_leaves_no_content,
    a_program_of_an_earlier_release_leaves_no_states,
    no_sync_brings_a_removed_event_back,
    a_removed_event_does_not_return_with_another_date,
    one_of_several_dates_is_removed_alone,
    rejected_items_do_not_quote_a_removed_event,
    events_are_removed_during_syncs,
    a_purged_provider_is_refused_until_it_is_readmitted,
    an_interrupted_purge_is_completed,
    the_log_has_what_a_purge_removes_before_it_ends,
);

/// An event with a performer and a venue of this number, at a price.
fn concert(number: usize, price: &str) -> String {
    let parts = format!(
        "<performer performer_id=\"{number}\" name=\"Performer {number}\"/>\
         <venue venue_id=\"{number}\" name=\"Venue {number}\" latitude=\"41.5\" longitude=\"2.5\"/></event>"
    );
    event_element(&format!("{number}1"), &[price]).replace("</event>", &parts)
}

fn id_of(number: usize) -> Uuid {
    identity::event_id(SLUG, &number.to_string(), &format!("{number}1"))
}

/// A feed of base events with one concert each.
fn concerts(numbers: impl IntoIterator<Item = usize>, price: &str) -> String {
    feed(&numbers.into_iter().map(|number| online(&number.to_string(), &[concert(number, price)])).collect::<Vec<_>>())
}

impl Copying {
    /// Removes an event, and returns whether it was in the copy.
    pub(super) async fn remove(&self, id: Uuid) -> bool {
        let transaction = begin_write(&self.database).await.unwrap();
        let found = takedown::lock(&transaction, id).await.unwrap();
        if let FoundEvent::Stored(event) = &found {
            event.remove(&transaction, "case 12").await.unwrap();
        }
        transaction.commit().await.unwrap();
        matches!(found, FoundEvent::Stored(_))
    }

    async fn purge(&self) {
        let provider = self.provider().await;
        purge::purge(&self.database, provider.id, "case 13", &ProgressCounter::none()).await.unwrap();
    }

    async fn changes(&self) -> Vec<change::Model> {
        let changes = change::Entity::find().order_by_asc(change::Column::Version).order_by_asc(change::Column::Ordinal);
        changes.all(&self.database).await.unwrap()
    }

    async fn tombstones(&self) -> Vec<Uuid> {
        let tombstones = tombstone::Entity::find().order_by_asc(tombstone::Column::EventId).all(&self.database).await.unwrap();
        tombstones.into_iter().map(|tombstone| tombstone.event_id).collect()
    }

    /// Rows that quote an event, as earlier syncs wrote them.
    async fn insert_quotes(&self, id: Uuid) {
        let provider = self.provider().await;
        let release = release::Entity::find().one(&self.database).await.unwrap().unwrap();
        let changed = r#"{"title":{"old":"Show 1","new":"Show One"}}"#.to_owned();
        let states = Some(r#"{"new":{"local_start":"Show 1"}}"#.to_owned());
        let created = change::NewChange { kind: ChangeKind::Updated, provider_id: provider.id, event_id: id, changed, states };
        change::insert(&self.database, &release, 1_000, vec![created]).await.unwrap();
        let undo =
            undo::Model { sync_run_id: self.last_run().await.id, part: 1_000, provider_id: provider.id, previous: vec![1] };
        undo::Entity::insert(undo.into_active_model()).exec_without_returning(&self.database).await.unwrap();
        let dry_run = pushed_feed::ActiveModel {
            provider_id: Set(provider.id),
            job_id: Set(1_000),
            mode: Set(Mode::Snapshot),
            coding: Set(String::new()),
            body_hash: Set(String::new()),
            accepted_at: Set(UtcInstant(1)),
            settled_at: Set(Some(UtcInstant(2))),
            outcome: Set(Some(r#"{"changes":[{"title":"Show 1"}]}"#.to_owned())),
            ..Default::default()
        };
        pushed_feed::Entity::insert(dry_run).exec_without_returning(&self.database).await.unwrap();
    }
}

async fn a_removed_event_leaves_no_content(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let with_another = online("1", &[concert(1, "5.00"), event_element("12", &["5.00"])]);
    let rejected = online("3", &[concert(3, "5.00"), invalid_event("31"), invalid_event("32")]);
    copying.accept(feed(&[with_another, online("2", &[concert(2, "5.00")]), rejected])).await;
    copying.insert_quotes(id_of(2)).await;
    let version = copying.version().await;
    for number in [1, 2, 3] {
        assert!(copying.remove(id_of(number)).await);
        assert!(!copying.remove(id_of(number)).await, "it is removed once");
    }

    let tables = copying.tables().await;
    assert_eq!(tables.version, version + 3);
    assert_eq!(tables.lines().len(), 1, "the other event of the base event remains: {:?}", tables.lines());
    assert_eq!((tables.base_events.len(), tables.zones.len()), (1, 1));
    assert_eq!((tables.venues.len(), tables.performers.len(), tables.event_performers.len()), (0, 0, 0));
    let mut removed = [1, 2, 3].map(id_of);
    removed.sort();
    assert_eq!(copying.tombstones().await, removed);
    let provider = copying.provider().await;
    assert_eq!(provider.last_release, Some(tables.version));

    for change in copying.changes().await.iter().filter(|change| removed.contains(&change.event_id)) {
        let expected = if change.kind == ChangeKind::Left { r#"{"listed":{"old":true,"new":false}}"# } else { "{}" };
        assert_eq!(change.changed, expected, "{change:?}");
    }
    let left = copying.changes().await.into_iter().filter(|change| change.kind == ChangeKind::Left).count();
    assert_eq!(left, 3);
    assert!(undo::Entity::find().all(&copying.database).await.unwrap().is_empty());
    let dry_runs = pushed_feed::Entity::find().all(&copying.database).await.unwrap();
    assert_eq!(dry_runs.iter().map(|dry_run| dry_run.outcome.as_deref()).collect::<Vec<_>>(), [None]);
    let rejects = copying.last_rejects().await;
    let reasons: Vec<bool> = rejects.iter().map(|reject| reject.reason == REMOVED_TEXT && reject.raw.is_empty()).collect();
    assert_eq!(reasons, [true, false], "another event may be quoted: {rejects:?}");
    let releases = release::Entity::find().filter(release::COLUMN.version.gt(version)).all(&copying.database).await.unwrap();
    assert!(releases.iter().all(|release| release.action.as_deref() == Some(release::Cause::Takedown.name())));
}

/// It removes the fields of the changes of an event, and does not know their states.
async fn a_program_of_an_earlier_release_leaves_no_states(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(concerts(1..3, "5.00")).await;
    copying.accept(concerts(1..3, "6.00")).await;
    assert!(copying.changes().await.iter().all(|change| change.states.is_some()));
    let removal = change::Entity::update_many().col_expr(change::Column::Changed, "{}".into());
    removal.filter(change::Column::EventId.eq(id_of(1))).exec(&copying.database).await.unwrap();
    let with_states: Vec<Uuid> =
        copying.changes().await.into_iter().filter(|change| change.states.is_some()).map(|change| change.event_id).collect();
    assert_eq!(with_states, [id_of(2)]);
}

async fn no_sync_brings_a_removed_event_back(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let document = |price: &str| {
        let with_another = online("1", &[concert(1, price), event_element("12", &[price])]);
        feed(&[with_another, online("2", &[concert(2, price)])])
    };
    copying.accept(document("5.00")).await;
    for number in [1, 2] {
        assert!(copying.remove(id_of(number)).await);
    }
    let removed = copying.tables().await;

    assert_eq!(copying.accept(document("5.00")).await, Counts { fetched: 3, unchanged: 3, ..Counts::default() });
    // Bytes that differ, with the same content.
    let counts = copying.accept(document("5.00").replace('\n', " ")).await;
    assert_eq!(counts, Counts { fetched: 3, unchanged: 3, ..Counts::default() });
    assert_eq!(copying.tables().await, removed);
    let counts = copying.accept(document("6.00")).await;
    assert_eq!(counts, Counts { fetched: 3, updated: 1, unchanged: 2, ..Counts::default() });
    let tables = copying.tables().await;
    assert_eq!(tables.events.iter().map(|event| event.min_price).collect::<Vec<_>>(), [Some(600)]);
    assert_eq!((tables.base_events.len(), tables.venues.len(), tables.performers.len()), (1, 0, 0));

    let both = online("2", &[concert(2, "6.00"), event_element("22", &["6.00"])]);
    assert_eq!(copying.accept(feed(&[both])).await.inserted, 1, "another event of the base event is accepted");
    let tables = copying.tables().await;
    assert!(!tables.events.iter().any(|event| event.id == id_of(2)));
    assert_eq!(tables.events.iter().filter(|event| event.left_at.is_some()).count(), 1);
    let changes = copying.changes().await;
    let of_removed = |change: &&change::Model| [1, 2].map(id_of).contains(&change.event_id);
    assert!(changes.iter().filter(of_removed).all(|change| change.kind == ChangeKind::Left || change.changed == "{}"));
}

/// A document of JSON-LD with events that are identified by their URLs and starts.
fn dated(events: &[(&str, &str)]) -> String {
    let event = |(path, date): &(&str, &str)| {
        let (url, start) = (format!("https://a.example/{path}"), format!("{date}T20:00:00"));
        json!({"@type": "MusicEvent", "url": url, "productID": format!("id-{path}"), "name": path, "startDate": start})
    };
    events.iter().map(event).collect::<Value>().to_string()
}

async fn a_removed_event_does_not_return_with_another_date(database: Arc<TestDatabase>) {
    let mut copying = Copying::with_json(&database).await;
    copying.accept(dated(&[("jazz", "2131-07-01"), ("rock", "2131-07-05")])).await;
    assert!(copying.remove(copying.event("https://a.example/jazz#2131-07-01T20:00:00").await.id).await);
    for (date, other) in [("2131-07-01", "2131-07-05"), ("2131-07-02", "2131-07-05"), ("2131-07-03", "2131-07-06")] {
        let counts = copying.accept(dated(&[("jazz", date), ("rock", other)])).await;
        assert_eq!((counts.inserted, copying.tables().await.events.len()), (0, 1), "{date}: {counts:?}");
    }
    assert_eq!(copying.accept(dated(&[("jazz-2", "2131-07-03"), ("rock", "2131-07-06")])).await.inserted, 1, "another event");
    copying.set_id_from(Some("productID"));
    let document = dated(&[("jazz", "2131-07-03"), ("rock", "2131-07-06"), ("jazz-2", "2131-07-03")]);
    copying.rekey(&document).await;
    let moved = dated(&[("jazz", "2131-07-04"), ("rock", "2131-07-06"), ("jazz-2", "2131-07-03")]);
    for document in [document, moved] {
        assert_eq!(copying.accept(document).await.inserted, 0);
        assert_eq!(copying.tables().await.events.len(), 2);
    }
}

async fn one_of_several_dates_is_removed_alone(database: Arc<TestDatabase>) {
    let copying = Copying::with_json(&database).await;
    let on = |days: &[u8]| {
        let dates: Vec<String> = days.iter().map(|day| format!("2131-07-{day:02}")).collect();
        dated(&dates.iter().map(|date| ("jazz", date.as_str())).collect::<Vec<_>>())
    };
    let id = async |day: u8| copying.event(&format!("https://a.example/jazz#2131-07-{day:02}T20:00:00")).await.id;
    copying.accept(on(&[1, 2, 3])).await;
    assert!(copying.remove(id(2).await).await);
    assert_eq!(copying.accept(on(&[1, 2, 3, 4])).await.inserted, 1, "the show has another date");
    for day in [1, 3, 4] {
        assert!(copying.remove(id(day).await).await);
    }
    assert_eq!(copying.accept(on(&[1, 2, 3, 4, 5])).await.inserted, 0);
    assert_eq!(copying.tables().await.events.len(), 0);
}

async fn rejected_items_do_not_quote_a_removed_event(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(concerts([1, 2], "5.00")).await;
    assert!(copying.remove(id_of(1)).await);
    let without_title = online("1", &[]).replace("title=\"Show 1\"", "");
    let without_id = online("1", &[]).replace("base_event_id=\"1\"", "");
    let events = [invalid_event("11"), invalid_event("12")];
    copying
        .accept(feed(&[
            online("1", &events),
            without_title,
            without_id,
            online("2", &[invalid_event("21"), event_element("22", &["5.00"])]),
        ]))
        .await;
    let rejects = copying.last_rejects().await;
    let is_redacted = |reject: &reject::Model| reject.reason == REMOVED_TEXT && reject.raw.is_empty();
    let redacted: Vec<bool> = rejects.iter().map(is_redacted).collect();
    assert_eq!(redacted, [true, false, true, true, false], "{rejects:?}");
}

async fn events_are_removed_during_syncs(database: Arc<TestDatabase>) {
    const REMOVED: usize = 8;
    let copying = Copying::new(&database).await;
    copying.accept(concerts(0..REMOVED + 2, "5.00")).await;
    let syncs = async {
        for cents in 10..20 {
            // A run fails if the database is busy; the next one is the retry.
            let _outcome = copying.sync(concerts(0..REMOVED + 2, &format!("5.{cents}"))).await;
        }
    };
    let removals = async {
        for number in 0..REMOVED {
            assert!(copying.remove(id_of(number)).await);
        }
    };
    tokio::join!(syncs, removals);
    copying.accept(concerts(0..REMOVED + 2, "6.00")).await;
    let tables = copying.tables().await;
    assert_eq!(tables.events.len(), 2, "{:?}", tables.lines());
    assert_eq!((tables.base_events.len(), tables.venues.len(), tables.performers.len()), (2, 2, 2));
}

async fn a_purged_provider_is_refused_until_it_is_readmitted(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let with_reject = concerts(0..200, "5.00").replace("</output>", &format!("{}</output>", online("x", &[invalid_event("x1")])));
    copying.accept(with_reject).await;
    copying.insert_quotes(id_of(7)).await;
    assert!(copying.remove(id_of(3)).await);
    let provider = copying.provider().await;
    let counts = purge::count(&copying.database, provider.id).await.unwrap();
    assert_eq!(counts, PurgeCounts { events: 199, venues: 199, performers: 199 });
    copying.purge().await;
    copying.purge().await;

    let tables = copying.tables().await;
    assert_eq!((tables.base_events.len(), tables.events.len(), tables.zones.len()), (0, 0, 0));
    assert_eq!((tables.venues.len(), tables.performers.len()), (0, 0));
    assert_eq!(copying.tombstones().await.len(), 200);
    let changes = copying.changes().await;
    assert!(changes.iter().all(|change| change.kind == ChangeKind::Left || change.changed == "{}"), "{changes:?}");
    for number in 0..200 {
        let of_event = |change: &&change::Model| change.event_id == id_of(number) && change.kind == ChangeKind::Left;
        assert!(changes.iter().any(|change| of_event(&change)), "{number}");
    }
    assert!(copying.last_rejects().await.is_empty());
    let provider = copying.provider().await;
    assert!(provider.purged_at.is_some() && provider.loading_since.is_none() && provider.last_success_at.is_none());

    let error = copying.sync(concerts(0..3, "5.00")).await.unwrap_err();
    assert!(matches!(error, SyncError::ProviderPurged), "{error:?}");
    assert_eq!(copying.last_run().await.reason_code.as_deref(), Some("provider_purged"));
    assert_eq!(copying.tables().await, tables);

    assert_eq!(purge::readmit(&copying.database, provider.id).await.unwrap(), Readmission::Readmitted);
    assert_eq!(purge::readmit(&copying.database, provider.id).await.unwrap(), Readmission::NotPurged);
    let counts = copying.accept(concerts(0..5, "5.00")).await;
    assert_eq!((counts.inserted, counts.unchanged), (4, 1), "the event that was removed by itself does not return");
    assert_eq!(copying.tombstones().await, [id_of(3)]);
}

async fn an_interrupted_purge_is_completed(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(concerts(0..300, "5.00")).await;
    let version = copying.version().await;
    // The first transaction of a purge, and a part of the second.
    provider::Entity::update_many()
        .set(provider::ActiveModel {
            purged_at: Set(Some(UtcInstant(5))),
            loading_since: Set(Some(UtcInstant(5))),
            ..Default::default()
        })
        .exec(&copying.database)
        .await
        .unwrap();
    let provider = copying.provider().await;
    assert_eq!(purge::readmit(&copying.database, provider.id).await.unwrap(), Readmission::Incomplete);
    copying.purge().await;
    assert_eq!(copying.tables().await.events.len(), 0);
    assert_eq!(copying.tombstones().await.len(), 300);
    assert!(copying.version().await > version);
    let provider = copying.provider().await;
    assert_eq!((provider.purged_at, provider.loading_since), (Some(UtcInstant(5)), None));
    assert_eq!(provider.totals_release, provider.last_release);
}

async fn the_log_has_what_a_purge_removes_before_it_ends(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(concerts(1..3, "5.00")).await;
    copying.accept(concerts(1..3, "6.00")).await;
    let set_hidden = |is_hidden: bool| {
        let loading_since = Set(is_hidden.then_some(UtcInstant(5)));
        provider::Entity::update_many().set(provider::ActiveModel { loading_since, ..Default::default() }).exec(&copying.database)
    };
    let read = async || {
        let snapshot = begin_snapshot(&copying.database).await.unwrap();
        let page = change_log::read_page(&snapshot, &ChangesQuery::all(None, 100)).await.unwrap().unwrap();
        snapshot.commit().await.unwrap();
        page.rows.into_iter().map(|row| (row.kind, row.changed)).collect::<Vec<_>>()
    };
    set_hidden(true).await.unwrap();
    assert_eq!(read().await, [], "the changes of prices have content");
    set_hidden(false).await.unwrap();
    copying.purge().await;
    set_hidden(true).await.unwrap();
    assert_eq!(read().await, [(); 2].map(|()| (ChangeKind::Left, ONLY_LEFT.to_owned())));
}
