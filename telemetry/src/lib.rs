//! What the long-running programs must do alike, and nothing else: how they log, how their metrics are read, and how they are told
//! to stop.

mod logs;
mod metrics;
mod shutdown;

pub use logs::{LogFormat, LogSettings, start_logs, with_causes};
pub use metrics::{MetricsRecorder, MetricsSettings, UPKEEP_EVERY, serve_metrics, start_metrics};
pub use shutdown::shutdown_signal;
