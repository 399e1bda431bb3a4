//! Order and pages: a list is the same, whole or in pages of any size.

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
    catalogue::{Catalogue, NewEvent, instant},
    service::Service,
};

on_every_backend!(
    the_order_is_by_start_and_then_by_id,
    pages_of_any_size_give_the_whole_list,
    the_link_keeps_the_range_and_the_limit,
    the_limit_may_change_on_the_way,
    a_page_that_ends_with_the_list_has_no_link,
    a_cursor_of_another_search_is_refused,
    a_cursor_goes_with_its_range_however_that_is_written,
    what_is_no_cursor_is_refused,
    a_page_goes_on_behind_an_event_that_is_no_longer_there,
    links_of_a_range_at_the_edge_of_time_work,
);

const CASES: u32 = 24;

async fn the_order_is_by_start_and_then_by_id(database: Arc<TestDatabase>) {
    let ids = [0xff00_u128 << 112, 1, 0x80 << 120, 2, u128::MAX, 0x7f << 120];
    let mut events: Vec<NewEvent> =
        ids.iter().enumerate().map(|(number, id)| NewEvent::titled(&format!("{number}")).id(Uuid::from_u128(*id))).collect();
    events.push(NewEvent::titled("later").starts("2021-02-10T20:00:00.000001").id(Uuid::nil()));
    let earlier = NewEvent::titled("earlier, and longer").starts("2021-02-10T19:59:59").ends("2022-01-01");
    events.push(earlier.id(Uuid::from_u128(u128::MAX - 1)));
    Catalogue::of(&database).await.insert(events).await;

    let titles = Service::on(&database).await.get("/search").await.titles();

    assert_eq!(titles, ["earlier, and longer", "1", "3", "5", "2", "0", "4", "later"]);
}

async fn pages_of_any_size_give_the_whole_list(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    let service = Service::on(&database).await;
    // Few different starts, so that many are equal; ids in no order; some hidden; some too long for the range.
    let event = (0_i64..6, any::<u128>(), 0_i64..3, prop::bool::weighted(0.9));
    let catalogues = (vec(event, 0..24), prop::option::of(0_i64..6), prop::option::of(3_i64..8));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };

    block_in_place(|| {
        TestRunner::new(config).run(&catalogues, |(events, starts_at, ends_at)| {
            Handle::current().block_on(async {
                catalogue.clear().await;
                catalogue.insert(events.iter().map(random_event)).await;
                let query = range(starts_at, ends_at.map(|end| end.max(starts_at.unwrap_or(0))));
                assert_pages_give_the_whole(&service, &query).await;
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
        row.local_start = api::query::to_rfc3339(row.starts_at).trim_end_matches('Z').to_owned();
    });
    if *shown { event } else { event.hidden() }
}

fn range(starts_at: Option<i64>, ends_at: Option<i64>) -> String {
    let bound = |name: &str, second: i64| format!("{name}=1970-01-01T00:00:{second:02}Z");
    let bounds = [starts_at.map(|second| bound("starts_at", second)), ends_at.map(|second| bound("ends_at", second))];
    bounds.into_iter().flatten().collect::<Vec<_>>().join("&")
}

async fn assert_pages_give_the_whole(service: &Service, query: &str) {
    let whole = service.get(&format!("/search?{query}")).await;
    assert_eq!(whole.next(), None);
    let whole = whole.titles();
    for size in [1, 2, 3, 5, whole.len(), whole.len() + 1] {
        let size = size.max(1);
        let mut seen: Vec<String> = Vec::new();
        let mut next = Some(format!("/search?{query}&limit={size}"));
        while let Some(uri) = next {
            let page = service.get(&uri).await;
            next = page.next();
            let titles = page.titles();
            assert!(titles.len() <= size);
            assert_eq!(next.is_some(), seen.len() + titles.len() < whole.len(), "a link is there while there is more");
            assert!(next.is_none() || titles.len() == size, "only the last page may be short");
            seen.extend(titles);
        }
        assert_eq!(seen, whole, "pages of {size}, {query}");
    }
}

async fn three_days(database: &TestDatabase) -> Service {
    let events = ["2021-02-01", "2021-02-02", "2021-02-03"].map(|day| NewEvent::titled(day).starts(day));
    Catalogue::of(database).await.insert(events).await;
    Service::on(database).await
}

async fn the_link_keeps_the_range_and_the_limit(database: Arc<TestDatabase>) {
    let service = three_days(&database).await;

    let first = service.get("/search?limit=1&ends_at=2021-02-03&starts_at=2021-02-01T01:00:00%2B01:00").await;
    let next = first.next().unwrap();

    let known = "/search?starts_at=2021-02-01T00%3A00%3A00Z&ends_at=2021-02-03T23%3A59%3A59.999999Z&limit=1&cursor=";
    assert_eq!(&next[..known.len()], known);
    assert_eq!(first.titles(), ["2021-02-01"]);
    assert_eq!(service.get(&next).await.titles(), ["2021-02-02"]);
}

async fn the_limit_may_change_on_the_way(database: Arc<TestDatabase>) {
    let service = three_days(&database).await;

    let next = service.get("/search?limit=1").await.next().unwrap();
    let rest = service.get(&next.replace("limit=1&", "limit=2&")).await;
    assert_eq!(rest.titles(), ["2021-02-02", "2021-02-03"]);
    assert_eq!(rest.next(), None);
    let all = service.get(&next.replace("limit=1&", "")).await;
    assert_eq!(all.titles(), ["2021-02-02", "2021-02-03"]);
}

async fn a_page_that_ends_with_the_list_has_no_link(database: Arc<TestDatabase>) {
    let service = three_days(&database).await;

    for (query, rows, more) in [("limit=2", 2, true), ("limit=3", 3, false), ("limit=4", 3, false), ("limit=50000", 3, false)] {
        let page = service.get(&format!("/search?{query}")).await;
        assert_eq!((page.titles().len(), page.next().is_some()), (rows, more), "{query}");
    }
    let range = service.get("/search?limit=1&starts_at=2021-02-03").await;
    assert_eq!((range.titles().len(), range.next()), (1, None));
}

async fn a_cursor_of_another_search_is_refused(database: Arc<TestDatabase>) {
    let service = three_days(&database).await;
    let next = service.get("/search?limit=1&starts_at=2021-02-01").await.next().unwrap();
    let cursor = next.split_once("cursor=").unwrap().1;

    for other in ["", "starts_at=2021-02-02&", "ends_at=2021-02-01&", "starts_at=2021-02-01&ends_at=2021-02-03&"] {
        let refused = service.get(&format!("/search?{other}cursor={cursor}")).await;
        let expected = ("cursor".to_owned(), "belongs to a list with other filters".to_owned());
        assert_eq!(refused.mistakes(), [expected], "{other}");
    }
}

async fn a_cursor_goes_with_its_range_however_that_is_written(database: Arc<TestDatabase>) {
    let service = three_days(&database).await;
    let next = service.get("/search?limit=1&starts_at=2021-02-01").await.next().unwrap();
    let cursor = next.split_once("cursor=").unwrap().1;

    for same in ["2021-02-01", "2021-02-01T00:00:00", "2021-02-01T00:00:00.0Z", "2021-01-31T23:00:00-01:00"] {
        let page = service.get(&format!("/search?cursor={cursor}&starts_at={same}")).await;
        assert_eq!(page.titles(), ["2021-02-02", "2021-02-03"], "{same}");
    }
}

async fn what_is_no_cursor_is_refused(database: Arc<TestDatabase>) {
    let service = three_days(&database).await;
    let next = service.get("/search?limit=1").await.next().unwrap();
    let cursor = next.split_once("cursor=").unwrap().1;

    let shorter = &cursor[..cursor.len() - 1];
    let longer = format!("{cursor}A");
    for no_cursor in ["", "x", "1", "%01", "%FF%FE", "null", "....", shorter, &longer, &format!("{cursor}%3D")] {
        let mistakes = service.get(&format!("/search?cursor={no_cursor}")).await.mistakes();
        let expected = ("cursor".to_owned(), "is no cursor of ours: take it from the Link header of the page before".to_owned());
        assert_eq!(mistakes, [expected], "{no_cursor}");
    }
}

async fn a_page_goes_on_behind_an_event_that_is_no_longer_there(database: Arc<TestDatabase>) {
    let service = three_days(&database).await;
    let next = service.get("/search?limit=2").await.next().unwrap();

    let catalogue = Catalogue::of(&database).await;
    catalogue.clear().await;
    catalogue.insert(["2021-02-01", "2021-02-03"].map(|day| NewEvent::titled(day).starts(day))).await;

    assert_eq!(service.get(&next).await.titles(), ["2021-02-03"]);
}

async fn links_of_a_range_at_the_edge_of_time_work(database: Arc<TestDatabase>) {
    let service = three_days(&database).await;

    for query in ["ends_at=9999-12-31", "ends_at=9999-12-31T23:59:59.999999999Z", "starts_at=0000-01-01"] {
        let next = service.get(&format!("/search?limit=1&{query}")).await.next().unwrap();
        assert_eq!(service.get(&next).await.titles(), ["2021-02-02"], "{query}");
    }
    // What no link could write is refused at once.
    for (parameter, value) in [("ends_at", "9999-12-31T23:59:59-01:00"), ("starts_at", "0000-01-01T00:00:00%2B01:00")] {
        let mistakes = service.get(&format!("/search?{parameter}={value}")).await.mistakes();
        assert_eq!(mistakes, [(parameter.to_owned(), "in UTC this lies outside the years 0000 to 9999".to_owned())]);
    }
}

/// On one database: what is tested is the bound of the list, and 50,001 rows take a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_a_limit_is_whole_up_to_50_000_rows() {
    assert_eq!(MAX_ROWS, 50_000);
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let catalogue = Catalogue::of(&database).await;
    let numbered = |number: u64| NewEvent::titled(&number.to_string()).id(Uuid::from_u128(u128::from(number)));
    catalogue.insert((0..MAX_ROWS).map(numbered)).await;
    let service = Service::on(&database).await;

    let whole = service.get("/search").await;
    assert_eq!(whole.next(), None);
    assert_eq!(whole.titles().len(), 50_000);

    catalogue.insert([NewEvent::titled("the last").with(|row| row.starts_at = instant("2021-02-11"))]).await;
    let first = service.get("/search").await;
    let next = first.next().unwrap();
    assert_eq!(first.titles(), whole.titles());
    let second = service.get(&next).await;
    assert_eq!(second.titles(), ["the last"]);
    assert_eq!(second.next(), None);
    let largest = service.get("/search?limit=50000").await;
    assert_eq!((largest.titles().len(), largest.next().is_some()), (50_000, true));
}
