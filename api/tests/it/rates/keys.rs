//! `Idempotency-Key`: one key and body are one batch.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use migration::{on_every_backend, testing::TestDatabase};
use poem::{Body, http::Method};
use tokio::sync::mpsc;

use super::{BATCHES, Prices, assert_recounted, put_places, send};
use crate::service::Service;

on_every_backend!(
    the_same_again_is_answered_as_before,
    another_body_is_refused,
    a_key_under_way_is_told_so,
    a_key_of_what_was_refused_is_free,
    a_late_repetition_does_not_bring_back_what_was_taken_back,
    what_is_no_key_is_refused,
    many_with_one_key_are_one,
);

async fn service_with_a_place(database: &TestDatabase) -> Service {
    let service = Service::on(database).await;
    put_places(&service, &[], &[("AAAAA", "")]).await;
    service
}

fn prices(price: &str) -> Prices {
    Prices::default().add("AAAAA", "AAAAA", "2021-01-30", price)
}

const KEY: [(&str, &str); 1] = [("idempotency-key", "4b1f6f0e-0f1b-4c1c-9a57-2f7d3f2f6d0e")];

async fn the_same_again_is_answered_as_before(database: Arc<TestDatabase>) {
    let service = service_with_a_place(&database).await;
    let first = send(&service, &prices("1"), &KEY).await;
    assert_eq!(first.status, 201);
    // In another process, too.
    for service in [service, Service::on(&database).await] {
        let again = send(&service, &prices("1"), &KEY).await;
        assert_eq!(
            (again.status, again.text(), again.header("location")),
            (first.status, first.text(), first.header("location"))
        );
    }
    assert_eq!(assert_recounted(&database).await, 1);
}

async fn another_body_is_refused(database: Arc<TestDatabase>) {
    let service = service_with_a_place(&database).await;
    assert_eq!(send(&service, &prices("1"), &KEY).await.status, 201);
    send(&service, &prices("2"), &KEY).await.problem(422, "idempotency_key_reused");
    // What is wrong in it does not matter then.
    send(&service, &prices("-2"), &KEY).await.problem(422, "idempotency_key_reused");
    assert_eq!(send(&service, &prices("2"), &[("idempotency-key", "another")]).await.status, 201);
    assert_eq!(assert_recounted(&database).await, 2);
}

async fn a_key_under_way_is_told_so(database: Arc<TestDatabase>) {
    let service = Arc::new(service_with_a_place(&database).await);
    let (sender, receiver) = mpsc::channel::<std::io::Result<Bytes>>(1);
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    let body = Body::from_bytes_stream(stream.boxed());
    let slow = service.clone();
    let running = tokio::spawn(async move { slow.upload(Method::POST, BATCHES, ("text/csv", body), &KEY).await });
    sender.send(Ok(Bytes::from_static(b"orig_code,dest_code,day,price\n"))).await.unwrap();
    // The channel holds one: that it takes the third says that the first is being read, with the key claimed.
    for _ in 0..2 {
        sender.send(Ok(Bytes::from_static(b"AAAAA,AAAAA,2021-01-30,1\n"))).await.unwrap();
    }
    let problem = send(&service, &prices("1"), &KEY).await;
    problem.problem(409, "idempotency_key_in_use");
    assert_eq!(problem.header("retry-after"), Some("1"));
    assert_eq!(send(&service, &prices("1"), &[("idempotency-key", "another")]).await.status, 201);
    drop(sender);
    assert_eq!(running.await.unwrap().status, 201);
    assert_eq!(assert_recounted(&database).await, 3);
}

async fn a_key_of_what_was_refused_is_free(database: Arc<TestDatabase>) {
    let service = service_with_a_place(&database).await;
    send(&service, &prices("-1"), &KEY).await.problem(422, "invalid_items");
    assert_eq!(send(&service, &prices("1"), &KEY).await.status, 201);
}

async fn a_late_repetition_does_not_bring_back_what_was_taken_back(database: Arc<TestDatabase>) {
    let service = service_with_a_place(&database).await;
    let first = send(&service, &prices("1"), &KEY).await;
    assert_eq!(service.send(Method::DELETE, first.header("location").unwrap(), &[]).await.status, 204);
    let again = send(&service, &prices("1"), &KEY).await;
    assert_eq!((again.status, again.text()), (first.status, first.text()));
    assert_eq!(assert_recounted(&database).await, 0);
}

async fn what_is_no_key_is_refused(database: Arc<TestDatabase>) {
    let service = service_with_a_place(&database).await;
    let long = "k".repeat(256);
    for keys in [&[""][..], &["   "], &[&long], &["tab\there"], &["a", "b"]] {
        let headers: Vec<_> = keys.iter().map(|key| ("idempotency-key", *key)).collect();
        let mistakes = send(&service, &prices("1"), &headers).await.mistakes();
        assert_eq!(mistakes[0].0, "Idempotency-Key", "{keys:?}");
    }
    assert_eq!(assert_recounted(&database).await, 0);
}

async fn many_with_one_key_are_one(database: Arc<TestDatabase>) {
    let service = service_with_a_place(&database).await;
    let prices = prices("1");
    let answers = futures_util::future::join_all((0..6).map(|_| send(&service, &prices, &KEY))).await;
    let mut taken: Vec<String> = Vec::new();
    for answer in answers {
        if answer.status == 201 {
            taken.push(answer.text());
        } else {
            answer.problem(409, "idempotency_key_in_use");
        }
    }
    taken.dedup();
    assert_eq!(taken.len(), 1);
    assert_eq!(assert_recounted(&database).await, 1);
}
