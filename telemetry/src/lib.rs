//! What the long-running programs share: logs, traces, the metrics endpoint, the shutdown signal, and messages to
//! the service manager.

mod logs;
mod metrics;
mod service_manager;
mod shutdown;
mod traces;

use clap::Args;
use tracing::Subscriber;
use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt, registry::Registry, util::SubscriberInitExt};

pub use command_line::with_causes;
pub use logs::{LogFormat, LogSettings};
pub use metrics::{MetricsRecorder, MetricsSettings, UPKEEP_EVERY, serve_metrics, start_metrics};
pub use service_manager::notify_ready;
pub use shutdown::shutdown_signal;
pub use traces::{TraceSettings, set_remote_parent};

use traces::SpanExport;

/// Logs and traces of a program.
#[derive(Args, Clone, Debug)]
pub struct TelemetrySettings {
    /// Logs.
    #[command(flatten)]
    pub logs: LogSettings,
    /// Traces.
    #[command(flatten)]
    pub traces: TraceSettings,
}

/// Running telemetry of a process.
#[derive(Debug)]
#[must_use = "the last spans are exported by `shutdown`"]
pub struct Telemetry(Option<SpanExport>);

impl Telemetry {
    /// Exports the spans that have ended. Waits for a few seconds at most: a collector that does not respond must not delay the exit.
    pub async fn shutdown(self) {
        if let Some(export) = self.0 {
            export.shutdown().await;
        }
    }
}

/// Starts logs and, if an endpoint is set, trace export for the whole process. `service` is the `service.name` of its spans. Must be called
/// in a tokio runtime. A second call changes nothing, so that a test can start more than one program.
pub fn start(settings: &TelemetrySettings, service: &'static str) -> Telemetry {
    let export = SpanExport::start(&settings.traces, service);
    let (export, error) = export.map_or_else(|error| (None, Some(error)), |export| (export, None));
    if build_subscriber(settings, service, export.as_ref(), std::io::stderr).try_init().is_err() {
        tracing::debug!("telemetry is already started");
    }
    if let Some(error) = error {
        tracing::error!(error = with_causes(error.as_ref()), "traces are not exported");
    }
    Telemetry(export)
}

fn build_subscriber<W>(
    settings: &TelemetrySettings,
    service: &'static str,
    export: Option<&SpanExport>,
    log_writer: W,
) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    Registry::default().with(logs::build_layer(&settings.logs, log_writer)).with(export.map(|export| export.build_layer(service)))
}

#[cfg(test)]
mod tests;
