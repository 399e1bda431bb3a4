//! A worker that is killed between two batches of boundaries: another one continues, and each boundary is one change.

use std::{collections::BTreeSet, sync::Arc};

use entity::{ConnectionRole, change, database_now, event};
use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::SimCatalogue;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter};

use crate::{
    deployment::{Deployment, SLUG, format_entry},
    wait::eventually,
};

on_every_backend!(a_killed_worker_leaves_no_boundary_out_and_none_twice);

async fn count_changes(database: &DatabaseConnection) -> u64 {
    change::Entity::find().count(database).await.unwrap()
}

async fn a_killed_worker_leaves_no_boundary_out_and_none_twice(database: Arc<TestDatabase>) {
    // Several batches, with pauses between them.
    let anchor = chrono::NaiveDate::from_ymd_opt(2031, 1, 1).unwrap();
    let catalogue = SimCatalogue { events: 3_000, zones: 1, anchor, ..SimCatalogue::default() };
    let deployment = Deployment::new(database, catalogue).await;
    deployment.write_providers(&format_entry(SLUG, &deployment.url, "0 0 0 1 1 *"));
    assert!(deployment.sync());
    let connection = deployment.database.connect(ConnectionRole::Worker).await;
    assert_eq!(count_changes(&connection).await, 0, "a first load has no changes");
    let due = database_now(&connection).await.unwrap();
    event::Entity::update_many()
        .col_expr(event::Column::SoldOut, false.into())
        .col_expr(event::Column::SaleStartsAt, due.into())
        .col_expr(event::Column::NextBoundaryAt, due.into())
        .exec(&connection)
        .await
        .unwrap();
    let left = event::Entity::find().filter(event::Column::NextBoundaryAt.eq(due));

    let killed = deployment.start_worker("killed");
    eventually("the first batch is written", async || (count_changes(&connection).await > 0).then_some(())).await;
    drop(killed);
    let written = count_changes(&connection).await;
    let shown = event::Entity::find().filter(event::COLUMN.shown.eq(true)).count(&connection).await.unwrap();
    assert!(written < shown, "the worker was killed too late");

    let _other = deployment.start_worker("other");
    eventually("all are written", async || (left.clone().count(&connection).await.unwrap() == 0).then_some(())).await;
    let changes = change::Entity::find().all(&connection).await.unwrap();
    let events: BTreeSet<_> = changes.iter().map(|change| change.event_id).collect();
    assert_eq!((changes.len() as u64, events.len() as u64), (shown, shown));
}
