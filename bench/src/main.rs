//! `marquee-bench`: measures the real programs against bare peers.
//!
//! Every figure is a ratio to a peer that was measured in the same run, on the same machine and data, so that it means the same
//! on any machine. A missed limit is a result; only what could not be measured is a failure. What is right is for the tests to say.

mod concerts;
mod feed;
mod feeds;
mod house;
mod ledger;
mod load;
mod machine;
mod many;
mod memory;
mod peer;
mod process;
mod push;
mod rates;
mod samples;
mod search;
mod server;
mod settings;
mod table;

use std::process::ExitCode;

use clap::Parser;

use self::{
    settings::{Arguments, Command, ConcertsSettings, PushSettings, RatesSettings, SearchSettings, SyncSettings, Work},
    table::Table,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why something could not be measured.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let runtime = match &command {
        // One thread each: what these take of the machine is to be known.
        Command::Load(_) | Command::RedisGet(_) => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        // As many threads as the programs under test have.
        _ => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
    };
    match runtime {
        Ok(runtime) => runtime.block_on(run(command)),
        Err(error) => failed(&error),
    }
}

async fn run(command: Command) -> ExitCode {
    match command {
        Command::Sync(settings) => sync(&settings).await,
        Command::Search(settings) => search(&settings).await,
        Command::Concerts(settings) => concerts(&settings).await,
        Command::Rates(settings) => rates(&settings).await,
        Command::Push(settings) => push(&settings).await,
        Command::Load(settings) => load::put(settings).await.map_or_else(|failure| failed(&*failure), |()| ExitCode::SUCCESS),
        Command::Bare(settings) => {
            peer::bare::serve(&settings).await.map_or_else(|failure| failed(&*failure), |()| ExitCode::SUCCESS)
        }
        Command::RedisGet(settings) => {
            peer::redis_get::read(settings).await.map_or_else(|failure| failed(&*failure), |()| ExitCode::SUCCESS)
        }
    }
}

fn failed(why: &dyn std::error::Error) -> ExitCode {
    table::progress(why);
    ExitCode::FAILURE
}

async fn sync(settings: &SyncSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&format!("feed of {} MiB, {} rounds, medians", settings.feed_mib, settings.rounds)).await);
    measure(settings, &mut table).await;
    ended(table)
}

async fn search(settings: &SearchSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&search::measured(settings)).await);
    search::measure(settings, &mut table).await;
    ended(table)
}

async fn concerts(settings: &ConcertsSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&concerts::measured(settings)).await);
    concerts::measure(settings, &mut table).await;
    ended(table)
}

async fn push(settings: &PushSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&push::measured(settings)).await);
    let outcome = push::measure(settings, &mut table).await;
    table.unless_measured("pushes", outcome);
    ended(table)
}

async fn rates(settings: &RatesSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&rates::measured(settings)).await);
    rates::measure(settings, &mut table).await;
    ended(table)
}

fn ended(mut table: Table) -> ExitCode {
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
