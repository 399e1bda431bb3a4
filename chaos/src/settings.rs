//! The command line.

use clap::{Args, Parser, Subcommand};

use crate::{ha::Failover, matrix::Storage};

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
    /// Every component under every fault, on PostgreSQL and SQLite
    Matrix(MatrixSettings),
    /// All faults again and again, under load: memory, open files, rows and lag at the start and at the end
    Soak(SoakSettings),
    /// Syncs and pushes while programs are killed at random moments: the log of changes must equal a replay
    Crashes(CrashSettings),
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

#[derive(Args, Debug)]
pub(crate) struct MatrixSettings {
    /// Only faults that contain one of these texts, comma separated: redis,worker killed
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Only this database
    #[arg(long, value_enum)]
    pub(crate) database: Option<Storage>,
    /// Only the faults that have found most errors
    #[arg(long)]
    pub(crate) short: bool,
    /// Keep the folder with the logs
    #[arg(long)]
    pub(crate) keep_folder: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SoakSettings {
    /// How long it takes
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(3..=1_440))]
    pub(crate) minutes: u64,
    /// The database
    #[arg(long, value_enum, default_value = "postgres")]
    pub(crate) database: Storage,
}

#[derive(Args, Debug)]
pub(crate) struct CrashSettings {
    /// The least number of syncs
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) syncs: u64,
    /// The number of pushed feeds
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) pushes: u64,
    /// Only this database
    #[arg(long, value_enum)]
    pub(crate) database: Option<Storage>,
}
