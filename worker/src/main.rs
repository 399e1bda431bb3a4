//! `marquee-worker`: polls the providers and keeps the copy.

use std::process::ExitCode;

use clap::Parser;
use worker::commands::{self, Arguments};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let telemetry = telemetry::start(&arguments.telemetry, "marquee-worker");
    // More than one TLS library could serve; without a choice the first connection would panic.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS library had been chosen before");
    }
    let code = match commands::execute(arguments).await {
        Ok(code) => code,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a command line tells its failure on standard error")]
            {
                eprintln!("marquee-worker: {}", telemetry::with_causes(error.as_ref()));
            }
            ExitCode::FAILURE
        }
    };
    telemetry.shutdown().await;
    code
}
