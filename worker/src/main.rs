//! `marquee-worker`: polls event providers and maintains the copy of their catalogues.

use std::process::ExitCode;

use worker::commands::{self, WorkerArguments};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: WorkerArguments = command_line::parse();
    let telemetry = telemetry::start(&arguments.telemetry, "marquee-worker");
    // The build contains more than one TLS library; without a choice the first connection would panic.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS library was already chosen");
    }
    let result = commands::execute(arguments).await;
    if let Err(error) = &result {
        commands::print_error(error.as_ref());
    }
    telemetry.shutdown().await;
    match result {
        Ok(code) => code,
        // Returning would wait for threads that are blocked, for example by looking up a host name.
        Err(_) => std::process::exit(1),
    }
}
