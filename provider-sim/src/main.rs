//! `marquee-provider`: serves a simulated provider, or prints its feed.

mod settings;

use std::io::{self, Write};
use std::process::ExitCode;

use provider_sim::{SimProvider, serve};
use settings::SimSettings;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    match run(command_line::parse::<SimSettings>()).await {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the printed feed has closed the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "marquee-provider: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: SimSettings) -> io::Result<()> {
    let catalogue = settings.catalogue();
    if settings.print {
        return catalogue.write_feed(0, &mut io::stdout());
    }
    let provider = SimProvider::new(catalogue);
    provider.set_max_age(settings.max_age);
    provider.set_faults(settings.faults);
    let shutdown = CancellationToken::new();
    cancel_at_signal(shutdown.clone())?;
    let listener = settings.listen.bind("SIMULATOR_LISTEN").await.map_err(io::Error::other)?;
    writeln!(io::stdout(), "http://{}/feed", listener.local_addr()?)?;
    serve(listener, provider, shutdown).await
}

fn cancel_at_signal(shutdown: CancellationToken) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        shutdown.cancel();
    });
    Ok(())
}
