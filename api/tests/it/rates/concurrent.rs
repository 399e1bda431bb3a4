//! Concurrent imports and deletes on the same routes: no deadlock, no lost sums, and no partial reads.

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

use super::{BATCHES, CsvBatch, assert_sums_match_prices, fetch_rates, import_batch, post_batch, put_places};
use crate::test_app::TestApp;

on_every_backend!(
    concurrent_batches_on_the_same_routes_are_all_committed,
    concurrent_imports_and_deletes_keep_sums_consistent,
    readers_never_see_partial_batches,
    batches_beyond_the_limit_are_rejected_immediately,
);

const CODES: [&str; 4] = ["AAAAA", "BBBBB", "CCCCC", "DDDDD"];

async fn start_app_with_places(database: &TestDatabase) -> Arc<TestApp> {
    let app = TestApp::new(database).await;
    put_places(&app, &[("all", "")], &CODES.map(|code| (code, "all"))).await;
    Arc::new(app)
}

/// A batch for all routes on ten days, in an order that depends on the seed.
fn batch_for_all_routes(seed: usize) -> CsvBatch {
    let mut lines: Vec<(usize, usize, usize)> =
        (0..4).flat_map(|orig| (0..4).flat_map(move |dest| (1..=10).map(move |day| (orig, dest, day)))).collect();
    let length = lines.len();
    lines.rotate_left(seed * 37 % length);
    if seed % 2 == 1 {
        lines.reverse();
    }
    let add = |prices: CsvBatch, (orig, dest, day): (usize, usize, usize)| {
        prices.add(CODES[orig], CODES[dest], &format!("2021-01-{day:02}"), &format!("{seed}.5"))
    };
    lines.into_iter().fold(CsvBatch::default(), add)
}

async fn concurrent_batches_on_the_same_routes_are_all_committed(database: Arc<TestDatabase>) {
    let app = start_app_with_places(&database).await;
    for _ in 0..4 {
        let sent = (0..8).map(|seed| {
            let app = app.clone();
            tokio::spawn(async move { post_batch(&app, &batch_for_all_routes(seed), &[]).await })
        });
        for response in join_all(sent).await {
            let response = response.unwrap();
            assert_eq!(response.status, 201, "{}", response.text());
        }
    }
    assert_eq!(assert_sums_match_prices(&database).await, 4 * 8 * 160);
    let day = fetch_rates(&app, ("all", "all"), ("2021-01-05", "2021-01-05")).await;
    assert_eq!(day, [("2021-01-05".to_owned(), 4 * 8 * 16, Some(4.0))]);
}

async fn concurrent_imports_and_deletes_keep_sums_consistent(database: Arc<TestDatabase>) {
    let app = start_app_with_places(&database).await;
    let line = (0..4_usize, 0..4_usize, 1..=3_u32, 0..10_000_u32);
    let batch = (proptest::collection::vec(line, 1..40), any::<bool>());
    let batches = proptest::collection::vec(batch, 2..7);
    // Clients run concurrently. Each imports its batches one after another and deletes some of them.
    let clients = proptest::collection::vec(batches, 2..6);
    let mut runner = TestRunner::default();
    for _ in 0..6 {
        let clients = clients.new_tree(&mut runner).unwrap().current();
        let work = clients.clone().into_iter().map(|batches| {
            let app = app.clone();
            tokio::spawn(async move {
                let mut remaining = 0;
                for (lines, is_deleted) in batches {
                    remaining += lines.len() as u64;
                    let add = |prices: CsvBatch, (orig, dest, day, price): &(usize, usize, u32, u32)| {
                        prices.add(
                            CODES[*orig],
                            CODES[*dest],
                            &format!("2021-01-{day:02}"),
                            &format!("{}.{:02}", price / 100, price % 100),
                        )
                    };
                    let id = import_batch(&app, &lines.iter().fold(CsvBatch::default(), add)).await;
                    if is_deleted {
                        let response = app.send(Method::DELETE, &format!("{BATCHES}/{id}"), &[]).await;
                        assert_eq!(response.status, 204, "{}", response.text());
                        remaining -= lines.len() as u64;
                    }
                }
                remaining
            })
        });
        let before = assert_sums_match_prices(&database).await;
        let remaining: u64 = join_all(work).await.into_iter().map(|count| count.unwrap_or_else(|_| panic!("{clients:?}"))).sum();
        assert_eq!(assert_sums_match_prices(&database).await, before + remaining, "{clients:?}");
    }
}

async fn readers_never_see_partial_batches(database: Arc<TestDatabase>) {
    let app = start_app_with_places(&database).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (app, is_over) = (app.clone(), is_over.clone());
            tokio::spawn(async move {
                let mut seen = 0;
                while !is_over.load(Ordering::Relaxed) {
                    // Each batch has one price per route and day, so all days have the same count unless a batch is partly visible.
                    let days = fetch_rates(&app, ("all", "all"), ("2021-01-01", "2021-01-10")).await;
                    assert!(days.iter().all(|(_, count, _)| *count == days[0].1 && count % 16 == 0), "{days:?}");
                    seen = seen.max(days[0].1);
                }
                seen
            })
        })
        .collect();
    for seed in 0..10 {
        let id = import_batch(&app, &batch_for_all_routes(seed)).await;
        if seed % 3 == 0 {
            assert_eq!(app.send(Method::DELETE, &format!("{BATCHES}/{id}"), &[]).await.status, 204);
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for seen in join_all(readers).await {
        assert!(seen.unwrap() > 0, "a reader saw no batch");
    }
}

async fn batches_beyond_the_limit_are_rejected_immediately(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Api).await;
    let state = State::new(connection.clone(), connection, 0, None);
    let app = TestApp::with_state(&state);
    put_places(&app, &[], &CODES.map(|code| (code, ""))).await;
    let permits: Vec<_> = std::iter::from_fn(|| state.writer.reserve_batch(&"local".into()).ok()).collect();
    assert!(permits.len() >= 8);
    let response = post_batch(&app, &batch_for_all_routes(1), &[]).await;
    response.problem(503, "overloaded");
    assert_eq!(response.header("retry-after"), Some("1"));
    // Deletes and places are not limited.
    app.send(Method::DELETE, &format!("{BATCHES}/1"), &[]).await.problem(404, "not_found");
    put_places(&app, &[], &CODES.map(|code| (code, ""))).await;
    drop(permits);
    assert_eq!(post_batch(&app, &batch_for_all_routes(1), &[]).await.status, 201);
}
