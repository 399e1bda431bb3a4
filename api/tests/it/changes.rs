//! `GET /changes`.

use std::sync::Arc;

use api::{
    query::Cursor,
    resources::changes::{ChangePosition, LOG},
};
use entity::{
    UtcInstant, catalogue_version,
    change::{self, ChangeKind, NewChange},
    change_retention, provider, release,
};
use futures_util::future::join_all;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, prelude::Uuid};
use serde_json::{Value, json};

use crate::{
    fixtures::CatalogueFixture,
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    returns_every_field_of_a_change,
    pages_add_up_to_the_whole_log,
    the_position_advances_without_matching_changes,
    no_change_is_missed_while_others_are_committed,
    filters_by_kind_and_provider,
    changes_of_an_incomplete_first_load_do_not_exist,
    a_cursor_before_removed_changes_of_its_kinds_is_410,
    a_cursor_of_another_history_is_410,
    responses_have_validators_and_are_not_cached,
    invalid_parameters_of_changes_are_reported,
);

const EVENT: Uuid = Uuid::from_u128(0xc4a6_26ff_9f25_5533_a0a8_2b67_472b_5ee3);
const NOTHING: &str = "{}";

/// A cursor with any content.
pub(crate) fn cursor(version: i64, ordinal: i32, at: UtcInstant) -> String {
    Cursor::new(ChangePosition { version, ordinal, at: at.0 }, LOG).encode()
}

pub(crate) fn next(page: &TestResponse) -> String {
    page.json()["meta"]["next"].as_str().unwrap().to_owned()
}

/// The event of each change of a page, as a number.
pub(crate) fn events(page: &TestResponse) -> Vec<u128> {
    let page = page.json();
    let changes = page["data"]["changes"].as_array().unwrap();
    changes.iter().map(|change| change["event_id"].as_str().unwrap().parse::<Uuid>().unwrap().as_u128()).collect()
}

/// Changes of the events with these numbers.
async fn changes_of(catalogue: &CatalogueFixture, kind: ChangeKind, provider: &str, events: &[u128]) -> Vec<NewChange> {
    let mut changes = Vec::new();
    for event in events {
        changes.push(catalogue.change(kind, provider, Uuid::from_u128(*event), NOTHING).await);
    }
    changes
}

async fn release_of(catalogue: &CatalogueFixture, kind: ChangeKind, provider: &str, events: &[u128]) -> release::Model {
    catalogue.release(changes_of(catalogue, kind, provider, events).await).await
}

async fn returns_every_field_of_a_change(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let changed = json!({
        "performers": { "old": ["Pantomima Full"], "new": [] },
        "min_price": { "old": null, "new": 27.5 },
        "sold_out": { "old": false, "new": true },
    });
    let change = catalogue.change(ChangeKind::SoldOut, "fever", EVENT, &changed.to_string()).await;
    let release = catalogue.release(vec![change]).await;

    let page = TestApp::new(&database).await.get("/changes").await.json();

    let expected = json!({
        "data": { "changes": [{
            "cursor": cursor(release.version, 0, release.raised_at),
            "at": api::response::to_rfc3339(release.raised_at),
            "kind": "sold_out",
            "event_id": EVENT.to_string(),
            "provider": "fever",
            "changed": changed,
        }] },
        "meta": { "next": cursor(release.version, i32::MAX, release.raised_at), "has_more": false },
        "error": null,
    });
    assert_eq!(page, expected);
}

async fn pages_add_up_to_the_whole_log(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let all: Vec<u128> = (1..=7).collect();
    // Some pages end within a release, and some at its end.
    for events in [&all[..3], &all[3..4], &all[4..]] {
        release_of(&catalogue, ChangeKind::Updated, "fever", events).await;
    }
    let app = TestApp::new(&database).await;
    for limit in [1, 2, 3, 7, 1_000] {
        let (mut after, mut found) = (String::new(), Vec::new());
        while found.len() < all.len() {
            let page = app.get(&format!("/changes?limit={limit}&after={after}")).await;
            assert!((1..=limit).contains(&events(&page).len()), "limit {limit}");
            found.extend(events(&page));
            after = next(&page);
        }
        assert_eq!(found, all, "limit {limit}");
        assert!(events(&app.get(&format!("/changes?after={after}")).await).is_empty());
    }
    let page = app.get("/changes").await.json();
    for (position, change) in page["data"]["changes"].as_array().unwrap().iter().enumerate() {
        let cursor = change["cursor"].as_str().unwrap();
        assert_eq!(events(&app.get(&format!("/changes?after={cursor}")).await), all[position + 1..]);
    }
}

async fn the_position_advances_without_matching_changes(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let app = TestApp::new(&database).await;
    let start = next(&app.get("/changes").await);
    release_of(&catalogue, ChangeKind::Updated, "fever", &[1]).await;
    let page = app.get(&format!("/changes?kind=left&after={start}")).await;
    assert!(events(&page).is_empty());
    let moved = next(&page);
    assert_ne!(moved, start);
    // A version without changes.
    catalogue.release(Vec::new()).await;
    let moved = next(&app.get(&format!("/changes?after={moved}")).await);
    release_of(&catalogue, ChangeKind::Left, "fever", &[2]).await;
    assert_eq!(events(&app.get(&format!("/changes?after={moved}")).await), [2]);
    assert_eq!(events(&app.get(&format!("/changes?kind=left&after={start}")).await), [2]);
    assert_eq!(events(&app.get(&format!("/changes?after={start}")).await), [1, 2]);
}

async fn no_change_is_missed_while_others_are_committed(database: Arc<TestDatabase>) {
    const WRITERS: u128 = 4;
    const RELEASES: u128 = 25;
    let catalogue = Arc::new(CatalogueFixture::new(&database).await);
    catalogue.insert_provider("fever", "EUR", 2).await;
    let app = TestApp::new(&database).await;
    let write = |writer: u128| {
        let catalogue = catalogue.clone();
        async move {
            for event in writer * RELEASES..(writer + 1) * RELEASES {
                release_of(&catalogue, ChangeKind::Created, "fever", &[2 * event, 2 * event + 1]).await;
            }
        }
    };
    let writers = tokio::spawn(join_all((0..WRITERS).map(write)));
    let (mut after, mut found) = (String::new(), Vec::new());
    loop {
        let are_written = writers.is_finished();
        let page = app.get(&format!("/changes?limit=3&after={after}")).await;
        if are_written && events(&page).is_empty() {
            break;
        }
        found.extend(events(&page));
        after = next(&page);
    }
    writers.await.unwrap();
    let logged = change::Entity::find().all(&catalogue.database).await.unwrap();
    let mut logged: Vec<_> = logged.into_iter().map(|row| (row.version, row.ordinal, row.event_id.as_u128())).collect();
    logged.sort_unstable();
    assert_eq!(found, logged.into_iter().map(|(.., event)| event).collect::<Vec<_>>());
    assert_eq!(found.len() as u128, 2 * WRITERS * RELEASES);
}

async fn filters_by_kind_and_provider(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let mut changes = Vec::new();
    for (kind, provider, event) in [
        (ChangeKind::Created, "fever", 1),
        (ChangeKind::Updated, "fever", 2),
        (ChangeKind::Left, "other", 3),
        (ChangeKind::Updated, "other", 4),
        (ChangeKind::Created, "third", 5),
    ] {
        changes.extend(changes_of(&catalogue, kind, provider, &[event]).await);
    }
    catalogue.release(changes).await;
    let app = TestApp::new(&database).await;
    let all_kinds = ChangeKind::ALL.map(ChangeKind::name).join(",");
    for (query, expected) in [
        ("kind=created", &[1_u128, 5][..]),
        ("kind=created,left", &[1, 3, 5]),
        ("kind=left&kind=updated", &[2, 3, 4]),
        ("kind=updated,updated&kind=updated", &[2, 4]),
        (&format!("kind={all_kinds}"), &[1, 2, 3, 4, 5]),
        ("kind=", &[1, 2, 3, 4, 5]),
        ("kind=postponed", &[]),
        ("provider=fever", &[1, 2]),
        ("provider=other,fever", &[1, 2, 3, 4]),
        ("provider=fever&provider=other&provider=third", &[1, 2, 3, 4, 5]),
        ("provider=unknown", &[]),
        ("provider=unknown,third", &[5]),
        ("provider=fever,other&kind=updated", &[2, 4]),
        ("provider=fever,other&kind=updated&limit=1", &[2]),
        ("provider=third&kind=left,created", &[5]),
    ] {
        assert_eq!(events(&app.get(&format!("/changes?{query}")).await), expected, "{query}");
    }
}

async fn changes_of_an_incomplete_first_load_do_not_exist(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    release_of(&catalogue, ChangeKind::Created, "fever", &[1]).await;
    release_of(&catalogue, ChangeKind::Created, "loading", &[2]).await;
    let app = TestApp::new(&database).await;
    for (since, expected) in [(Some(UtcInstant(1)), &[1_u128][..]), (None, &[1, 2])] {
        provider::Entity::update_many()
            .col_expr(provider::Column::LoadingSince, since.into())
            .filter(provider::COLUMN.slug.eq("loading"))
            .exec(&catalogue.database)
            .await
            .unwrap();
        for query in ["", "?kind=created", "?provider=fever,loading"] {
            assert_eq!(events(&app.get(&format!("/changes{query}")).await), expected, "{query}");
        }
    }
}

async fn a_cursor_before_removed_changes_of_its_kinds_is_410(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let app = TestApp::new(&database).await;
    let start = next(&app.get("/changes").await);
    let created = release_of(&catalogue, ChangeKind::Created, "fever", &[1]).await;
    let updated = release_of(&catalogue, ChangeKind::Updated, "fever", &[2, 3]).await;
    let last = release_of(&catalogue, ChangeKind::Updated, "fever", &[4]).await;
    let remove = async |count| {
        let transaction = entity::begin_write(&catalogue.database).await.unwrap();
        let before = UtcInstant(updated.raised_at.0 + 1);
        let removed = change_retention::remove_oldest(&transaction, ChangeKind::Updated, before, count).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(removed, count);
    };
    remove(1).await;
    let at_removed = cursor(updated.version, 0, updated.raised_at);
    let end_of_removed = cursor(updated.version, i32::MAX, updated.raised_at);
    for query in ["", "&kind=updated", "&kind=created,updated", "&provider=other"] {
        for after in [&start, &cursor(created.version, 0, created.raised_at), &at_removed] {
            let problem = app.get(&format!("/changes?after={after}{query}")).await.problem(410, "cursor_expired");
            assert!(problem["detail"].as_str().unwrap().contains("`/events.ndjson`"));
        }
        let page = app.get(&format!("/changes?after={end_of_removed}{query}")).await;
        assert_eq!(events(&page), if query == "&provider=other" { &[][..] } else { &[4] });
    }
    assert_eq!(events(&app.get(&format!("/changes?kind=created,left&after={start}")).await), [1], "other kinds are complete");
    assert_eq!(events(&app.get("/changes").await), [1, 3, 4], "without a cursor, the log begins at its oldest change");
    remove(1).await;
    let end = cursor(last.version, i32::MAX, last.raised_at);
    assert_eq!(app.get(&format!("/changes?after={end}")).await.status, 200);
}

async fn a_cursor_of_another_history_is_410(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let first = release_of(&catalogue, ChangeKind::Created, "fever", &[1]).await;
    let empty = catalogue.release(Vec::new()).await;
    let last = release_of(&catalogue, ChangeKind::Created, "fever", &[2]).await;
    let app = TestApp::new(&database).await;
    let status = async |version, at: UtcInstant| {
        let response = app.get(&format!("/changes?after={}", cursor(version, 0, at))).await;
        if response.status == 410 {
            response.problem(410, "cursor_expired");
        }
        response.status.as_u16()
    };
    let other = |at: UtcInstant| UtcInstant(at.0 - 1);
    assert_eq!(status(last.version + 1, last.raised_at).await, 410, "a later version");
    for release in [&first, &empty, &last] {
        assert_eq!(status(release.version, release.raised_at).await, 200);
        assert_eq!(status(release.version, other(release.raised_at)).await, 410, "another instant");
    }
    // After a week, releases are deleted.
    release::Entity::delete_many().exec(&catalogue.database).await.unwrap();
    for release in [&first, &last] {
        assert_eq!(status(release.version, other(release.raised_at)).await, 410, "a different instant from its changes");
    }
    assert_eq!(status(empty.version, other(empty.raised_at)).await, 200, "nothing is stored of this version");
    let current = catalogue_version::fetch(&catalogue.database).await.unwrap();
    change::Entity::delete_many().filter(change::Column::Version.eq(current.version)).exec(&catalogue.database).await.unwrap();
    assert_eq!(status(last.version, other(last.raised_at)).await, 410, "a different instant from the version");
}

async fn responses_have_validators_and_are_not_cached(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    release_of(&catalogue, ChangeKind::Created, "fever", &[1]).await;
    let app = TestApp::new(&database).await;
    let page = app.get("/changes").await;
    assert_eq!(page.header("cache-status"), None);
    let etag = page.header("etag").unwrap();
    assert_eq!(app.send(Method::GET, "/changes", &[("if-none-match", etag)]).await.status, 304);
    let head = app.send(Method::HEAD, "/changes", &[]).await;
    assert_eq!((head.status.as_u16(), head.header("etag"), head.body.len()), (200, Some(etag), 0));
    let zipped = app.send(Method::GET, "/changes", &[("accept-encoding", "gzip")]).await;
    assert_eq!(zipped.decoded(), page.body);
    release_of(&catalogue, ChangeKind::Created, "fever", &[2]).await;
    assert_eq!(app.send(Method::GET, "/changes", &[("if-none-match", etag)]).await.status, 200);
}

async fn invalid_parameters_of_changes_are_reported(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let of_search = Cursor::new((0_i64, Uuid::nil()), "/search").encode();
    let of_list = Cursor::new(json!({"version": 0, "ordinal": 0, "at": 0}), "/search").encode();
    let slugs: Vec<String> = (0..=20).map(|number| format!("p{number}")).collect();
    for (query, parameter, message) in [
        ("kind=deleted", "kind", "must be kinds of changes: created, left, "),
        ("kind=created,,left", "kind", "must be kinds of changes: "),
        ("provider=Fever", "provider", "must be the slug of a provider as in `/providers`, got `Fever`"),
        ("provider=a,", "provider", "must be the slug of a provider as in `/providers`, got ``"),
        (&format!("provider={}", slugs.join(",")), "provider", "must have at most 20 slugs, got 21"),
        ("limit=1001", "limit", "must be an integer between 1 and 1000, got `1001`"),
        ("after=x", "after", "must be a cursor of `/changes` or `/events.ndjson`, got `x`"),
        (&format!("after={of_search}"), "after", "must be a cursor of `/changes` or `/events.ndjson`, got "),
        (&format!("after={of_list}"), "after", "must be a cursor of `/changes` or `/events.ndjson`, got "),
        ("cursor=x", "cursor", "is not a known parameter"),
    ] {
        let errors = app.get(&format!("/changes?{query}")).await.validation_errors();
        assert!(errors.len() == 1 && errors[0].0 == parameter && errors[0].1.starts_with(message), "{query}: {errors:?}");
    }
    let empty: Value = app.get("/changes?provider=p1&kind=left").await.json();
    assert_eq!(empty["data"], json!({ "changes": [] }));
}
