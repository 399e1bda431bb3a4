//! Peak memory with a feed that is larger than any in the field, streamed so that nothing but the worker could hold it.

use entity::sync_run::RunState;
use migration::testing::Backend;

use crate::{
    Failure,
    feed::Feed,
    house::{Entry, House, SLUG},
    server::{Document, Server},
    settings::SyncSettings,
    table::{Table, progress},
};

/// Most that a worker process may ever hold, whatever the feed.
const LIMIT_MIB: u64 = 256;

/// First load, and the same content in another order, on each database.
pub(crate) async fn measure(settings: &SyncSettings, table: &mut Table) {
    for backend in [Backend::Postgres, Backend::Sqlite] {
        if let Err(failure) = on(backend, settings, table).await {
            table.failed(&format!("peak memory, feed of {} MiB, {backend:?}", settings.big_mib), failure);
        }
    }
}

async fn on(backend: Backend, settings: &SyncSettings, table: &mut Table) -> Result<(), Failure> {
    let server = Server::start().await?;
    let house = House::new(backend, &[Entry { slug: SLUG, url: &server.url(), schedule: "0 0 0 1 1 *" }]).await?;
    let outcome = loads(&server, &house, backend, settings, table).await;
    house.remove().await;
    outcome
}

async fn loads(
    server: &Server,
    house: &House,
    backend: Backend,
    settings: &SyncSettings,
    table: &mut Table,
) -> Result<(), Failure> {
    let feed = Feed::of_mib(settings.big_mib);
    for (order, work, state) in [(0, "first load", RunState::Succeeded), (1, "same content", RunState::Unchanged)] {
        progress(format_args!("memory, {backend:?}, {work}: {} events", feed.event_count()));
        server.serve(Document::Streamed(Feed { order, ..feed }), format!("order {order}"));
        let run = house.sync().await?;
        if run.entered.state != state {
            return Err(format!("{work} ended as {:?}", run.entered.state).into());
        }
        let peak_mib = run.taken.peak_kib / 1024;
        let ours = format!("{peak_mib} MiB ({:.1} s)", run.process.as_secs_f64());
        let work = format!("peak memory, feed of {} MiB, {work}, {backend:?}", settings.big_mib);
        table.absolute(&work, &ours, &format!("{LIMIT_MIB} MiB"), peak_mib <= LIMIT_MIB);
    }
    Ok(())
}
