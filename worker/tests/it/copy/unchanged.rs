//! Unchanged items are not written again.

use std::sync::Arc;

use entity::{provider, sync_run::RunState};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::EntityTrait;
use worker::sync::Counts;

use super::Copying;
use crate::{
    feeds::{event, feed, offline, online},
    fixtures,
};

on_every_backend!(
    the_same_document_again_writes_nothing,
    a_different_order_or_whitespace_writes_nothing,
    one_changed_price_writes_one_event,
    a_change_of_any_value_and_its_reversal_are_written,
    another_time_zone_rewrites_the_instants,
    a_change_of_currency_is_rejected,
    a_copy_keeps_the_digits_of_its_currency,
);

/// One base event with two events and another with none.
const ORDERED: &str = r#"<eventList><output>
    <base_event base_event_id="1" sell_mode="online" title="One">
      <event event_id="1" event_date="2031-07-01T20:00:00" sold_out="false"><zone zone_id="1" price="5.00" capacity="3"/></event>
      <event event_id="2" event_date="2031-07-02T20:00:00"/>
    </base_event>
    <base_event base_event_id="2" sell_mode="offline" title="Two"/>
  </output></eventList>"#;

const REORDERED: &str = r#"<?xml version="1.0"?><planList version="2"><output>
    <base_plan title=" Two " sell_mode="offline" base_plan_id="2"></base_plan>
    <!-- nothing new -->
    <base_event title='One' base_event_id="1" more="yes" sell_mode="online"><event event_id="2" event_date="2031-07-02T20:00:00"/>
      <plan plan_start_date="2031-07-01T20:00:00" plan_id="1"><zone capacity="3" price="5" zone_id="1"><seat/></zone></plan></base_event>
  </output></planList>"#;

async fn the_same_document_again_writes_nothing(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(fixtures::bytes("three_polls/first.xml")).await;
    let before = copying.tables().await;
    for _ in 0..2 {
        let report = copying.sync(fixtures::bytes("three_polls/first.xml")).await.unwrap();
        assert_eq!((report.state, copying.last_run().await.state), (RunState::Unchanged, RunState::Unchanged));
        assert_eq!(report.counts, Counts { fetched: 3, unchanged: 3, ..Counts::default() });
        assert_eq!(copying.tables().await, before);
        assert_eq!(copying.provider().await.last_success_at, Some(copying.last_run().await.started_at), "the copy is fresh");
    }
}

async fn a_different_order_or_whitespace_writes_nothing(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    assert_eq!(copying.accept(ORDERED).await.inserted, 2);
    let before = copying.tables().await;
    for document in [REORDERED, ORDERED] {
        let report = copying.sync(document).await.unwrap();
        assert_eq!(report.state, RunState::Unchanged);
        assert_eq!(report.counts, Counts { fetched: 2, unchanged: 2, ..Counts::default() });
        assert_eq!(copying.tables().await, before);
    }
}

async fn one_changed_price_writes_one_event(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let with_price = |price| {
        feed(&[
            online("1", &[event("11", &["5.00", "7.00"]), event("12", &["5.00", price, "9.00"])]),
            offline("2", &[event("21", &["5.00"])]),
        ])
    };
    copying.accept(with_price("7.00")).await;
    let before = copying.tables().await;
    assert_eq!(copying.accept(with_price("0.50")).await, Counts { fetched: 3, updated: 1, unchanged: 2, ..Counts::default() });

    let after = copying.tables().await;
    let changed: Vec<&str> =
        after.events.iter().filter(|event| !before.events.contains(event)).map(|event| event.source_id.as_str()).collect();
    assert_eq!(changed, ["12"]);
    let changed = copying.event("12").await;
    assert_eq!((changed.min_price, changed.max_price), (Some(50), Some(900)));
    let prices: Vec<i64> = after.zones.iter().filter(|zone| zone.event_id == changed.id).map(|zone| zone.price).collect();
    assert_eq!(prices, [500, 50, 900], "its zones were replaced together");
    assert_eq!(after.zones.len(), before.zones.len());
}

/// An event with all values that a feed can have.
const FULL: &str = r#"<eventList><output>
    <base_event base_event_id="1" sell_mode="online" title="One" organizer_company_id="7">
      <performer performer_id="12" name="The Kettles"/>
      <event event_id="1" event_start_date="2031-07-01T20:00:00" event_end_date="2031-07-01T22:00:00"
             sell_from="2031-01-01T00:00:00" sell_to="2031-07-01T19:00:00" sold_out="false">
        <venue venue_id="3" name="Corn Hall" latitude="41.5" longitude="2.25" place_code="ESBCN"/>
        <performer performer_id="13" name="Ada Mill"/>
        <zone zone_id="5" capacity="90" price="20.00" name="Stalls" numbered="true"/>
        <zone zone_id="6" capacity="80" price="15.00" name="Balcony" numbered="true"/>
      </event>
    </base_event>
  </output></eventList>"#;

async fn a_change_of_any_value_and_its_reversal_are_written(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(FULL).await;
    let original = copying.tables().await;
    for (from, to) in [
        ("sell_mode=\"online\"", "sell_mode=\"offline\""),
        ("title=\"One\"", "title=\"Uno\""),
        ("organizer_company_id=\"7\"", ""),
        ("performer_id=\"12\"", "performer_id=\"14\""),
        ("The Kettles", "The New Kettles"),
        ("Ada Mill", "Ada Windmill"),
        ("event_start_date=\"2031-07-01T20:00:00\"", "event_start_date=\"2031-07-01T20:00:00.5\""),
        ("event_end_date=\"2031-07-01T22:00:00\"", "event_end_date=\"2031-07-01T23:00:00\""),
        ("event_end_date=\"2031-07-01T22:00:00\"", ""),
        ("event_start_date=\"2031-07-01T20:00:00\"", "event_start_date=\"2031-07-01T20:00:00Z\""),
        ("sell_from=\"2031-01-01T00:00:00\"", ""),
        ("sell_to=\"2031-07-01T19:00:00\"", "sell_to=\"2031-07-01T18:00:00\""),
        ("sold_out=\"false\"", "sold_out=\"true\""),
        ("venue_id=\"3\"", "venue_id=\"4\""),
        ("Corn Hall", "Grain Hall"),
        ("latitude=\"41.5\"", "latitude=\"-41.5\""),
        ("longitude=\"2.25\"", "longitude=\"2.26\""),
        ("place_code=\"ESBCN\"", "place_code=\"ESMAD\""),
        ("zone_id=\"5\"", "zone_id=\"6\""),
        ("capacity=\"90\"", "capacity=\"89\""),
        ("capacity=\"80\"", ""),
        ("price=\"15.00\"", "price=\"15.01\""),
        ("name=\"Stalls\"", "name=\"Pit\""),
        ("numbered=\"true\"", "numbered=\"false\""),
    ] {
        let changed = FULL.replacen(from, to, 1);
        assert_ne!(changed, FULL, "{from}");
        assert_eq!(copying.accept(&changed).await, Counts { fetched: 1, updated: 1, ..Counts::default() }, "{from} {to}");
        assert_ne!(copying.tables().await.rows(), original.rows(), "{from} {to}");
        copying.accept(FULL).await;
        // Unreferenced rows are retained.
        let mut back = copying.tables().await;
        back.events.iter_mut().for_each(|event| event.previous_start_at = None);
        assert_eq!(
            (&back.events, &back.zones, &back.event_performers),
            (&original.events, &original.zones, &original.event_performers),
            "{from}"
        );
    }
}

async fn another_time_zone_rewrites_the_instants(database: Arc<TestDatabase>) {
    let mut copying = Copying::with(&database, "time_zone = \"Europe/Madrid\"").await;
    let document = fixtures::bytes("three_polls/first.xml");
    copying.accept(&document).await;
    let before = copying.event("291").await;
    copying.entry.time_zone = chrono_tz::America::Lima;
    assert_eq!(copying.accept(&document).await, Counts { fetched: 3, updated: 3, ..Counts::default() });

    let after = copying.event("291").await;
    let hours = |count: i64| count * 3600 * 1_000_000;
    assert_eq!((after.starts_at.0 - before.starts_at.0, after.ends_at.0 - before.ends_at.0), (hours(7), hours(7)));
    assert_eq!((&after.local_start, &after.local_end), (&before.local_start, &before.local_end));
    assert_eq!(after.first_seen_at, before.first_seen_at);
    assert_eq!(copying.provider().await.time_zone, "America/Lima");
}

async fn a_change_of_currency_is_rejected(database: Arc<TestDatabase>) {
    let mut copying = Copying::new(&database).await;
    copying.accept(&feed(&[online("1", &[event("1", &["5.00"])])])).await;
    let before = copying.tables().await;
    copying.entry.currency = "KWD".parse().unwrap();
    let refusal = copying.sync(&feed(&[online("1", &[event("1", &["6.000"])])])).await.unwrap_err();
    assert_eq!(refusal.code(), "currency_changed");
    assert_eq!(copying.tables().await, before);
    let provider = copying.provider().await;
    assert_eq!((provider.currency.as_str(), provider.currency_digits), ("EUR", 2), "the currency of the copied prices");
}

async fn a_copy_keeps_the_digits_of_its_currency(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[online("1", &[event("11", &["10.00"])])])).await;
    // A copy that was created when the currency had three digits.
    let digits = provider::Entity::update_many().col_expr(provider::Column::CurrencyDigits, 3.into());
    digits.exec(&copying.database).await.unwrap();
    let counts = copying.accept(feed(&[online("1", &[event("11", &["10.00"]), event("12", &["10.005"])])])).await;
    assert_eq!((counts.inserted, counts.updated, counts.rejected), (1, 1, 0));
    assert_eq!(copying.provider().await.currency_digits, 3);
}
