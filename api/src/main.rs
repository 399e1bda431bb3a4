//! `marquee-api`: the HTTP service.

use std::{error::Error, process::ExitCode};

use api::{
    Settings, State,
    serve::{Limits, rate::RateLimiter},
};
use clap::Parser;
use entity::Role;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    telemetry::start_logs(&settings.logs);
    match serve(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = telemetry::with_causes(error.as_ref()), "the API cannot serve");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> Result<(), Box<dyn Error>> {
    let shutdown = telemetry::shutdown_signal()?;
    let limits = Limits::of_process(&settings.serve);
    let database = entity::connect(&settings.database, Role::Api).await?;
    let listener = TcpListener::bind(settings.listen).await.map_err(|error| format!("{}: {error}", settings.listen))?;
    tracing::info!(listen = %listener.local_addr()?, database = %settings.database.url, "the API is serving");
    let state = State { database: database.clone(), rate: RateLimiter::of(&settings.rate), ..State::default() };
    api::run(listener, state, limits, shutdown).await?;
    database.close().await?;
    Ok(())
}
