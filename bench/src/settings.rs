//! The command line of `marquee-bench`.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures the real programs against bare peers in one run; run it by `make bench-sync`.
#[derive(Debug, Parser)]
#[command(name = "marquee-bench", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The sync engine
    Sync(SyncSettings),
}

#[derive(Args, Debug)]
pub(crate) struct SyncSettings {
    /// Only these works, several divided by commas
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Work>,
    /// Size of the feed of the timings
    #[arg(long, default_value_t = 50, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) feed_mib: u64,
    /// Size of the feed with which memory is measured
    #[arg(long, default_value_t = 1024, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) big_mib: u64,
    /// How often the timings are repeated; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Instead of all that: a provider that changes and ticks every second for a minute, and its ledger
    #[arg(long)]
    pub(crate) day: bool,
}

impl SyncSettings {
    pub(crate) fn wants(&self, work: Work) -> bool {
        self.only.is_empty() || self.only.contains(&work)
    }
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// The answer 304
    NotModified,
    /// The same body under another ETag
    SameBody,
    /// Another body with the same content
    SameContent,
    /// 1 % of the base events changed
    Changed,
    /// Into an empty database
    FirstLoad,
    /// Peak memory with a big feed
    Memory,
    /// Many providers and workers
    Many,
}

impl Work {
    /// Those that share the feed of the timings.
    pub(crate) const OF_FEEDS: [Self; 5] = [Self::NotModified, Self::SameBody, Self::SameContent, Self::Changed, Self::FirstLoad];
}
