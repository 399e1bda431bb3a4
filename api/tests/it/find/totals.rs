//! `GET /events/calendar` without filters reads the totals of days, if they are valid.

use std::sync::Arc;

use entity::{EventStatus, UtcInstant, daily_total, provider};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel, sea_query::Expr};
use serde_json::Value;

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(totals_are_read_where_the_filters_select_whole_days, events_are_counted_while_totals_are_not_valid);

const JUNE: &str = "/events/calendar?starts_at=2027-06-01&ends_at=2027-06-30";
/// More events than a day of the fixture has.
const TOTAL: i64 = 1_000;

/// Five events of two providers in June, on two days and in two currencies, and totals that differ from their counts.
async fn insert_events(database: &TestDatabase) -> CatalogueFixture {
    let catalogue = CatalogueFixture::new(database).await;
    catalogue.insert_provider("northstage", "GBP", 2).await;
    let at = |title: &str, day: &str| NewEvent::titled(title).starts(&format!("2027-06-{day}T20:00:00"));
    let left = |row: &mut entity::event::Model| row.left_at = Some(UtcInstant(1));
    let events = [
        at("1", "01").prices(&[1_000]),
        at("2", "01").prices(&[500]),
        at("3", "30").of_provider("northstage").prices(&[700]),
        at("4", "01").with(left),
        at("5", "30").with(|row| row.status = EventStatus::Cancelled),
    ];
    catalogue.insert(events).await;
    catalogue.compute_totals().await;
    let more = daily_total::Entity::update_many().col_expr(daily_total::Column::EventCount, Expr::value(TOTAL));
    more.exec(&catalogue.database).await.unwrap();
    catalogue
}

async fn total(app: &TestApp, url: &str) -> i64 {
    let calendar: Value = app.get(url).await.json();
    calendar["meta"]["total"].as_i64().unwrap_or_else(|| panic!("{url}: {calendar:#}"))
}

async fn totals_are_read_where_the_filters_select_whole_days(database: Arc<TestDatabase>) {
    insert_events(&database).await;
    let app = TestApp::new(&database).await;
    for (more, expected) in [
        ("", 2 * TOTAL),
        ("&time_zone=venue", 2 * TOTAL),
        ("&range=starts&listed=true&status=scheduled,postponed,rescheduled,moved_online", 2 * TOTAL),
        ("&time_zone=UTC", 3),
        ("&range=within", 3),
        ("&range=overlaps", 3),
        ("&listed=any", 4),
        ("&status=any", 4),
        ("&provider=fever", 2),
        ("&currency=GBP", 1),
    ] {
        assert_eq!(total(&app, &format!("{JUNE}{more}")).await, expected, "{more}");
    }
    assert_eq!(total(&app, "/events/calendar?starts_at=2027-06-01&ends_at=2027-06-29").await, TOTAL);
    assert_eq!(total(&app, "/events/calendar?ends_at=2027-06-30").await, 2 * TOTAL);
    assert_eq!(total(&app, "/events/calendar?starts_at=2027-06-01T00:00&ends_at=2027-06-30").await, 2 * TOTAL);
    assert_eq!(total(&app, "/events/calendar?starts_at=2027-06-01T00:01&ends_at=2027-06-30").await, 3);
    assert_eq!(total(&app, "/events/calendar?starts_at=2027-06-01&ends_at=2027-06-30T23:00").await, 3);
    let june = app.get(JUNE).await.json()["data"]["days"].clone();
    assert_eq!(june[0]["prices"][0]["min_price"], 5.0, "{june:#}");
    assert_eq!(june[29]["prices"][0]["currency"], "GBP", "{june:#}");
}

async fn events_are_counted_while_totals_are_not_valid(database: Arc<TestDatabase>) {
    let catalogue = insert_events(&database).await;
    let database_of_worker = &catalogue.database;
    let app = TestApp::new(&database).await;
    let provider = provider::Entity::find().one(database_of_worker).await.unwrap().unwrap();
    let through = Some("2027-06-29".to_owned());
    for (last_release, totals_release, totals_through, loading_since, expected) in [
        (None, Some(0), None, None, 2 * TOTAL),
        (None, None, None, None, 3),
        // A program of an earlier release has changed the copy.
        (Some(7), Some(0), None, None, 3),
        (Some(7), Some(7), None, None, 2 * TOTAL),
        // The totals of later days are not computed.
        (Some(7), Some(7), through, None, 3),
        // Readers do not see the provider.
        (Some(7), None, None, Some(UtcInstant(1)), TOTAL),
    ] {
        let row = provider::ActiveModel {
            last_release: Set(last_release),
            totals_release: Set(totals_release),
            totals_through: Set(totals_through.clone()),
            loading_since: Set(loading_since),
            ..provider.clone().into_active_model()
        };
        row.update(database_of_worker).await.unwrap();
        assert_eq!(total(&app, JUNE).await, expected, "{last_release:?} {totals_release:?} {totals_through:?}");
    }
}
