//! The long-running part of `marquee-worker run`: schedules that enqueue jobs, and the runner that executes them.

use std::{sync::Arc, time::Duration};

use sea_orm::DatabaseConnection;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    database::wait_until_schema_differs,
    jobs::{self, JobContext, runner::Runner},
    provider::fetch::FeedClient,
    reload::Providers,
    schedule::{self, ScheduleError},
    sync::FeedSource,
    webhooks::{self, DeliveryContext, MAX_DELIVERIES},
};

/// Why the service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceEnd {
    /// It was shut down, and all jobs ended within the drain time.
    Drained,
    /// It was shut down, and jobs had to be released.
    DrainTimedOut,
    /// The schema does not fit this program any more. Running jobs were released.
    SchemaDiffers,
}

/// Enqueues every provider's ticks and runs due jobs, including those enqueued by the API, until `shutdown` is cancelled; then waits
/// for the running jobs. If another release migrates the schema so that it does not fit this program, ends immediately.
///
/// # Errors
///
/// When the database is unavailable at the start.
pub async fn run(
    database: &DatabaseConnection,
    mut providers: watch::Receiver<Providers>,
    client: &FeedClient,
    deliveries: &DeliveryContext,
    lease: Duration,
    shutdown: CancellationToken,
) -> Result<ServiceEnd, ScheduleError> {
    let wake = Arc::new(Notify::new());
    let stop = shutdown.child_token();
    let source = FeedSource::Provider(client.clone().stopped_by(stop.clone()));
    let context = JobContext::new(database.clone(), providers.clone(), source);
    let runner = Runner::new(database.clone(), jobs::registry(), context, lease, wake.clone());
    let deliverer = start_deliveries(deliveries, lease, &stop);
    // Before the schedules: starting hundreds of them takes a while, and queued jobs need not wait for that.
    let releases = [runner.release_token(), deliverer.release_token()];
    let mut running = {
        let stop = stop.clone();
        tokio::spawn(async move {
            let (jobs, deliveries) = tokio::join!(runner.run(&stop), deliverer.run(&stop));
            jobs && deliveries
        })
    };
    let current = providers.borrow_and_update().clone();
    let schedules = match schedule::start(database, &current, &wake, &stop).await {
        Ok(schedules) => schedules,
        Err(error) => {
            stop.cancel();
            let _drained = running.await;
            return Err(error);
        }
    };
    tokio::select! {
        drained = &mut running => Ok(if drained.unwrap_or(false) { ServiceEnd::Drained } else { ServiceEnd::DrainTimedOut }),
        () = wait_until_schema_differs(database) => {
            releases.iter().for_each(CancellationToken::cancel);
            stop.cancel();
            let _released = running.await;
            Ok(ServiceEnd::SchemaDiffers)
        }
        never = schedules.follow(database, providers, &wake, &stop) => match never {},
    }
}

/// The jobs that deliver webhooks, and what enqueues them.
fn start_deliveries(context: &DeliveryContext, lease: Duration, stop: &CancellationToken) -> Runner<DeliveryContext> {
    let (context, wake) = (context.clone().stopped_by(stop.clone()), Arc::new(Notify::new()));
    let database = context.database.clone();
    tokio::spawn(webhooks::dispatch::run(database.clone(), wake.clone(), stop.clone()));
    Runner::new(database, jobs::delivery_registry(), context, lease, wake).with_slots(MAX_DELIVERIES)
}
