//! Batches that come and go at the same time on the same routes: none waits in a circle, no sum is lost, and no reader sees a part of one.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use api::State;
use entity::ConnectionRole;
use futures_util::future::join_all;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use proptest::{
    prelude::{Strategy, any},
    strategy::ValueTree,
    test_runner::TestRunner,
};

use super::{BATCHES, Prices, assert_recounted, bring_in, put_places, rates, send};
use crate::service::Service;

on_every_backend!(
    eight_batches_on_the_same_routes_are_all_in,
    batches_that_come_and_go_leave_the_sums_of_what_is_there,
    no_reader_sees_half_a_batch,
    one_batch_too_many_is_refused_at_once,
);

const CODES: [&str; 4] = ["AAAAA", "BBBBB", "CCCCC", "DDDDD"];

async fn service_with_places(database: &TestDatabase) -> Arc<Service> {
    let service = Service::on(database).await;
    put_places(&service, &[("all", "")], &CODES.map(|code| (code, "all"))).await;
    Arc::new(service)
}

/// All routes on ten days, in an order of its own.
fn everywhere(seed: usize) -> Prices {
    let mut lines: Vec<(usize, usize, usize)> =
        (0..4).flat_map(|orig| (0..4).flat_map(move |dest| (1..=10).map(move |day| (orig, dest, day)))).collect();
    let length = lines.len();
    lines.rotate_left(seed * 37 % length);
    if seed % 2 == 1 {
        lines.reverse();
    }
    let add = |prices: Prices, (orig, dest, day): (usize, usize, usize)| {
        prices.add(CODES[orig], CODES[dest], &format!("2021-01-{day:02}"), &format!("{seed}.5"))
    };
    lines.into_iter().fold(Prices::default(), add)
}

async fn eight_batches_on_the_same_routes_are_all_in(database: Arc<TestDatabase>) {
    let service = service_with_places(&database).await;
    for _ in 0..4 {
        let sent = (0..8).map(|seed| {
            let service = service.clone();
            tokio::spawn(async move { send(&service, &everywhere(seed), &[]).await })
        });
        for answer in join_all(sent).await {
            let answer = answer.unwrap();
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
    }
    assert_eq!(assert_recounted(&database).await, 4 * 8 * 160);
    let day = rates(&service, ("all", "all"), ("2021-01-05", "2021-01-05")).await;
    assert_eq!(day, [("2021-01-05".to_owned(), 4 * 8 * 16, Some(4.0))]);
}

async fn batches_that_come_and_go_leave_the_sums_of_what_is_there(database: Arc<TestDatabase>) {
    let service = service_with_places(&database).await;
    let line = (0..4_usize, 0..4_usize, 1..=3_u32, 0..10_000_u32);
    let batch = (proptest::collection::vec(line, 1..40), any::<bool>());
    let batches = proptest::collection::vec(batch, 2..7);
    // Each client brings its batches in one after the other, and takes some of them back; all clients at once.
    let clients = proptest::collection::vec(batches, 2..6);
    let mut runner = TestRunner::default();
    for _ in 0..6 {
        let clients = clients.new_tree(&mut runner).unwrap().current();
        let work = clients.clone().into_iter().map(|batches| {
            let service = service.clone();
            tokio::spawn(async move {
                let mut left = 0;
                for (lines, goes) in batches {
                    left += lines.len() as u64;
                    let add = |prices: Prices, (orig, dest, day, price): &(usize, usize, u32, u32)| {
                        prices.add(
                            CODES[*orig],
                            CODES[*dest],
                            &format!("2021-01-{day:02}"),
                            &format!("{}.{:02}", price / 100, price % 100),
                        )
                    };
                    let id = bring_in(&service, &lines.iter().fold(Prices::default(), add)).await;
                    if goes {
                        let gone = service.send(Method::DELETE, &format!("{BATCHES}/{id}"), &[]).await;
                        assert_eq!(gone.status, 204, "{}", gone.text());
                        left -= lines.len() as u64;
                    }
                }
                left
            })
        });
        let before = assert_recounted(&database).await;
        let left: u64 = join_all(work).await.into_iter().map(|left| left.unwrap_or_else(|_| panic!("{clients:?}"))).sum();
        assert_eq!(assert_recounted(&database).await, before + left, "{clients:?}");
    }
}

async fn no_reader_sees_half_a_batch(database: Arc<TestDatabase>) {
    let service = service_with_places(&database).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (service, is_over) = (service.clone(), is_over.clone());
            tokio::spawn(async move {
                let mut seen = 0;
                while !is_over.load(Ordering::Relaxed) {
                    // Each batch has a price for each route on each day: all days and routes have as many, or one is half there.
                    let days = rates(&service, ("all", "all"), ("2021-01-01", "2021-01-10")).await;
                    assert!(days.iter().all(|(_, count, _)| *count == days[0].1 && count % 16 == 0), "{days:?}");
                    seen = seen.max(days[0].1);
                }
                seen
            })
        })
        .collect();
    for seed in 0..10 {
        let id = bring_in(&service, &everywhere(seed)).await;
        if seed % 3 == 0 {
            assert_eq!(service.send(Method::DELETE, &format!("{BATCHES}/{id}"), &[]).await.status, 204);
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for seen in join_all(readers).await {
        assert!(seen.unwrap() > 0, "a reader saw nothing at all");
    }
}

async fn one_batch_too_many_is_refused_at_once(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Api).await;
    let state = State::new(connection.clone(), connection, 0, None);
    let service = Service::of(&state);
    put_places(&service, &[], &CODES.map(|code| (code, ""))).await;
    let places: Vec<_> = std::iter::from_fn(|| state.writer.bring_batch().ok()).collect();
    assert!(places.len() >= 8);
    let answer = send(&service, &everywhere(1), &[]).await;
    answer.problem(503, "overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    // What is there can be taken back all the same, and places be put.
    service.send(Method::DELETE, &format!("{BATCHES}/1"), &[]).await.problem(404, "not_found");
    put_places(&service, &[], &CODES.map(|code| (code, ""))).await;
    drop(places);
    assert_eq!(send(&service, &everywhere(1), &[]).await.status, 201);
}
