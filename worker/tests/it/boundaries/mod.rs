//! What time changes is written once and in order, whatever else happens at that time.

mod backfill;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use entity::{
    ConnectionRole, UtcInstant, base_event, begin_write, change, database_now, event,
    event_state::ChangedStates,
    footprint::{Footprint, Scope, Selection, day_of},
    job::{JobKind, queue},
    listing,
    release::{self, Cause},
    sphere::Direction,
};
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseConnection, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, sea_query::Expr,
};
use worker::{
    boundary::{self, EVENTS_PER_BATCH},
    jobs::boundary::BoundaryJob,
};

use crate::{
    copy::Copying,
    feeds::{base_event, feed, offline, online},
    fixtures,
    patience::in_time,
};

on_every_backend!(
    each_boundary_is_one_change,
    boundaries_that_were_missed_are_handled_in_order,
    what_no_reader_sees_is_not_changed,
    the_release_changes_only_what_it_must,
    two_workers_handle_each_boundary_once,
    syncs_at_the_same_time_lose_and_repeat_nothing,
    a_sync_does_not_skip_a_boundary_that_was_not_handled,
    a_job_is_enqueued_once_when_something_is_due,
);

const MINUTE: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(600);

/// An event with times in minutes from an instant.
struct TimedEvent {
    id: String,
    sale: (Option<u32>, Option<u32>),
    end: u32,
    sold_out: bool,
}

impl TimedEvent {
    fn new(id: &str, sale: (Option<u32>, Option<u32>), end: u32) -> Self {
        Self { id: id.to_owned(), sale, end, sold_out: false }
    }

    fn xml(&self, now: UtcInstant) -> String {
        let local = |minutes: u32| format_local(now + minutes * MINUTE);
        let attribute = |name: &str, minutes: Option<u32>| {
            minutes.map(|minutes| format!(" {name}=\"{}\"", local(minutes))).unwrap_or_default()
        };
        let Self { id, sale: (from, to), end, sold_out } = self;
        let sale = attribute("sell_from", *from) + &attribute("sell_to", *to);
        let end = local(*end);
        format!("<event event_id=\"{id}\" event_start_date=\"{end}\" event_end_date=\"{end}\"{sale} sold_out=\"{sold_out}\"/>")
    }
}

fn format_local(instant: UtcInstant) -> String {
    instant.to_utc().unwrap().format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// Copies events, and returns the instant from which their times count.
async fn copy(copying: &Copying, events: &[TimedEvent]) -> UtcInstant {
    let now = database_now(&copying.database).await.unwrap();
    let events: Vec<String> = events.iter().map(|event| event.xml(now)).collect();
    copying.accept(feed(&[online("1", &events)])).await;
    now
}

/// Moves the times of all events into the past, as if the time had passed.
async fn pass(database: &DatabaseConnection, time: Duration) {
    use event::Column::{EndsAt, NextBoundaryAt, SaleEndsAt, SaleStartsAt, StartsAt};
    let micros = i64::try_from(time.as_micros()).unwrap();
    let mut moving = event::Entity::update_many();
    for column in [StartsAt, EndsAt, SaleStartsAt, SaleEndsAt, NextBoundaryAt] {
        moving = moving.col_expr(column, Expr::col(column).sub(micros));
    }
    moving.exec(database).await.unwrap();
    listing::Entity::update_many()
        .col_expr(listing::Column::StartsAt, Expr::col(listing::Column::StartsAt).sub(micros))
        .col_expr(listing::Column::EndsAt, Expr::col(listing::Column::EndsAt).sub(micros))
        .exec(database)
        .await
        .unwrap();
}

/// Handles all boundaries that have passed, and returns the number of batches.
async fn handle_all(database: &DatabaseConnection) -> usize {
    let (mut batches, mut busy) = (1, BTreeSet::new());
    while boundary::handle_batch(database, &mut busy).await.unwrap() {
        batches += 1;
    }
    assert!(busy.is_empty());
    batches
}

/// The log: the ids of events at their provider, the kinds, and the availability before and after.
async fn read_log(database: &DatabaseConnection) -> Vec<String> {
    let events = event::Entity::find().all(database).await.unwrap();
    let source_id: BTreeMap<_, _> = events.into_iter().map(|event| (event.id, event.source_id)).collect();
    let changes = change::Entity::find().order_by_asc(change::Column::Version).order_by_asc(change::Column::Ordinal);
    let changes = changes.all(database).await.unwrap().into_iter().filter(|change| change.changed.contains("availability"));
    changes
        .map(|change| {
            let changed: serde_json::Value = serde_json::from_str(&change.changed).unwrap();
            let [old, new] = ["old", "new"].map(|key| changed["availability"][key].as_str().unwrap().to_owned());
            let states = ChangedStates::from_json(change.states.as_ref().unwrap()).unwrap();
            let states = [states.old, states.new].map(|state| state.unwrap().availability);
            assert_eq!(states, [old.clone(), new.clone()], "what filters select");
            format!("{} {}: {old} -> {new}", source_id[&change.event_id], change.kind.name())
        })
        .collect()
}

/// The releases of time.
async fn read_releases(database: &DatabaseConnection) -> Vec<release::Model> {
    let releases = release::Entity::find().filter(release::COLUMN.action.eq(Cause::Boundary.name()));
    releases.order_by_asc(release::Column::Version).all(database).await.unwrap()
}

async fn each_boundary_is_one_change(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let sold_out = TimedEvent { sold_out: true, ..TimedEvent::new("sold out", (Some(10), Some(30)), 50) };
    let events = [
        TimedEvent::new("sale", (Some(10), Some(30)), 50),
        TimedEvent::new("no period", (None, None), 50),
        TimedEvent::new("only an end", (None, Some(30)), 50),
        sold_out,
    ];
    copy(&copying, &events).await;
    let database = &copying.database;
    let version = copying.version().await;
    handle_all(database).await;
    assert_eq!((read_log(database).await.len(), copying.version().await), (0, version), "nothing is due");

    let mut expected = Vec::new();
    for (minutes, changes, releases) in [
        (10, vec!["sale on_sale: not_yet -> on_sale"], 1),
        (20, vec!["only an end updated: on_sale -> ended", "sale updated: on_sale -> ended"], 2),
        // The end of an event that was already ended is a release without a change.
        (20, vec!["no period updated: unknown -> ended", "sold out updated: sold_out -> ended"], 3),
    ] {
        pass(database, minutes * MINUTE).await;
        handle_all(database).await;
        let mut log = read_log(database).await.split_off(expected.len());
        log.sort();
        assert_eq!(log, changes);
        expected.extend(changes);
        handle_all(database).await;
        let found = read_releases(database).await;
        assert_eq!(found.len(), releases);
        assert_eq!(read_log(database).await.len(), expected.len(), "once");
        let (last, provider) = (found.last().unwrap(), copying.provider().await);
        assert_eq!((provider.last_release, provider.last_release_at), (Some(last.version), Some(last.raised_at)));
    }
    assert!(copying.tables().await.events.iter().all(|event| event.next_boundary_at.is_none()));
    pass(database, 500 * MINUTE).await;
    handle_all(database).await;
    assert_eq!(read_releases(database).await.len(), 3);
}

async fn boundaries_that_were_missed_are_handled_in_order(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let count = u32::try_from(2 * EVENTS_PER_BATCH + 100).unwrap();
    // Later sales begin before earlier ones end.
    let events: Vec<_> = (0..count).map(|id| TimedEvent::new(&id.to_string(), (Some(10 + id), Some(200 + id)), 9_000)).collect();
    copy(&copying, &events).await;
    pass(&copying.database, 8_000 * MINUTE).await;
    let batches = handle_all(&copying.database).await;

    let mut expected: Vec<(u32, String)> = Vec::new();
    for id in 0..count {
        expected.push((10 + id, format!("{id} on_sale: not_yet -> on_sale")));
        expected.push((200 + id, format!("{id} updated: on_sale -> ended")));
    }
    let at = |change: &str| expected.iter().find(|(_, expected)| expected == change).unwrap().0;
    let log = read_log(&copying.database).await;
    assert!(log.is_sorted_by_key(|change| at(change)), "{log:?}");
    assert_eq!(log.iter().collect::<BTreeSet<_>>().len(), log.len());
    assert_eq!(log.len(), expected.len());
    let releases = read_releases(&copying.database).await.len();
    assert!((3..=batches).contains(&releases), "{releases} releases in {batches} batches");
}

async fn what_no_reader_sees_is_not_changed(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let now = database_now(&copying.database).await.unwrap();
    let xml = |id: &str| TimedEvent::new(id, (Some(10), Some(30)), 50).xml(now);
    copying.accept(feed(&[online("1", &[xml("stays"), xml("leaves")]), offline("2", &[xml("hidden")])])).await;
    copying.accept(feed(&[online("1", &[xml("stays")]), offline("2", &[xml("hidden")])])).await;
    let database = &copying.database;
    pass(database, 20 * MINUTE).await;
    handle_all(database).await;
    assert_eq!(read_log(database).await, ["stays on_sale: not_yet -> on_sale"]);

    let loading = entity::provider::ActiveModel { loading_since: Set(Some(now)), ..copying.provider().await.into_active_model() };
    loading.update(database).await.unwrap();
    let version = copying.version().await;
    pass(database, 20 * MINUTE).await;
    handle_all(database).await;
    assert_eq!((read_log(database).await.len(), copying.version().await), (1, version));
    let ends_next = |event: &event::Model| event.next_boundary_at == Some(event.ends_at);
    assert!(copying.tables().await.events.iter().all(ends_next), "their boundaries are handled nevertheless");
}

async fn the_release_changes_only_what_it_must(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(fixtures::bytes("sound/performers_and_venue.xml")).await;
    let event = copying.event("1").await;
    let due = database_now(&copying.database).await.unwrap() - MINUTE;
    let begun = event::ActiveModel {
        sale_starts_at: Set(Some(due)),
        next_boundary_at: Set(Some(due)),
        ..event.clone().into_active_model()
    };
    begun.update(&copying.database).await.unwrap();
    let film = base_event::Entity::update_many().col_expr(base_event::Column::Category, "film".into());
    film.exec(&copying.database).await.unwrap();
    handle_all(&copying.database).await;

    let [release] = <[_; 1]>::try_from(read_releases(&copying.database).await).unwrap();
    let footprint: Footprint = serde_json::from_str(&release.footprint).unwrap();
    let day = day_of(event.starts_at);
    let all = Selection::all_of(&[Scope::Events]);
    let near = |latitude, longitude| Some((Direction::from_degrees(latitude, longitude), 10.0));
    let performer = |id: &str| Some(vec![entity::footprint::hash_performer(id)]);
    for (selection, expected) in [
        (Selection { providers: Some(vec![copying.entry.slug.clone()]), ..all.clone() }, true),
        (Selection { providers: Some(vec!["other".to_owned()]), ..all.clone() }, false),
        (Selection { days: Some((day, day)), ..all.clone() }, true),
        (Selection { days: Some((day + 1, day + 1)), ..all.clone() }, false),
        (Selection { area: near(0.0, 179.9), ..all.clone() }, true),
        (Selection { area: near(90.0, -180.0), ..all.clone() }, false),
        (Selection { performers: performer("13"), ..all.clone() }, true),
        (Selection { performers: performer("99"), ..all.clone() }, false),
        (Selection { categories: Some(vec!["film".to_owned()]), ..all.clone() }, true),
        (Selection { categories: Some(vec!["music".to_owned()]), ..all }, false),
        (Selection::all_of(&[Scope::Concerts, Scope::Performers, Scope::Venues]), false),
    ] {
        assert_eq!(footprint.intersects(&selection), expected, "{selection:?}");
    }
}

async fn two_workers_handle_each_boundary_once(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let events: Vec<_> = (0..1_500).map(|id: u32| TimedEvent::new(&id.to_string(), (Some(10), Some(30)), 50)).collect();
    copy(&copying, &events).await;
    pass(&copying.database, 40 * MINUTE).await;
    let mut workers = Vec::new();
    for _ in 0..2 {
        let connection = database.connect(ConnectionRole::Worker).await;
        workers.push(tokio::spawn(async move {
            // Each skips the provider while the other one has locked it.
            while boundary::find_lag(&connection).await.unwrap().is_some() {
                boundary::handle_batch(&connection, &mut BTreeSet::new()).await.unwrap();
            }
        }));
    }
    for worker in workers {
        in_time("the worker", worker).await.unwrap();
    }
    let log = read_log(&copying.database).await;
    assert_eq!((log.len(), log.iter().collect::<BTreeSet<_>>().len()), (3_000, 3_000));
}

/// Sales begin in real time, while each sync changes all titles.
async fn syncs_at_the_same_time_lose_and_repeat_nothing(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let now = database_now(&copying.database).await.unwrap();
    let first = now + Duration::from_secs(3);
    let last = first + 40 * Duration::from_millis(100);
    let document = |title: &str| {
        let events = (0..40).map(|id| {
            let from = format_local(first + id * Duration::from_millis(100));
            format!("<event event_id=\"{id}\" event_date=\"2031-07-01\" sell_from=\"{from}\"/>")
        });
        feed(&[base_event("1", "online", title, &events.collect::<Vec<_>>())])
    };
    copying.accept(document("Show 0")).await;
    assert!(database_now(&copying.database).await.unwrap() < first, "too slow");
    let connection = database.connect(ConnectionRole::Worker).await;
    let worker = tokio::spawn(async move {
        while database_now(&connection).await.unwrap() < last || boundary::find_lag(&connection).await.unwrap().is_some() {
            boundary::handle_batch(&connection, &mut BTreeSet::new()).await.unwrap();
        }
    });
    let mut syncs = 0;
    while !worker.is_finished() {
        syncs += 1;
        // Another title and other prices: every row is written.
        let zone = format!("<zone zone_id=\"1\" name=\"Floor\" price=\"{syncs}.00\"/></event>");
        copying.accept(document(&format!("Show {syncs}")).replace("\"/>", &format!("\">{zone}"))).await;
    }
    worker.await.unwrap();
    assert!(syncs > 5, "{syncs}");
    let expected: Vec<String> = (0..40).map(|id| format!("{id} on_sale: not_yet -> on_sale")).collect();
    assert_eq!(read_log(&copying.database).await, expected);
}

async fn a_sync_does_not_skip_a_boundary_that_was_not_handled(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let now = database_now(&copying.database).await.unwrap();
    let document = |title: &str, price: &str| {
        let from = format_local(now - MINUTE);
        let zone = format!("<zone zone_id=\"1\" name=\"Floor\" price=\"{price}\"/>");
        let event = format!("<event event_id=\"1\" event_date=\"2031-07-01\" sell_from=\"{from}\">{zone}</event>");
        feed(&[base_event("1", "online", title, &[event])])
    };
    copying.accept(document("Show", "5.00")).await;
    let event = copying.event("1").await;
    assert_eq!(event.next_boundary_at, Some(event.ends_at), "the sale had begun");
    let unhandled = event::ActiveModel { next_boundary_at: Set(event.sale_starts_at), ..event.into_active_model() };
    unhandled.update(&copying.database).await.unwrap();
    copying.accept(document("New title", "6.00")).await;
    handle_all(&copying.database).await;
    copying.accept(document("Newer title", "7.00")).await;
    handle_all(&copying.database).await;
    assert_eq!(read_log(&copying.database).await, ["1 on_sale: not_yet -> on_sale"]);
}

async fn a_job_is_enqueued_once_when_something_is_due(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copy(&copying, &[TimedEvent::new("1", (Some(10), None), 50)]).await;
    let database = &copying.database;
    let enqueue = async |tick| BoundaryJob::enqueue_if_due(database, UtcInstant(tick)).await.unwrap();
    assert_eq!(enqueue(1).await, None, "nothing is due");
    pass(database, 20 * MINUTE).await;
    let first = enqueue(2).await.unwrap();
    assert_eq!((enqueue(2).await, enqueue(3).await), (None, None), "it is waiting");
    let claim = queue::claim(database, &[BoundaryJob::KIND], "w", LEASE).await.unwrap().unwrap();
    assert_eq!(claim.id, first);
    assert!(enqueue(3).await.is_some(), "the running job may have read before");
    assert!(queue::claim(database, &[BoundaryJob::KIND], "v", LEASE).await.unwrap().is_none(), "one at a time");
    queue::finish(database, &claim).await.unwrap();
    handle_all(database).await;
    assert_eq!(enqueue(4).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boundary_does_not_wait_for_a_sync() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let copying = Copying::new(&database).await;
    copy(&copying, &[TimedEvent::new("1", (Some(10), None), 50)]).await;
    pass(&copying.database, 20 * MINUTE).await;
    let sync = begin_write(&copying.database).await.unwrap();
    entity::provider::Entity::find().lock_exclusive().one(&sync).await.unwrap();
    let mut busy = BTreeSet::new();
    let is_more = in_time("the batch", boundary::handle_batch(&copying.database, &mut busy)).await.unwrap();
    assert_eq!((is_more, busy.len()), (false, 1));
    assert!(read_log(&copying.database).await.is_empty());
    sync.commit().await.unwrap();
    handle_all(&copying.database).await;
    assert_eq!(read_log(&copying.database).await, ["1 on_sale: not_yet -> on_sale"]);
    database.remove().await;
}
