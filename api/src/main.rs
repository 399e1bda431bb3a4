//! `marquee-api`: the HTTP service.

use std::{error::Error, process::ExitCode};

use api::{Settings, State, server::Limits};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let settings: Settings = command_line::parse();
    if let Some(command) = &settings.command {
        return command.execute(&settings).await;
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
    let listeners = settings.bind().await?;
    let ops = listeners.operations.as_ref().map(TcpListener::local_addr).transpose()?.map(tracing::field::display);
    tracing::info!(api.listen = %listeners.public.local_addr()?, ops.listen = ops, database.url = %settings.database.url, "API started");
    telemetry::notify_ready(&shutdown);
    tokio::spawn(api::database::report_unavailable(settings.databases()));
    // Before the first request, which this program could misread if the schema is too new. Takes a second at most.
    let _unavailable = state.version.refresh().await;
    state.start_background_tasks(settings.database, shutdown.clone());
    api::run(listeners, state, limits, shutdown).await?;
    Ok(())
}
