//! Undo: the rows after `revert` are those before the run.

use std::sync::Arc;

use entity::{
    UtcInstant, base_event,
    change::{self, ChangeKind},
    event,
    footprint::{Footprint, Scope, Selection, hash_performer},
    job::queue,
    listing,
    pushed_feed::{self, Mode},
    release, show_text, undo,
};
use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::SimCatalogue;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use worker::sync::{
    FeedSource, SyncError, SyncReport,
    revert::{self, RevertError, RevertReport},
};

use super::{Copying, Tables, hold, sync_now};
use crate::feeds::{event, feed, offline, online};

on_every_backend!(
    an_undo_restores_the_rows_before_each_run,
    an_undo_hides_what_became_visible,
    an_undo_is_logged_as_changes,
    an_undo_releases_the_performers_that_return,
    a_later_run_must_be_reverted_first_only_if_it_changed_the_same,
    the_reverted_document_is_refused_until_another_one_is_applied,
    a_reverted_delta_is_refused,
    a_dry_run_changes_nothing,
    a_first_load_cannot_be_reverted,
    an_undo_without_the_lease_changes_nothing,
);

impl Copying {
    pub(super) async fn revert(&self, run: i64) -> Result<RevertReport, RevertError> {
        let claim = hold(&self.database, &self.entry.slug).await;
        let (run, _) = revert::find_run(&self.database, run).await?;
        let report = revert::revert(&self.database, &run, Some(&claim)).await;
        assert_eq!(queue::finish(&self.database, &claim).await.unwrap(), report.is_err());
        report
    }

    /// Syncs from a document, and returns the number of the run.
    pub(super) async fn run(&self, document: &str) -> i64 {
        self.sync(document).await.unwrap().run_id
    }

    /// Syncs from a pushed document that removes nothing.
    async fn push_delta(&self, document: &str) -> Result<SyncReport, SyncError> {
        let pushed = pushed_feed::ActiveModel {
            provider_id: Set(self.provider().await.id),
            job_id: Set(UtcInstant::now().0),
            mode: Set(Mode::Delta),
            coding: Set(String::new()),
            body: Set(Some(document.as_bytes().to_vec())),
            body_hash: Set(String::new()),
            accepted_at: Set(UtcInstant(0)),
            ..Default::default()
        };
        let pushed = pushed.insert(&self.database).await.unwrap();
        sync_now(&self.database, &self.entry, &FeedSource::Pushed(Box::new(pushed))).await
    }

    async fn last_kinds(&self) -> Vec<ChangeKind> {
        let rows = change::Entity::find().filter(change::COLUMN.version.eq(self.version().await));
        rows.order_by_asc(change::Column::Kind).all(&self.database).await.unwrap().iter().map(|row| row.kind).collect()
    }
}

/// The rows without what depends on the time of the undo.
fn comparable(tables: &Tables) -> Tables {
    let mut tables = Tables { version: 0, ..tables.clone() };
    tables.events.iter_mut().for_each(|event| event.next_boundary_at = None);
    tables
}

async fn an_undo_restores_the_rows_before_each_run(database: Arc<TestDatabase>) {
    let copying = Copying::with(&database, "max_shrink_share = 1.0").await;
    let catalogue = SimCatalogue { events: 400, churn: 30.0, ..SimCatalogue::default() };
    copying.accept(catalogue.feed(0)).await;
    let mut states = Vec::new();
    for poll in 1..5 {
        let before = (copying.tables().await, copying.provider().await.event_count);
        states.push((copying.run(&catalogue.feed(poll)).await, before));
    }
    for (run, (tables, event_count)) in states.into_iter().rev() {
        let version = copying.version().await;
        let report = copying.revert(run).await.unwrap();
        assert_eq!((report.release, copying.version().await), (version + 1, version + 1));
        assert_eq!(comparable(&copying.tables().await), comparable(&tables));
        assert_eq!(copying.provider().await.event_count, event_count);
    }
    assert_eq!(undo::Entity::find().count(&copying.database).await.unwrap(), 0);
}

async fn an_undo_hides_what_became_visible(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let events = [event("11", &["5.00"]), event("12", &["5.00"])];
    copying.accept(feed(&[online("2", &[event("21", &["5.00"])]), offline("1", &events)])).await;
    let derived = async || {
        let listed: Vec<_> = listing::Entity::find().order_by_asc(listing::Column::EventId).all(&copying.database).await.unwrap();
        let shows = show_text::Entity::find().order_by_asc(show_text::Column::Id).all(&copying.database).await.unwrap();
        (listed, shows)
    };
    let before = derived().await;
    assert_eq!((before.0.len(), before.1.len()), (1, 1));
    let run = copying.run(&feed(&[online("2", &[event("21", &["5.00"])]), online("1", &events[..1])])).await;
    assert_eq!(derived().await.0.len(), 3, "also the one that has left");
    copying.revert(run).await.unwrap();
    assert_eq!(derived().await, before);
}

async fn an_undo_is_logged_as_changes(database: Arc<TestDatabase>) {
    use ChangeKind::{Left, PriceChanged, Returned};
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[online("1", &[event("11", &["5.00"]), event("12", &["5.00"])]), offline("2", &[])])).await;
    let after = feed(&[online("1", &[event("11", &["6.00"]), event("13", &["5.00"])]), online("2", &[event("21", &["1.00"])])]);
    let run = copying.run(&after).await;
    let report = copying.revert(run).await.unwrap();
    assert_eq!((report.restored, report.removed), (2, 2));
    assert_eq!(report.changes, r#"{"left":2,"price_changed":1,"returned":1}"#);
    assert_eq!(copying.last_kinds().await, [Left, Left, PriceChanged, Returned]);
}

async fn an_undo_releases_the_performers_that_return(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let band = || "<performer performer_id=\"12\" name=\"The Kettles\"/>".to_owned();
    // Another show has the performer, too, so the run does not change the row of the performer.
    let other = online("2", &[band(), event("21", &["1.00"])]);
    copying.accept(feed(&[online("1", &[band(), event("11", &["5.00"])]), other.clone()])).await;
    let run = copying.run(&feed(&[online("1", &[event("11", &["5.00"])]), other])).await;
    let report = copying.revert(run).await.unwrap();
    let release = release::Entity::find_by_id(report.release).one(&copying.database).await.unwrap().unwrap();
    let footprint: Footprint = serde_json::from_str(&release.footprint).unwrap();
    for (performer, expected) in [("12", true), ("99", false)] {
        let selection = Selection { performers: Some(vec![hash_performer(performer)]), ..Selection::all_of(&[Scope::Concerts]) };
        assert_eq!(footprint.intersects(&selection), expected, "{performer}");
    }
}

async fn a_later_run_must_be_reverted_first_only_if_it_changed_the_same(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let document =
        |first: &str, second: &str| feed(&[online("1", &[event("11", &[first])]), online("2", &[event("21", &[second])])]);
    copying.accept(document("5.00", "5.00")).await;
    let first = copying.run(&document("6.00", "5.00")).await;
    copying.run(&document("6.00", "6.00")).await;
    let third = copying.run(&document("7.00", "6.00")).await;
    match copying.revert(first).await.unwrap_err() {
        RevertError::Overtaken { runs } => assert_eq!(runs, [third]),
        error => panic!("{error}"),
    }
    copying.revert(third).await.unwrap();
    assert_eq!(copying.event("11").await.min_price, Some(600));
    copying.revert(first).await.unwrap();
    assert_eq!((copying.event("11").await.min_price, copying.event("21").await.min_price), (Some(500), Some(600)));
}

async fn the_reverted_document_is_refused_until_another_one_is_applied(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let document = |price: &str| feed(&[online("1", &[event("11", &[price])])]);
    copying.accept(document("5.00")).await;
    let run = copying.run(&document("6.00")).await;
    copying.revert(run).await.unwrap();
    for _ in 0..2 {
        let error = copying.sync(document("6.00")).await.unwrap_err();
        assert!(matches!(error, SyncError::RevertedDocument), "{error}");
    }
    assert_eq!(copying.last_run().await.reason_code.as_deref(), Some("reverted_document"));
    assert_eq!(copying.event("11").await.min_price, Some(500));
    copying.accept(document("7.00")).await;
    copying.accept(document("6.00")).await;
    let run = copying.last_run().await.id;
    copying.revert(run).await.unwrap();
    revert::accept_document(&copying.database, &copying.entry.slug).await.unwrap();
    copying.accept(document("6.00")).await;
    assert_eq!(copying.event("11").await.min_price, Some(600));
}

async fn a_reverted_delta_is_refused(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let show = |number: &str, price: &str| online(number, &[event(&format!("{number}1"), &[price])]);
    let wrong = feed(&[show("1", "6.00")]);
    copying.accept(feed(&[show("1", "5.00"), show("2", "5.00")])).await;
    let run = copying.push_delta(&wrong).await.unwrap().run_id;
    copying.revert(run).await.unwrap();
    let is_refused = |outcome: Result<SyncReport, SyncError>| matches!(outcome, Err(SyncError::RevertedDocument));
    assert!(is_refused(copying.push_delta(&wrong).await));
    assert!(is_refused(copying.sync(&wrong).await), "also as a snapshot");
    copying.push_delta(&feed(&[show("2", "7.00")])).await.unwrap();
    assert!(is_refused(copying.push_delta(&wrong).await), "other deltas do not replace it");
    assert_eq!((copying.event("11").await.min_price, copying.event("21").await.min_price), (Some(500), Some(700)));
    revert::accept_document(&copying.database, &copying.entry.slug).await.unwrap();
    copying.push_delta(&wrong).await.unwrap();
    assert_eq!(copying.event("11").await.min_price, Some(600));

    // A delta after the run: the copy is not that of one document.
    let snapshot = feed(&[show("1", "8.00"), show("2", "7.00")]);
    let run = copying.run(&snapshot).await;
    copying.push_delta(&feed(&[show("2", "9.00")])).await.unwrap();
    copying.revert(run).await.unwrap();
    assert!(is_refused(copying.sync(&snapshot).await));
}

async fn a_dry_run_changes_nothing(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[online("1", &[event("11", &["5.00"])])])).await;
    let run = copying.run(&feed(&[online("1", &[event("12", &["5.00"])])])).await;
    let before = copying.tables().await;
    let (row, _) = revert::find_run(&copying.database, run).await.unwrap();
    let report = revert::revert(&copying.database, &row, None).await.unwrap();
    assert_eq!((report.restored, report.removed), (1, 1));
    assert_eq!(copying.tables().await, before);
    copying.revert(run).await.unwrap();
}

async fn a_first_load_cannot_be_reverted(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let run = copying.run(&feed(&[online("1", &[event("11", &["5.00"])])])).await;
    let error = copying.revert(run).await.unwrap_err();
    assert!(matches!(error, RevertError::NotStored(_)), "{error}");
    assert!(matches!(copying.revert(run + 1).await.unwrap_err(), RevertError::UnknownRun(_)));
}

async fn an_undo_without_the_lease_changes_nothing(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[online("1", &[event("11", &["5.00"])])])).await;
    let run = copying.run(&feed(&[])).await;
    let claim = hold(&copying.database, &copying.entry.slug).await;
    assert!(queue::finish(&copying.database, &claim).await.unwrap());
    let before = copying.tables().await;
    let (row, _) = revert::find_run(&copying.database, run).await.unwrap();
    let error = revert::revert(&copying.database, &row, Some(&claim)).await.unwrap_err();
    assert!(matches!(error, RevertError::LeaseLost), "{error}");
    assert_eq!(copying.tables().await, before);
    assert_eq!(base_event::Entity::find().count(&copying.database).await.unwrap(), 1);
    assert!(event::Entity::find().one(&copying.database).await.unwrap().unwrap().left_at.is_some());
}
