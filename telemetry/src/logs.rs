//! Logs: one event per line on standard error. Standard output is for the output of commands.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{self, MakeWriter},
    registry::LookupSpan,
};

/// What a program logs and how.
#[derive(Args, Clone, Debug)]
pub struct LogSettings {
    /// Log format
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "text", global = true)]
    pub log_format: LogFormat,
    /// Log level, or directives such as `info,worker=debug`
    #[arg(long, env = "LOG_FILTER", default_value = "info,poem=warn,rmcp=error,sqlx_core::pool=off", global = true, value_parser = validate_filter)]
    pub log_filter: String,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people: the fields of the span precede the message
    Text,
    /// One JSON object per line: the fields of the event at the top level, those of its span in `span`
    Json,
}

/// Builds the layer that writes log lines.
pub(crate) fn build_layer<S, W>(settings: &LogSettings, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let layer = fmt::layer()
        .with_target(false)
        // A line that cannot be written (closed terminal, full disk) is lost: reporting it on standard error would panic.
        .log_internal_errors(false)
        .with_writer(writer);
    let filter = EnvFilter::new(&settings.log_filter);
    match settings.log_format {
        LogFormat::Text => layer.with_ansi(is_color_wanted()).with_filter(filter).boxed(),
        // Requests and jobs have one span each, so the list of spans would only repeat the current one.
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
    }
}

/// Whether standard error is a terminal and [`NO_COLOR`](https://no-color.org) is not set.
fn is_color_wanted() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn validate_filter(directives: &str) -> Result<String, String> {
    match EnvFilter::try_new(directives) {
        Ok(_) => Ok(directives.to_owned()),
        Err(error) => Err(format!("must be a level or comma-separated directives such as `info,worker=debug`: {error}")),
    }
}
