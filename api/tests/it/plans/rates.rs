//! Rate queries read only the requested routes and days.

use std::sync::Arc;

use api::resources::rates::statement;
use entity::{ConnectionRole, place, rate_day, region};
use migration::{on_every_backend, testing::TestDatabase};
use rates::Day;
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait};

use super::{explain_postgres, explain_sqlite, nodes};

on_every_backend!(rate_queries_use_the_primary_key);

const PLACES: i32 = 100;
const DAYS: i32 = 12;

/// Inserts rates of all routes. Half of the places are in the region `half`, ten in `few`.
async fn insert_rates(database: &DatabaseConnection) {
    let region = |id, slug: &str| region::ActiveModel {
        id: Set(id),
        slug: Set(slug.to_owned()),
        name: Set(slug.to_owned()),
        folded_name: Set(slug.to_owned()),
        parent_id: Set(None),
    };
    region::Entity::insert_many([region(1, "half"), region(2, "few")]).exec_without_returning(database).await.unwrap();
    let place = |id| place::ActiveModel {
        id: Set(id),
        code: Set(format!("XX{id:03}")),
        name: Set(String::new()),
        folded_name: Set(String::new()),
        region_id: Set(Some(if id <= PLACES / 2 { 1 } else { 2 }).filter(|_| id <= PLACES / 2 + 10)),
        listed: Set(true),
    };
    place::Entity::insert_many((1..=PLACES).map(place)).exec_without_returning(database).await.unwrap();
    let route = |orig_place_id, dest_place_id, day| rate_day::ActiveModel {
        orig_place_id: Set(orig_place_id),
        dest_place_id: Set(dest_place_id),
        day: Set(day),
        price_count: Set(3),
        price_sum: Set(300),
    };
    for orig in 1..=PLACES {
        let rows = (1..=PLACES).flat_map(|dest| (0..DAYS).map(move |day| route(orig, dest, day)));
        rate_day::Entity::insert_many(rows).exec_without_returning(database).await.unwrap();
    }
    database.execute_unprepared("ANALYZE").await.unwrap();
}

async fn rate_queries_use_the_primary_key(database: Arc<TestDatabase>) {
    insert_rates(&database.connect(ConnectionRole::Worker).await).await;
    let database = database.connect(ConnectionRole::Api).await;
    for (orig, dest, routes) in [("XX001", "XX002", 1), ("XX001", "few", 10), ("few", "XX002", 10), ("half", "few", 500)] {
        let statement = statement(database.get_database_backend(), (orig, dest), (Day(2), Day(4)));
        let rows = database.query_all_raw(statement.clone()).await.unwrap();
        let counts: Vec<i64> = rows.iter().map(|row| row.try_get("", "price_count").unwrap()).collect();
        assert_eq!(counts, [3 * routes; 3], "{orig} to {dest}");
        if statement.db_backend == DbBackend::Sqlite {
            let steps = explain_sqlite(&database, statement).await;
            assert!(!steps.iter().any(|step| step.contains("SCAN rate_day")), "{orig} to {dest}: {steps:#?}");
            let expected = "SEARCH rate_day USING PRIMARY KEY (orig_place_id=? AND dest_place_id=? AND day>? AND day<?)";
            assert!(steps.iter().any(|step| step == expected), "{orig} to {dest}: {steps:#?}");
        } else {
            let plan = explain_postgres(&database, statement).await;
            let rate_nodes = nodes(&plan).into_iter().filter(|node| node["Relation Name"] == "rate_day");
            let read: f64 = rate_nodes
                .map(|node| {
                    assert_ne!(node["Node Type"], "Seq Scan", "{orig} to {dest}: {plan:#}");
                    node["Actual Rows"].as_f64().unwrap() * node["Actual Loops"].as_f64().unwrap()
                })
                .sum();
            assert_eq!(read, f64::from(3 * i32::try_from(routes).unwrap()), "{orig} to {dest}: {plan:#}");
        }
    }
}
