//! `marquee-bench`: measures the real programs against bare peers.
//!
//! Every figure is a ratio to a peer that was measured in the same run, on the same machine and data, so that it means the same
//! on any machine. A missed limit is a result; only what could not be measured is a failure. What is right is for the tests to say.

mod feed;
mod feeds;
mod house;
mod ledger;
mod machine;
mod many;
mod memory;
mod peer;
mod samples;
mod server;
mod settings;
mod table;

use std::process::ExitCode;

use clap::Parser;

use self::{
    settings::{Arguments, Command, SyncSettings, Work},
    table::Table,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why something could not be measured.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Sync(settings) = Arguments::parse().command;
    let mut table = Table::default();
    table.facts(machine::facts(&settings).await);
    measure(&settings, &mut table).await;
    table.facts([format!("load average at the end: {}", machine::load_average())]);
    table.print();
    if table.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(settings: &SyncSettings, table: &mut Table) {
    if settings.day {
        let outcome = many::day(table).await;
        table.unless_measured("a day of the simulator", outcome);
        return;
    }
    if Work::OF_FEEDS.iter().any(|work| settings.wants(*work)) {
        let outcome = feeds::measure(settings, table).await;
        table.unless_measured("feeds", outcome);
    }
    if settings.wants(Work::Memory) {
        memory::measure(settings, table).await;
    }
    if settings.wants(Work::Many) {
        let outcome = many::measure(table).await;
        table.unless_measured("200 providers, 4 workers", outcome);
    }
}
