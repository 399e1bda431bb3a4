//! API and worker with a login that has only the rights of `marquee_service`.

use std::{process::Command, sync::Arc};

use entity::{ConnectionRole, DatabaseSettings, job};
use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter};
use tempfile::TempDir;

use crate::{
    deployment::{Deployment, SLUG, program},
    wait::eventually,
};

/// Creates a login of the programs, as `marquee-migrate roles` describes.
async fn create_service_login(administrator: &DatabaseConnection, database: &TestDatabase) -> (String, DatabaseSettings) {
    let roles = Command::new(program("marquee-migrate")).arg("roles").output().unwrap();
    let roles = String::from_utf8(roles.stdout).unwrap();
    let (_, server) = database.settings.url.expose().split_once('@').unwrap();
    let login = format!("{}_app", server.rsplit('/').next().unwrap().split('?').next().unwrap());
    for sql in [&roles, &format!("CREATE ROLE {login} LOGIN PASSWORD 'test' IN ROLE marquee_service"), &roles] {
        administrator.execute_unprepared(sql).await.unwrap();
    }
    let settings = DatabaseSettings { url: format!("postgres://{login}:test@{server}").parse().unwrap() };
    (login, settings)
}

/// A job that deletes old rows, which otherwise runs once an hour.
async fn enqueue_cleanup(administrator: &DatabaseConnection) {
    let cleanup = job::ActiveModel {
        kind: Set("cleanup".to_owned()),
        key: Set("cleanup/0".to_owned()),
        lane: Set("cleanup".to_owned()),
        payload: Set("{}".to_owned()),
        state: Set(job::JobState::Queued),
        run_at: Set(entity::UtcInstant(0)),
        attempt: Set(0),
        max_attempts: Set(1),
        epoch: Set(0),
        created_at: Set(entity::UtcInstant(0)),
        in_order: Set(false),
        ..Default::default()
    };
    job::Entity::insert(cleanup).exec_without_returning(administrator).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_marquee_service_can_run_all_programs_but_migrate() {
    let database = Arc::new(TestDatabase::migrated(Backend::Postgres).await);
    let administrator = database.connect(ConnectionRole::Migrate).await;
    let (login, settings) = create_service_login(&administrator, &database).await;
    let mut deployment = Deployment::new(database.clone(), SimCatalogue { events: 3, ..SimCatalogue::default() }).await;
    deployment.worker_database = settings.clone();
    let url = settings.url.expose();
    let (api, worker) = (deployment.start_api_with(&[("DATABASE_URL", url)]), deployment.start_worker("worker"));

    eventually("a sync succeeds", async || {
        let (_, runs) = api.get("/sync-runs?state=succeeded").await;
        runs["data"]["sync_runs"].as_array().is_some_and(|runs| !runs.is_empty()).then_some(())
    })
    .await;
    assert_eq!(api.get("/readyz?strict").await.0, 200);
    let csv = "orig_code,dest_code,day,price\nAAAAA,AAAAA,2021-01-31,7\n";
    let feed = "<?xml version=\"1.0\"?><eventList version=\"1.0\"><output/></eventList>";
    for (method, path, media_type, body, expected) in [
        ("PUT", "/places", "application/json", r#"{"regions":[],"places":[{"code":"AAAAA","name":"A"}]}"#, 200),
        ("POST", "/rates/batches", "text/csv", csv, 201),
        ("DELETE", "/rates/batches/1", "text/plain", "", 204),
        ("POST", "/providers/fever/feed?mode=delta", "application/xml", feed, 202),
        ("POST", "/providers/fever/feed?dry_run=true", "application/xml", feed, 200),
        ("POST", "/providers/fever/sync", "text/plain", "", 202),
        ("POST", "/multivac/data", "application/x-www-form-urlencoded", "data=late", 200),
    ] {
        let (status, response) = api.send(method, path, &[("Content-Type", media_type)], body).await.unwrap();
        assert_eq!(status, expected, "{path}: {response}");
    }
    eventually("the datum is processed", async || (api.text("/multivac").await == "late").then_some(())).await;
    enqueue_cleanup(&administrator).await;
    eventually("all jobs are done", async || {
        (job::Entity::find().filter(job::Column::Kind.eq("cleanup")).count(&administrator).await.unwrap() == 0).then_some(())
    })
    .await;
    let folder = TempDir::new().unwrap();
    let batch = folder.path().join("batch.csv");
    std::fs::write(&batch, csv).unwrap();
    for arguments in [&["status"][..], &["jobs", "list"], &["rates", "load", batch.to_str().unwrap()], &["sync", SLUG]] {
        let output = deployment.worker_command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let log = worker.read_log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    drop((api, worker));

    let mut down = Command::new(program("marquee-migrate"));
    let down = down.args(["down"]).env("DATABASE_URL", url).output().unwrap();
    assert!(String::from_utf8_lossy(&down.stderr).contains("permission denied"), "{}", String::from_utf8_lossy(&down.stderr));
    administrator.execute_unprepared(&format!("DROP OWNED BY {login}; DROP ROLE {login}")).await.unwrap();
    administrator.close().await.unwrap();
}
