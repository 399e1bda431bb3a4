//! `marquee-chaos`: runs the real programs under faults, and measures what clients observe.
//!
//! A scenario starts a deployment, sends reads and writes at a fixed rate, injects a fault, and repairs it. Then every acknowledged
//! write must be there. The results are a table; a missed limit is a failure.

mod client;
mod crashes;
mod deployment;
mod disk;
mod ha;
mod ledger;
mod load;
mod matrix;
mod process;
mod proxy;
mod sandbox;
mod servers;
mod settings;
mod soak;
mod table;

use std::process::ExitCode;

use clap::Parser;

use self::settings::{ChaosArguments, ChaosCommand};

#[tokio::main]
async fn main() -> ExitCode {
    let run = async {
        match ChaosArguments::parse().command {
            ChaosCommand::Ha(settings) => ha::run(&settings).await,
            ChaosCommand::Matrix(settings) => matrix::run(&settings).await,
            ChaosCommand::Soak(settings) => soak::run(&settings).await,
            ChaosCommand::Crashes(settings) => crashes::run(&settings).await,
        }
    };
    // Programs are stopped on drop, so an interrupted run must return.
    let result = tokio::select! {
        result = run => result,
        () = interrupted() => Err("interrupted".into()),
    };
    match result {
        Ok(table) => {
            table.print();
            if table.is_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            table::report_progress(failure);
            ExitCode::FAILURE
        }
    }
}

async fn interrupted() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => (),
        () = terminated => (),
    }
}
