//! Redirects from ids that events had before, on both databases.

use std::sync::Arc;

use entity::alias::{self, AliasKind};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{EntityTrait, IntoActiveModel, prelude::Uuid};

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    rates::put_places,
    test_app::TestApp,
};

on_every_backend!(an_alias_redirects_to_the_event, an_alias_of_another_kind_is_no_event);

pub(crate) const OLD: Uuid = Uuid::from_u128(1);

pub(crate) async fn start_app(database: &TestDatabase, kind: AliasKind) -> (TestApp, Uuid) {
    let event = NewEvent::titled("moved").venue("Sala", (41.0, 2.0), Some("AAAAA"));
    let target = event.row.id;
    let fixture = CatalogueFixture::new(database).await;
    fixture.insert([event]).await;
    let row = alias::Model { id: OLD, provider_id: 1, kind, target };
    alias::Entity::insert(row.into_active_model()).exec_without_returning(&fixture.database).await.unwrap();
    (TestApp::new(database).await, target)
}

async fn an_alias_redirects_to_the_event(database: Arc<TestDatabase>) {
    let (app, target) = start_app(&database, AliasKind::Event).await;
    let response = app.get(&format!("/events/{OLD}")).await;
    assert_eq!(response.location(), format!("/events/{target}"));
    response.problem(308, "event_moved");

    put_places(&app, &[], &[("AAAAA", "")]).await;
    let response = app.get(&format!("/events/{OLD}/rates?orig_code=AAAAA")).await;
    assert_eq!(app.get(&response.location()).await.status, 200);
    response.problem(308, "event_moved");

    let removal = app.send(Method::DELETE, &format!("/events/{OLD}?reason=x"), &[]).await;
    removal.problem(404, "not_found");
}

async fn an_alias_of_another_kind_is_no_event(database: Arc<TestDatabase>) {
    let (app, _) = start_app(&database, AliasKind::Venue).await;
    app.get(&format!("/events/{OLD}")).await.problem(404, "not_found");
}
