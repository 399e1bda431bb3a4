//! A full disk under SQLite: every write fails in time, writing continues once there is space, and no acknowledged write is lost.

use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use entity::{ConnectionRole, datum, job, rate_batch, region, sync_run, sync_run::RunState};
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use provider_sim::{InjectedFault, SimCatalogue};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
};

use crate::{
    deployment::{ApiProcess, Deployment, SLUG, format_entry},
    wait::eventually,
};

on_every_backend!(a_failed_sync_is_recorded_once_there_is_space);

/// The deadline of a write, and a margin for a busy machine.
const DEADLINE: Duration = Duration::from_secs(12);
/// A limit of the size of files in bytes that leaves space for the log of a program, but not for the write-ahead log.
const LESS_THAN_THE_DATABASE: &str = "8192";
/// Rounds of writes before, during and after the disk is full: more than a pool has connections.
const ROUNDS: usize = 15;

/// Sends writes of every kind, and records those that the API has acknowledged.
#[derive(Default)]
struct Client {
    sent: usize,
    data: Vec<String>,
    batches: Vec<i64>,
    runs: Vec<i64>,
    regions: Vec<String>,
}

impl Client {
    /// Sends one write of each kind, and returns the statuses.
    async fn write(&mut self, api: &ApiProcess) -> [u16; 5] {
        self.sent += 1;
        let name = format!("w{}", self.sent);
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let (datum, _) = send(api, "POST", "/multivac/data", &[form], &format!("data={name}")).await;
        if datum == 200 {
            self.data.push(name.clone());
        }

        let places = serde_json::json!({
            "regions": [{"slug": name, "name": name}],
            "places": [{"code": "XXAAA", "name": "A", "region_slug": name}, {"code": "XXBBB", "name": "B", "region_slug": name}],
        });
        let (listed, _) = send(api, "PUT", "/places", &[("Content-Type", "application/json")], &places.to_string()).await;
        if listed == 200 {
            self.regions.push(name.clone());
        }

        let headers = [("Content-Type", "text/csv"), ("Idempotency-Key", name.as_str())];
        let prices = "orig_code,dest_code,day,price\nXXAAA,XXBBB,2021-05-01,10\n";
        let (batch, body) = send(api, "POST", "/rates/batches", &headers, prices).await;
        if batch == 201 {
            self.batches.push(body["data"]["id"].as_i64().unwrap());
        }

        let document = format!(
            "<eventList><output><base_event base_event_id=\"{name}\" sell_mode=\"online\" title=\"{name}\">\
             <event event_id=\"1\" event_start_date=\"2031-06-30T21:00:00\"/></base_event></output></eventList>"
        );
        let path = format!("/providers/{SLUG}/feed?mode=delta");
        let (push, body) = send(api, "POST", &path, &[("Content-Type", "application/xml")], &document).await;
        self.runs.extend(body["data"]["sync_run"].as_i64().filter(|_| push == 202));

        let (sync, body) = send(api, "POST", &format!("/providers/{SLUG}/sync"), &[], "").await;
        self.runs.extend(body["data"]["sync_run"].as_i64().filter(|_| sync == 202));
        [datum, listed, batch, push, sync]
    }

    /// Checks that everything that was acknowledged is in the database.
    async fn assert_nothing_lost(&self, database: &DatabaseConnection) {
        let data = datum::Entity::find().filter(datum::Column::Data.is_in(self.data.clone())).count(database).await.unwrap();
        let batches = rate_batch::Entity::find().filter(rate_batch::Column::Id.is_in(self.batches.clone()));
        let runs = sync_run::Entity::find().filter(sync_run::Column::Id.is_in(self.runs.clone()));
        assert_eq!(data, self.data.len() as u64, "data");
        assert_eq!(batches.count(database).await.unwrap(), self.batches.len() as u64, "batches");
        let mut ids = self.runs.clone();
        // A request for a sync that is queued already returns the same run.
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(runs.count(database).await.unwrap(), ids.len() as u64, "runs");
        let region = region::Entity::find().one(database).await.unwrap().map(|region| region.slug);
        assert_eq!(region, self.regions.last().cloned(), "places");
    }
}

async fn send(api: &ApiProcess, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, serde_json::Value) {
    let started = Instant::now();
    let response = api.send(method, path, headers, body).await.unwrap();
    assert!(started.elapsed() < DEADLINE, "{method} {path} took {:?}", started.elapsed());
    response
}

/// Limits the size of the files of a process. Writes beyond it fail.
fn limit_file_size(process: u32, bytes: &str) {
    let arguments = [format!("--pid={process}"), format!("--fsize={bytes}:")];
    assert!(Command::new("prlimit").args(arguments).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_writes_survive_a_full_disk() {
    let database = Arc::new(TestDatabase::migrated(Backend::Sqlite).await);
    let deployment = Deployment::new(database.clone(), SimCatalogue { events: 20, ..SimCatalogue::default() }).await;
    deployment.write_providers(&format_entry(SLUG, &deployment.url, "* * * * * *"));
    assert!(deployment.sync(), "creates the row of the provider");
    let mut api = deployment.start_api();
    let worker = deployment.start_worker("one");
    let mut client = Client::default();
    for _ in 0..ROUNDS {
        assert_eq!(client.write(&api).await, [200, 200, 201, 202, 202]);
    }

    for process in [api.id(), worker.id()] {
        limit_file_size(process, "1");
    }
    for _ in 0..ROUNDS {
        let statuses = client.write(&api).await;
        let [writes @ .., sync] = &statuses;
        assert!(writes.iter().all(|status| [503, 507].contains(status)), "{statuses:?}");
        // A sync that is queued already is returned without a write.
        assert!([202, 503].contains(sync), "{statuses:?}");
    }

    for process in [api.id(), worker.id()] {
        limit_file_size(process, "unlimited");
    }
    for _ in 0..ROUNDS {
        assert_eq!(client.write(&api).await, [200, 200, 201, 202, 202]);
    }
    let reader = database.connect(ConnectionRole::Api).await;
    eventually("the worker has completed all jobs", async || {
        let unprocessed = datum::Entity::find().filter(datum::Column::ProcessedAt.is_null()).count(&reader).await.unwrap();
        let pushes = job::Entity::find().filter(job::Column::Kind.eq("push")).count(&reader).await.unwrap();
        (unprocessed + pushes == 0).then_some(())
    })
    .await;
    api.kill();
    worker.send_signal("KILL");
    client.assert_nothing_lost(&reader).await;
    let succeeded = sync_run::Entity::find().filter(sync_run::Column::State.eq(RunState::Succeeded));
    assert!(succeeded.count(&reader).await.unwrap() >= 2 * ROUNDS as u64, "every accepted push was applied");
}

/// Lets all writes of a sync fail, like those to a full disk.
async fn fill_disk(database: &DatabaseConnection, worker: u32) {
    match database.get_database_backend() {
        DbBackend::Postgres => {
            let fail = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '53100'; END $$";
            database.execute_unprepared(fail).await.unwrap();
            for table in ["event", "sync_run", "job"] {
                let trigger = format!("CREATE TRIGGER fail BEFORE INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION fail()");
                database.execute_unprepared(&trigger).await.unwrap();
            }
        }
        _ => limit_file_size(worker, LESS_THAN_THE_DATABASE),
    }
}

async fn free_disk(database: &DatabaseConnection, worker: u32) {
    match database.get_database_backend() {
        DbBackend::Postgres => {
            database.execute_unprepared("DROP FUNCTION fail() CASCADE").await.unwrap();
        }
        _ => limit_file_size(worker, "unlimited"),
    }
}

/// The schedule has no other tick, which would close the run.
async fn a_failed_sync_is_recorded_once_there_is_space(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, SimCatalogue { events: 20, ..SimCatalogue::default() }).await;
    deployment.write_providers(&format_entry(SLUG, &deployment.url, "0 0 0 1 1 *"));
    // Time to fill the disk after the run has started, also on a busy machine.
    deployment.provider.fail_next([InjectedFault::Latency(Duration::from_secs(5))]);
    let database = deployment.database.connect(ConnectionRole::Worker).await;
    let worker = deployment.start_worker("one");
    eventually("the run has started", async || (deployment.provider.statistics().requests == 1).then_some(())).await;

    fill_disk(&database, worker.id()).await;
    eventually("the failure cannot be recorded", async || {
        worker.read_log().contains("the database cannot be written, retrying").then_some(())
    })
    .await;
    free_disk(&database, worker.id()).await;

    eventually("the failure is recorded and the sync retried", async || {
        let runs = sync_run::Entity::find().order_by_asc(sync_run::Column::Id).all(&database).await.unwrap();
        let outcomes: Vec<_> = runs.iter().map(|run| (run.state, run.reason_code.as_deref())).collect();
        (outcomes == [(RunState::Failed, Some("database_error")), (RunState::Succeeded, None)]).then_some(())
    })
    .await;
}
