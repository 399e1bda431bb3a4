//! Peak memory of the worker with a feed larger than real ones, which the server streams.

use entity::sync_run::RunState;
use migration::testing::Backend;

use crate::{
    Failure,
    feed::BenchFeed,
    server::{DocumentServer, HttpDocument},
    settings::SyncSettings,
    stack::{BenchProvider, BenchStack, SLUG},
    table::{Table, progress},
};

/// The maximum memory of a worker process, independent of the feed.
const LIMIT_MIB: u64 = 256;

/// A first load, and the same content in another order, on each database.
pub(crate) async fn measure(settings: &SyncSettings, table: &mut Table) {
    for backend in [Backend::Postgres, Backend::Sqlite] {
        if let Err(failure) = on(backend, settings, table).await {
            table.failed(&format!("peak memory, feed of {} MiB, {backend:?}", settings.big_mib), failure);
        }
    }
}

async fn on(backend: Backend, settings: &SyncSettings, table: &mut Table) -> Result<(), Failure> {
    let server = DocumentServer::start().await?;
    let stack = BenchStack::new(backend, &[BenchProvider { slug: SLUG, url: &server.url(), schedule: "0 0 0 1 1 *" }]).await?;
    let outcome = loads(&server, &stack, backend, settings, table).await;
    stack.remove().await;
    outcome
}

async fn loads(
    server: &DocumentServer,
    stack: &BenchStack,
    backend: Backend,
    settings: &SyncSettings,
    table: &mut Table,
) -> Result<(), Failure> {
    let feed = BenchFeed::with_mib(settings.big_mib);
    for (order, work, state) in [(0, "first load", RunState::Succeeded), (1, "same content", RunState::Unchanged)] {
        progress(format_args!("memory, {backend:?}, {work}: {} events", feed.event_count()));
        server.serve(HttpDocument::Streamed(BenchFeed { order, ..feed }), format!("order {order}"));
        let run = stack.sync().await?;
        if run.row.state != state {
            return Err(format!("the state of the {work} is {:?}", run.row.state).into());
        }
        let peak_mib = run.usage.peak_kib / 1024;
        let marquee = format!("{peak_mib} MiB ({:.1} s)", run.process.as_secs_f64());
        let work = format!("peak memory, feed of {} MiB, {work}, {backend:?}", settings.big_mib);
        table.absolute(&work, &marquee, &format!("{LIMIT_MIB} MiB"), peak_mib <= LIMIT_MIB);
    }
    Ok(())
}
