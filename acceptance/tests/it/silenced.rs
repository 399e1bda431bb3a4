//! A program whose log nobody takes any more goes on, and still ends when it is told to.

use std::sync::Arc;

use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn an_api_whose_log_is_closed_serves_and_ends() {
    let house = House::new(Arc::new(TestDatabase::migrated(Backend::Sqlite).await), SimCatalogue::default()).await;
    let (mut api, log) = house.api_with_log();
    drop(log);
    for _ in 0..3 {
        assert_eq!(api.get("/livez").await.0, 200);
    }
    assert!(api.terminate().success());
}
