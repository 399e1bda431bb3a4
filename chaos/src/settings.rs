//! The command line.

use clap::{Args, Parser, Subcommand};

use crate::ha::Failover;

/// Runs Marquee under faults, and measures what clients observe.
#[derive(Debug, Parser)]
#[command(name = "marquee-chaos", version)]
pub(crate) struct ChaosArguments {
    #[command(subcommand)]
    pub(crate) command: ChaosCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChaosCommand {
    /// Failovers of PostgreSQL (Patroni, etcd, HAProxy) and of Redis (Sentinel, Cluster)
    Ha(HaSettings),
}

#[derive(Args, Debug)]
pub(crate) struct HaSettings {
    /// Only these failures, comma separated
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Failover>,
    /// The proxy keeps sessions to a server that it considers down, as without `on-marked-down shutdown-sessions`
    #[arg(long)]
    pub(crate) keep_sessions: bool,
    /// Keep the folder with the configurations and logs
    #[arg(long)]
    pub(crate) keep_folder: bool,
}
