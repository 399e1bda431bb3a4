//! A provider with an incomplete first load: no read shows any of it.

use std::sync::Arc;

use entity::{UtcInstant, catalogue_version, provider};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{EntityTrait, QueryFilter};

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    rates::put_places,
    test_app::TestApp,
};

on_every_backend!(an_incomplete_first_load_is_invisible);

async fn an_incomplete_first_load_is_invisible(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let in_barcelona = |event: NewEvent, name: &str| event.performers(&[name]).venue(name, (41.0, 2.0), Some("ESBCN"));
    let loaded = in_barcelona(NewEvent::titled("loaded"), "Loaded");
    let loading = NewEvent { provider: "loading", ..NewEvent::titled("loading") };
    let loading = in_barcelona(loading, "Loading");
    let ids = [&loaded, &loading].map(|event| event.row.id);
    catalogue.insert([loaded, loading]).await;
    let set_loading = async |since: Option<UtcInstant>| {
        provider::Entity::update_many()
            .col_expr(provider::Column::LoadingSince, since.into())
            .filter(provider::COLUMN.slug.eq("loading"))
            .exec(&catalogue.database)
            .await
            .unwrap();
        catalogue_version::increment(&catalogue.database).await.unwrap();
        // A new process has no cached responses.
        let app = TestApp::new(&database).await;
        put_places(&app, &[], &[("ESBCN", "")]).await;
        app
    };

    for (since, visible) in [(Some(UtcInstant(1)), 1), (None, 2)] {
        let app = set_loading(since).await;
        for (path, list) in [
            ("/search?starts_at=2000-01-01&ends_at=2100-01-01", "/data/events"),
            ("/concerts?bandIds=Loaded,Loading", ""),
            ("/concerts?latitude=41&longitude=2&radius=1", ""),
            ("/concerts?bandIds=Loaded,Loading&latitude=41&longitude=2&radius=1", ""),
            ("/performers", "/performers"),
            ("/performers?q=performer", "/performers"),
            ("/venues", "/venues"),
            ("/venues?latitude=41&longitude=2&radius=1", "/venues"),
        ] {
            let rows = app.get(path).await.json().pointer(list).unwrap().as_array().unwrap().len();
            assert_eq!(rows, visible, "{path}, loading since {since:?}");
        }
        for (id, status) in ids.into_iter().zip([200, if since.is_some() { 404 } else { 200 }]) {
            for path in [format!("/events/{id}"), format!("/events/{id}/rates?orig_code=ESBCN")] {
                assert_eq!(app.get(&path).await.status, status, "{path}, loading since {since:?}");
            }
        }
    }
}
