//! Programs as child processes, for benchmarks and failure tests: where they are installed, how they are started, signals, and what
//! they use.

mod find;
mod start;
mod usage;

pub use self::{
    find::{find_built_program, find_installed_program},
    start::{free_address, read_tail, send_signal, start_and_wait},
    usage::{ProcessUsage, cpu_time, sample_usage},
};

/// Why a program cannot be used: a sentence for the person who started it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
