//! What the long-running programs must do alike, and nothing else: how they log and how they are told to stop.

mod logs;
mod shutdown;

pub use logs::{LogFormat, LogSettings, start_logs, with_causes};
pub use shutdown::shutdown_signal;
