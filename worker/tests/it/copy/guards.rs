//! A well-formed feed with too many rejects or too many missing events is rejected.

use std::sync::Arc;

use entity::{UtcInstant, provider, sync_run::RunState};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

use super::Copying;
use crate::feeds::{event, feed, invalid_event, online};

on_every_backend!(
    a_small_feed_is_not_rejected_for_its_rejects,
    a_feed_with_too_many_rejects_is_rejected_and_they_are_stored,
    a_feed_with_the_allowed_share_of_rejects_is_accepted,
    the_allowed_share_of_rejects_is_a_setting_of_the_provider,
    a_feed_of_which_all_items_were_rejected_is_rejected,
    a_feed_that_lost_too_many_events_is_rejected,
    a_small_or_allowed_loss_is_accepted,
    rejected_items_are_not_lost,
    a_feed_with_implausible_prices_is_rejected_and_nothing_is_written,
    a_few_implausible_prices_or_a_small_factor_are_accepted,
    the_limits_of_prices_are_settings_of_the_provider,
    new_events_do_not_dilute_implausible_prices,
    a_feed_with_other_ids_is_rejected_until_an_operator_accepts_it,
    a_feed_with_many_new_or_many_missing_events_is_accepted,
    events_that_ended_since_the_last_run_are_not_missing,
);

/// A base event with valid and invalid events.
fn document(sound: usize, rejected: usize) -> String {
    let sound = (0..sound).map(|id| event(&format!("s{id}"), &["5.00"]));
    let rejected = (0..rejected).map(|id| invalid_event(&format!("r{id}")));
    feed(&[online("1", &sound.chain(rejected).collect::<Vec<_>>())])
}

async fn a_small_feed_is_not_rejected_for_its_rejects(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    assert_eq!(copying.accept(document(2, 1)).await.inserted, 2);
    assert_eq!(copying.accept(document(2, 9)).await.rejected, 9, "nine are below the minimum, whatever their share");
}

async fn a_feed_with_too_many_rejects_is_rejected_and_they_are_stored(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(document(5, 0)).await;
    let (tables, provider) = (copying.tables().await, copying.provider().await);
    // The default share is a fifth: 10 of 49 is more.
    let refusal = copying.sync(document(39, 10)).await.unwrap_err();
    assert_eq!(refusal.code(), "too_many_rejects");
    let run = copying.last_run().await;
    assert_eq!((run.state, run.reason_code.as_deref()), (RunState::Failed, Some("too_many_rejects")));
    let reason = run.reason.unwrap();
    assert!(
        reason.starts_with("10 of 49 items were rejected") && reason.contains("`event_start_date` must be an existing date"),
        "{reason}"
    );
    let rejects = copying.last_rejects().await;
    assert_eq!(rejects.len(), 10);
    assert_eq!(rejects[9].event_source_id.as_deref(), Some("r9"));
    assert_eq!((copying.tables().await, copying.provider().await), (tables, provider));
}

async fn a_feed_with_the_allowed_share_of_rejects_is_accepted(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let counts = copying.accept(document(40, 10)).await;
    assert_eq!((counts.inserted, counts.rejected), (40, 10));
    assert_eq!(copying.last_rejects().await.len(), 10);
}

async fn the_allowed_share_of_rejects_is_a_setting_of_the_provider(database: Arc<TestDatabase>) {
    let mut copying = Copying::with(&database, "max_rejects_share = 1.0").await;
    assert_eq!(copying.accept(document(1, 12)).await.rejected, 12);
    copying.entry.max_rejects_share = 0.0;
    assert_eq!(copying.sync(document(400, 10)).await.unwrap_err().code(), "too_many_rejects");
    assert_eq!(copying.accept(document(400, 9)).await.rejected, 9);
}

async fn a_feed_of_which_all_items_were_rejected_is_rejected(database: Arc<TestDatabase>) {
    let copying = Copying::with(&database, "max_rejects_share = 1.0").await;
    copying.accept(document(7, 0)).await;
    let tables = copying.tables().await;
    let without_title = "<base_event base_event_id=\"1\" sell_mode=\"online\"/>".to_owned();
    for (feed, rejects) in [(document(0, 7), 7), (document(0, 12), 12), (feed(std::slice::from_ref(&without_title)), 1)] {
        assert_eq!(copying.sync(feed).await.unwrap_err().code(), "all_rejected");
        let run = copying.last_run().await;
        assert_eq!((run.state, run.reason_code.as_deref()), (RunState::Failed, Some("all_rejected")));
        assert!(run.reason.unwrap().contains(&format!("(rejected: {rejects}); the first reason: ")));
        assert_eq!(copying.last_rejects().await.len(), rejects);
        assert_eq!(copying.tables().await, tables);
    }
    let counts = copying.accept(feed(&[without_title, online("2", &[event("1", &[])])])).await;
    assert_eq!((counts.inserted, counts.rejected), (1, 1), "one accepted item suffices");
}

async fn a_feed_that_lost_too_many_events_is_rejected(database: Arc<TestDatabase>) {
    let mut copying = Copying::new(&database).await;
    copying.accept(document(30, 0)).await;
    let tables = copying.tables().await;
    // The default share is a half: 14 after 30 is less.
    assert_eq!(copying.sync(document(14, 0)).await.unwrap_err().code(), "shrunk");
    let run = copying.last_run().await;
    assert_eq!((run.state, run.reason_code.as_deref()), (RunState::Failed, Some("shrunk")));
    assert!(run.reason.unwrap().starts_with("the feed has 14 events after 30"));
    assert_eq!(copying.tables().await, tables);

    // Rejected until an operator accepts it.
    assert_eq!(copying.sync(document(14, 0)).await.unwrap_err().code(), "shrunk");
    copying.entry.max_shrink_share = 1.0;
    assert_eq!(copying.accept(document(14, 0)).await.left, 16);
}

async fn a_small_or_allowed_loss_is_accepted(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(document(30, 0)).await;
    assert_eq!(copying.accept(document(15, 0)).await.left, 15);
    assert_eq!(copying.accept(document(6, 0)).await.left, 9, "nine are below the minimum, whatever their share");
    assert_eq!(copying.accept(document(0, 0)).await.left, 6);
    assert_eq!(copying.accept(document(30, 0)).await.updated, 30);
}

async fn rejected_items_are_not_lost(database: Arc<TestDatabase>) {
    let mut copying = Copying::new(&database).await;
    copying.accept(document(30, 0)).await;
    copying.entry.max_rejects_share = 1.0;
    let counts = copying.accept(document(1, 29)).await;
    assert_eq!((counts.rejected, counts.left), (29, 29), "other events than before, but the same number");
}

/// Events with these prices, in base events of ten, and rejected events.
fn priced(prices: &[&str], rejected: usize) -> String {
    let events: Vec<String> = prices.iter().enumerate().map(|(id, price)| event(&id.to_string(), &[price, "900.00"])).collect();
    let mut base_events: Vec<String> =
        (0..).zip(events.chunks(10)).map(|(id, events)| online(&format!("{id}"), events)).collect();
    let invalid: Vec<String> = (0..rejected).map(|id| invalid_event(&format!("r{id}"))).collect();
    base_events.push(online("invalid", &invalid));
    feed(&base_events)
}

async fn a_feed_with_implausible_prices_is_rejected_and_nothing_is_written(database: Arc<TestDatabase>) {
    let mut copying = Copying::new(&database).await;
    copying.accept(priced(&["5.00"; 40], 0)).await;
    let (tables, provider) = (copying.tables().await, copying.provider().await);
    // Cents instead of euros, in more than the default share of a fifth. Nothing of the feed is written, also not its other changes.
    let mut cents = ["5.00"; 40];
    cents[2..20].fill("500.00");
    let refusal = copying.sync(priced(&cents, 1)).await.unwrap_err();
    assert_eq!(refusal.code(), "price_jump");
    assert!(refusal.is_provider_error(), "it is counted as a failure of the provider");
    let run = copying.last_run().await;
    assert_eq!((run.state, run.reason_code.as_deref()), (RunState::Failed, Some("price_jump")));
    let reason = run.reason.unwrap();
    assert!(
        reason.starts_with("the lowest prices of at least 18 of 40 events have changed by more than a factor of 5"),
        "{reason}"
    );
    assert_eq!(copying.last_rejects().await.len(), 1);
    assert_eq!((copying.tables().await, copying.provider().await), (tables, provider));

    // Rejected until an operator accepts it.
    assert_eq!(copying.sync(priced(&cents, 1)).await.unwrap_err().code(), "price_jump");
    copying.entry.max_price_jump_share = 1.0;
    assert_eq!(copying.accept(priced(&cents, 1)).await.updated, 18);
    copying.entry.max_price_jump_share = 0.2;
    assert_eq!(
        copying.sync(priced(&["0.00"; 40], 0)).await.unwrap_err().code(),
        "price_jump",
        "and to be free is implausible, too"
    );
}

async fn a_few_implausible_prices_or_a_small_factor_are_accepted(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(priced(&["5.00"; 40], 0)).await;
    assert_eq!(copying.accept(priced(&["25.00"; 40], 0)).await.updated, 40, "exactly the factor");
    let mut some = ["25.00"; 40];
    some[..9].fill("2500.00");
    assert_eq!(copying.accept(priced(&some, 0)).await.updated, 9, "nine are below the minimum, whatever their share");
}

async fn the_limits_of_prices_are_settings_of_the_provider(database: Arc<TestDatabase>) {
    let mut copying = Copying::with(&database, "max_price_jump_factor = 200\nmax_price_jump_share = 0.0").await;
    copying.accept(priced(&["5.00"; 40], 0)).await;
    assert_eq!(copying.accept(priced(&["500.00"; 40], 0)).await.updated, 40);
    copying.entry.max_price_jump_factor = 1.0;
    assert_eq!(copying.sync(priced(&["500.01"; 40], 0)).await.unwrap_err().code(), "price_jump");
}

async fn new_events_do_not_dilute_implausible_prices(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(priced(&["5.00"; 10], 0)).await;
    assert_eq!(copying.sync(priced(&["500.00"; 400], 0)).await.unwrap_err().code(), "price_jump");
    assert_eq!(copying.accept(priced(&["5.00"; 400], 0)).await.inserted, 390);
}

/// Events with these ids, each in a base event with the same id.
fn shows(ids: impl IntoIterator<Item = u32>) -> String {
    let base_events: Vec<String> =
        ids.into_iter().map(|id| online(&id.to_string(), &[event(&id.to_string(), &["5.00"])])).collect();
    feed(&base_events)
}

/// Events with these ids, in two base events.
fn showings(ids: impl IntoIterator<Item = u32>) -> String {
    let (even, odd): (Vec<u32>, Vec<u32>) = ids.into_iter().partition(|id| id % 2 == 0);
    let events = |ids: Vec<u32>| ids.iter().map(|id| event(&id.to_string(), &["5.00"])).collect::<Vec<_>>();
    feed(&[online("even", &events(even)), online("odd", &events(odd))])
}

async fn a_feed_with_other_ids_is_rejected_until_an_operator_accepts_it(database: Arc<TestDatabase>) {
    let mut copying = Copying::new(&database).await;
    let mut before = copying.accept(shows(0..20)).await.fetched;
    for (case, document, new, gone) in [
        ("other base events", shows(100..120), 20, 20),
        ("other base events, and some known ones", shows((100..109).chain(200..212)), 12, 11),
        ("fewer base events", showings(0..20), 20, 21),
        ("other events of known base events", showings(100..120), 20, 20),
    ] {
        let (tables, provider) = (copying.tables().await, copying.provider().await);
        let refusal = copying.sync(&document).await.unwrap_err();
        assert_eq!(refusal.code(), "churned", "{case}");
        assert!(refusal.is_provider_error(), "it is counted as a failure of the provider");
        let reason = copying.last_run().await.reason.unwrap();
        assert!(reason.contains("--accept-churn") && reason.contains(&format!("of the {before} previous events")), "{reason}");
        assert_eq!((copying.tables().await, copying.provider().await), (tables, provider), "{case}");

        assert_eq!(copying.sync(&document).await.unwrap_err().code(), "churned", "{case}");
        copying.entry.max_churn_share = 1.0;
        let counts = copying.accept(&document).await;
        assert_eq!((counts.inserted, counts.left), (new, gone), "{case}");
        copying.entry.max_churn_share = 0.5;
        before = counts.fetched;
    }
}

async fn a_feed_with_many_new_or_many_missing_events_is_accepted(database: Arc<TestDatabase>) {
    for (case, first, second) in [
        ("half is new and half is gone", shows(0..20), shows(10..30)),
        ("nine are below the minimum", shows(0..9), shows(100..109)),
        ("all are known, and half is gone", shows(0..20), shows(0..10)),
        ("all known are present", shows(0..20), shows(0..200)),
        ("half of the events of known base events", showings(0..20), showings(10..30)),
        ("the first load", feed(&[]), shows(0..20)),
    ] {
        let mut copying = Copying::new(&database).await;
        copying.entry.slug = case.replace(' ', "-");
        copying.accept(first).await;
        copying.accept(second).await;
    }
}

/// A feed of the shows of this week has other events than that of last week.
async fn events_that_ended_since_the_last_run_are_not_missing(database: Arc<TestDatabase>) {
    for (first, second) in [(shows(0..20), shows(100..120)), (showings(0..20), showings(100..120))] {
        let mut copying = Copying::new(&database).await;
        copying.entry.slug = format!("northstage-{}", first.len());
        copying.accept(first.replace("2031", "2021")).await;
        assert_eq!(copying.sync(&second).await.unwrap_err().code(), "churned", "they had ended before");
        let year_2020 = UtcInstant(1_577_836_800_000_000);
        let provider =
            provider::ActiveModel { last_success_at: Set(Some(year_2020)), ..copying.provider().await.into_active_model() };
        provider.update(&copying.database).await.unwrap();
        assert_eq!(copying.accept(&second).await.inserted, 20);
    }
}
