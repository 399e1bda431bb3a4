//! A program keeps running, and still stops on a signal, after the reader of its log has closed the pipe.

use std::sync::Arc;

use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;

use crate::deployment::Deployment;

#[tokio::test(flavor = "multi_thread")]
async fn an_api_with_a_closed_log_serves_requests_and_stops() {
    let database = Arc::new(TestDatabase::migrated(Backend::Sqlite).await);
    let deployment = Deployment::new(database, SimCatalogue::default()).await;
    let (mut api, log) = deployment.start_api_with_log();
    drop(log);
    for _ in 0..3 {
        assert_eq!(api.get("/livez").await.0, 200);
    }
    assert!(api.terminate().success());
}
