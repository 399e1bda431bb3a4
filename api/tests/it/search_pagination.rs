//! Order and pages of searches.

use std::sync::Arc;

use api::query::MAX_ROWS;
use entity::UtcInstant;
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sea_orm::prelude::Uuid;
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    fixtures::{CatalogueFixture, NewEvent, instant},
    test_app::TestApp,
};

on_every_backend!(
    events_are_ordered_by_start_then_id,
    pages_of_any_size_add_up_to_the_whole_list,
    next_links_preserve_range_and_limit,
    limit_may_change_between_pages,
    the_last_page_has_no_next_link,
    a_cursor_is_bound_to_its_filters,
    a_cursor_accepts_equivalent_filters,
    rejects_malformed_cursors,
    pagination_continues_after_a_deleted_event,
    next_links_work_at_the_limits_of_the_date_range,
);

const CASES: u32 = 24;

async fn events_are_ordered_by_start_then_id(database: Arc<TestDatabase>) {
    let ids = [0xff00_u128 << 112, 1, 0x80 << 120, 2, u128::MAX, 0x7f << 120];
    let mut events: Vec<NewEvent> =
        ids.iter().enumerate().map(|(number, id)| NewEvent::titled(&format!("{number}")).id(Uuid::from_u128(*id))).collect();
    events.push(NewEvent::titled("later").starts("2021-02-10T20:00:00.000001").id(Uuid::nil()));
    let earlier = NewEvent::titled("earlier, and longer").starts("2021-02-10T19:59:59").ends("2022-01-01");
    events.push(earlier.id(Uuid::from_u128(u128::MAX - 1)));
    CatalogueFixture::new(&database).await.insert(events).await;

    let titles = TestApp::new(&database).await.get("/search").await.titles();

    assert_eq!(titles, ["earlier, and longer", "1", "3", "5", "2", "0", "4", "later"]);
}

async fn pages_of_any_size_add_up_to_the_whole_list(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let app = TestApp::new(&database).await;
    // Few different starts, so that many are equal; random ids; some events are hidden or too long for the range.
    let event = (0_i64..6, any::<u128>(), 0_i64..3, prop::bool::weighted(0.9));
    let catalogues = (vec(event, 0..24), prop::option::of(0_i64..6), prop::option::of(3_i64..8));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };

    block_in_place(|| {
        TestRunner::new(config).run(&catalogues, |(events, starts_at, ends_at)| {
            Handle::current().block_on(async {
                catalogue.clear().await;
                catalogue.insert(events.iter().map(random_event)).await;
                let query = range_query(starts_at, ends_at.map(|end| end.max(starts_at.unwrap_or(0))));
                assert_pages_add_up(&app, &query).await;
            });
            Ok(())
        })
    })
    .unwrap();
}

fn random_event((start, id, length, shown): &(i64, u128, i64, bool)) -> NewEvent {
    let event = NewEvent::titled(&format!("{start} {id}")).id(Uuid::from_u128(*id)).with(|row| {
        row.starts_at = UtcInstant(start * 1_000_000);
        row.ends_at = UtcInstant((start + length) * 1_000_000);
        row.local_start = api::response::to_rfc3339(row.starts_at).trim_end_matches('Z').to_owned();
    });
    if *shown { event } else { event.hidden() }
}

fn range_query(starts_at: Option<i64>, ends_at: Option<i64>) -> String {
    let bound = |name: &str, second: i64| format!("{name}=1970-01-01T00:00:{second:02}Z");
    let bounds = [starts_at.map(|second| bound("starts_at", second)), ends_at.map(|second| bound("ends_at", second))];
    bounds.into_iter().flatten().collect::<Vec<_>>().join("&")
}

async fn assert_pages_add_up(app: &TestApp, query: &str) {
    let all = app.get(&format!("/search?{query}")).await;
    assert_eq!(all.next(), None);
    let all = all.titles();
    for size in [1, 2, 3, 5, all.len(), all.len() + 1] {
        let size = size.max(1);
        let mut seen: Vec<String> = Vec::new();
        for page in app.get_pages(&format!("/search?{query}&limit={size}")).await {
            let (titles, next) = (page.titles(), page.next());
            assert!(titles.len() <= size);
            assert_eq!(next.is_some(), seen.len() + titles.len() < all.len(), "a next link exists while events remain");
            assert!(next.is_none() || titles.len() == size, "only the last page may be short");
            seen.extend(titles);
        }
        assert_eq!(seen, all, "pages of {size}, {query}");
    }
}

async fn start_app_with_three_events(database: &TestDatabase) -> TestApp {
    let events = ["2021-02-01", "2021-02-02", "2021-02-03"].map(|day| NewEvent::titled(day).starts(day));
    CatalogueFixture::new(database).await.insert(events).await;
    TestApp::new(database).await
}

async fn next_links_preserve_range_and_limit(database: Arc<TestDatabase>) {
    let app = start_app_with_three_events(&database).await;

    let first = app.get("/search?limit=1&ends_at=2021-02-03&starts_at=2021-02-01T01:00:00%2B01:00").await;
    let next = first.next().unwrap();

    let expected = "/search?starts_at=2021-02-01T00%3A00%3A00Z&ends_at=2021-02-03T23%3A59%3A59.999999Z&limit=1&cursor=";
    assert_eq!(&next[..expected.len()], expected);
    assert_eq!(first.titles(), ["2021-02-01"]);
    assert_eq!(app.get(&next).await.titles(), ["2021-02-02"]);
}

async fn limit_may_change_between_pages(database: Arc<TestDatabase>) {
    let app = start_app_with_three_events(&database).await;

    let next = app.get("/search?limit=1").await.next().unwrap();
    let rest = app.get(&next.replace("limit=1&", "limit=2&")).await;
    assert_eq!(rest.titles(), ["2021-02-02", "2021-02-03"]);
    assert_eq!(rest.next(), None);
    let all = app.get(&next.replace("limit=1&", "")).await;
    assert_eq!(all.titles(), ["2021-02-02", "2021-02-03"]);
}

async fn the_last_page_has_no_next_link(database: Arc<TestDatabase>) {
    let app = start_app_with_three_events(&database).await;

    for (query, rows, has_next) in [("limit=2", 2, true), ("limit=3", 3, false), ("limit=4", 3, false), ("limit=50000", 3, false)]
    {
        let page = app.get(&format!("/search?{query}")).await;
        assert_eq!((page.titles().len(), page.next().is_some()), (rows, has_next), "{query}");
    }
    let range = app.get("/search?limit=1&starts_at=2021-02-03").await;
    assert_eq!((range.titles().len(), range.next()), (1, None));
}

async fn a_cursor_is_bound_to_its_filters(database: Arc<TestDatabase>) {
    let app = start_app_with_three_events(&database).await;
    let next = app.get("/search?limit=1&starts_at=2021-02-01").await.next().unwrap();
    let cursor = next.split_once("cursor=").unwrap().1;

    for other in ["", "starts_at=2021-02-02&", "ends_at=2021-02-01&", "starts_at=2021-02-01&ends_at=2021-02-03&"] {
        let rejected = app.get(&format!("/search?{other}cursor={cursor}")).await;
        let expected = ("cursor".to_owned(), "belongs to a request with other filters".to_owned());
        assert_eq!(rejected.validation_errors(), [expected], "{other}");
    }
}

async fn a_cursor_accepts_equivalent_filters(database: Arc<TestDatabase>) {
    let app = start_app_with_three_events(&database).await;
    let next = app.get("/search?limit=1&starts_at=2021-02-01").await.next().unwrap();
    let cursor = next.split_once("cursor=").unwrap().1;

    for same in ["2021-02-01", "2021-02-01T00:00:00", "2021-02-01T00:00:00.0Z", "2021-01-31T23:00:00-01:00"] {
        let page = app.get(&format!("/search?cursor={cursor}&starts_at={same}")).await;
        assert_eq!(page.titles(), ["2021-02-02", "2021-02-03"], "{same}");
    }
}

async fn rejects_malformed_cursors(database: Arc<TestDatabase>) {
    let app = start_app_with_three_events(&database).await;
    let next = app.get("/search?limit=1").await.next().unwrap();
    let cursor = next.split_once("cursor=").unwrap().1;

    let shorter = &cursor[..cursor.len() - 1];
    let longer = format!("{cursor}A");
    for cursor in ["x", "1", "%01", "null", "....", shorter, &longer, &format!("{cursor}%3D")] {
        let errors = app.get(&format!("/search?cursor={cursor}")).await.validation_errors();
        let expected = "must be a cursor from the `Link` header of a previous page, got `";
        assert!(errors.len() == 1 && errors[0].0 == "cursor" && errors[0].1.starts_with(expected), "{errors:?}");
    }
}

async fn pagination_continues_after_a_deleted_event(database: Arc<TestDatabase>) {
    let app = start_app_with_three_events(&database).await;
    let next = app.get("/search?limit=2").await.next().unwrap();

    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.clear().await;
    catalogue.insert(["2021-02-01", "2021-02-03"].map(|day| NewEvent::titled(day).starts(day))).await;

    assert_eq!(app.get(&next).await.titles(), ["2021-02-03"]);
}

async fn next_links_work_at_the_limits_of_the_date_range(database: Arc<TestDatabase>) {
    let app = start_app_with_three_events(&database).await;

    for query in ["ends_at=9999-12-31", "ends_at=9999-12-31T23:59:59.999999999Z", "starts_at=0000-01-01"] {
        let next = app.get(&format!("/search?limit=1&{query}")).await.next().unwrap();
        assert_eq!(app.get(&next).await.titles(), ["2021-02-02"], "{query}");
    }
    // Instants that a link could not express are rejected.
    for (parameter, value) in [("ends_at", "9999-12-31T23:59:59-01:00"), ("starts_at", "0000-01-01T00:00:00%2B01:00")] {
        let errors = app.get(&format!("/search?{parameter}={value}")).await.validation_errors();
        let expected = format!("must be within the years 0000 to 9999 in UTC, got `{}`", value.replace("%2B", "+"));
        assert_eq!(errors, [(parameter.to_owned(), expected)]);
    }
}

/// On SQLite only, because inserting 50,001 rows is slow.
#[tokio::test(flavor = "multi_thread")]
async fn lists_without_a_limit_are_complete_up_to_50_000_rows() {
    assert_eq!(MAX_ROWS, 50_000);
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let catalogue = CatalogueFixture::new(&database).await;
    let numbered = |number: u64| NewEvent::titled(&number.to_string()).id(Uuid::from_u128(u128::from(number)));
    catalogue.insert((0..MAX_ROWS).map(numbered)).await;
    let app = TestApp::new(&database).await;

    let all = app.get_with_retries("/search").await;
    assert_eq!(all.next(), None);
    assert_eq!(all.titles().len(), 50_000);

    catalogue.insert([NewEvent::titled("the last").with(|row| row.starts_at = instant("2021-02-11"))]).await;
    let first = app.get_with_retries("/search").await;
    let next = first.next().unwrap();
    assert_eq!(first.titles(), all.titles());
    let second = app.get_with_retries(&next).await;
    assert_eq!(second.titles(), ["the last"]);
    assert_eq!(second.next(), None);
    let largest = app.get_with_retries("/search?limit=50000").await;
    assert_eq!((largest.titles().len(), largest.next().is_some()), (50_000, true));
}
