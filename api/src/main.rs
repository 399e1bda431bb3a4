//! `marquee-api`: the HTTP service.

use std::{error::Error, process::ExitCode};

use api::{ApiCommand, Settings, State, auth::command::KeysCommand, server::Limits};
use clap::Parser;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    if let Some(ApiCommand::Keys(command)) = &settings.command {
        return execute(command);
    }
    let telemetry = telemetry::start(&settings.telemetry, "marquee-api");
    // Several TLS providers are linked. Without a default, the first TLS connection would panic.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("TLS provider already installed");
    }
    let code = match serve(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = telemetry::with_causes(error.as_ref()), "API failed");
            ExitCode::FAILURE
        }
    };
    telemetry.shutdown().await;
    code
}

async fn serve(settings: Settings) -> Result<(), Box<dyn Error>> {
    let shutdown = telemetry::shutdown_signal()?;
    let recorder = telemetry::start_metrics()?;
    let limits = Limits::of_process(&settings.serve);
    let state = State { recorder: Some(recorder), ..State::connect(&settings).await? };
    let listener =
        TcpListener::bind(settings.listen).await.map_err(|error| format!("cannot listen on {}: {error}", settings.listen))?;
    tracing::info!(api.listen = %listener.local_addr()?, database.url = %settings.database.url, "API started");
    state.start_background_tasks(settings.database, shutdown.clone());
    api::run(listener, state, limits, shutdown).await?;
    Ok(())
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command prints its result")]
fn execute(command: &KeysCommand) -> ExitCode {
    match command.execute() {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("marquee-api: {}", telemetry::with_causes(&error));
            ExitCode::FAILURE
        }
    }
}
