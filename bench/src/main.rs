//! `marquee-bench`: benchmarks the programs against baseline implementations.
//!
//! Results are ratios to a baseline that is measured in the same run, on the same machine and data, so that they are comparable
//! between machines. A missed limit is a result; only a failed measurement is a failure. Tests check correctness.

mod baseline;
mod build;
mod changes;
mod churn;
mod concerts;
mod feed;
mod feed_states;
mod find;
mod formats;
mod ledger;
mod load;
mod machine;
mod many;
mod memory;
mod process;
mod push;
mod rates;
mod samples;
mod search;
mod server;
mod settings;
mod stack;
mod table;

use std::process::ExitCode;

use clap::Parser;
use programs::Failure;

use self::{
    settings::{
        BenchArguments, BenchCommand, ChangesSettings, ChurnSettings, ConcertsSettings, FindSettings, PushSettings,
        RatesSettings, SearchSettings, SyncSettings, SyncWork,
    },
    table::Table,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = BenchArguments::parse().command;
    let runtime = match &command {
        // One thread each, so that their CPU usage is bounded.
        BenchCommand::Load(_) | BenchCommand::RedisGet(_) => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        // As many threads as the measured programs.
        _ => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
    };
    match runtime {
        Ok(runtime) => runtime.block_on(run(command)),
        Err(error) => report_failure(&error),
    }
}

async fn run(command: BenchCommand) -> ExitCode {
    match command {
        BenchCommand::Sync(settings) => sync(&settings).await,
        BenchCommand::Search(settings) => search(&settings).await,
        BenchCommand::Concerts(settings) => concerts(&settings).await,
        BenchCommand::Find(settings) => find(&settings).await,
        BenchCommand::Rates(settings) => rates(&settings).await,
        BenchCommand::Push(settings) => push(&settings).await,
        BenchCommand::Churn(settings) => churn(&settings).await,
        BenchCommand::Changes(settings) => changes(&settings).await,
        BenchCommand::Load(settings) => {
            load::run_load(settings).await.map_or_else(|failure| report_failure(&*failure), |()| ExitCode::SUCCESS)
        }
        BenchCommand::Constant(settings) => {
            baseline::constant::serve(&settings).await.map_or_else(|failure| report_failure(&*failure), |()| ExitCode::SUCCESS)
        }
        BenchCommand::RedisGet(settings) => {
            baseline::redis_get::run(settings).await.map_or_else(|failure| report_failure(&*failure), |()| ExitCode::SUCCESS)
        }
    }
}

fn report_failure(why: &dyn std::error::Error) -> ExitCode {
    table::progress(why);
    ExitCode::FAILURE
}

async fn sync(settings: &SyncSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&format!("feed of {} MiB, {} rounds, medians", settings.feed_mib, settings.rounds)).await);
    measure(settings, &mut table).await;
    finish(table)
}

async fn search(settings: &SearchSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&search::describe(settings)).await);
    search::measure(settings, &mut table).await;
    finish(table)
}

async fn concerts(settings: &ConcertsSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&concerts::describe(settings)).await);
    concerts::measure(settings, &mut table).await;
    finish(table)
}

async fn find(settings: &FindSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&find::describe(settings)).await);
    find::measure(settings, &mut table).await;
    finish(table)
}

async fn push(settings: &PushSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&push::describe(settings)).await);
    let outcome = push::measure(settings, &mut table).await;
    table.record_failure("pushes", outcome);
    finish(table)
}

async fn churn(settings: &ChurnSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&churn::describe(settings)).await);
    let outcome = churn::measure(settings, &mut table).await;
    table.record_failure("churn", outcome);
    finish(table)
}

async fn changes(settings: &ChangesSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&changes::describe(settings)).await);
    let outcome = changes::measure(settings, &mut table).await;
    table.record_failure("changes", outcome);
    finish(table)
}

async fn rates(settings: &RatesSettings) -> ExitCode {
    let mut table = Table::default();
    table.facts(machine::facts(&rates::describe(settings)).await);
    rates::measure(settings, &mut table).await;
    finish(table)
}

fn finish(mut table: Table) -> ExitCode {
    table.facts([format!("load average at the end: {}", machine::load_average())]);
    table.print();
    if table.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(settings: &SyncSettings, table: &mut Table) {
    if settings.ledger {
        let outcome = many::measure_ledger(table).await;
        table.record_failure("the ledger of a minute with many runs", outcome);
        return;
    }
    if SyncWork::WITH_FEED.iter().any(|work| settings.includes(*work)) {
        let outcome = feed_states::measure(settings, table).await;
        table.record_failure("feeds", outcome);
    }
    if settings.includes(SyncWork::Memory) {
        memory::measure(settings, table).await;
    }
    if settings.includes(SyncWork::Many) {
        let outcome = many::measure(table).await;
        table.record_failure("200 providers, 4 workers", outcome);
    }
    if settings.includes(SyncWork::Formats) {
        let outcome = formats::measure(settings, table).await;
        table.record_failure("formats", outcome);
    }
}
