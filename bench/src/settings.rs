//! The command line of `marquee-bench`.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::load::LoadSettings;

/// Measures the real programs against bare peers in one run; run it by `make bench`, or by one of its parts.
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
    /// The search
    Search(SearchSettings),
    /// The search for concerts, as their number grows
    Concerts(ConcertsSettings),
    /// Prices for travelling
    Rates(RatesSettings),
    /// Feeds that are pushed
    Push(PushSettings),
    /// Puts a load on a server, as part of the search
    #[command(hide = true)]
    Load(LoadSettings),
    /// Serves a constant, as a peer
    #[command(hide = true)]
    Bare(BareSettings),
    /// Reads one key again and again, as a peer
    #[command(hide = true)]
    RedisGet(RedisGetSettings),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct BareSettings {
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// Length of the body
    #[arg(long)]
    pub(crate) bytes: usize,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct RedisGetSettings {
    #[arg(long)]
    pub(crate) url: String,
    #[arg(long)]
    pub(crate) key: String,
    /// Tasks that read at the same time
    #[arg(long)]
    pub(crate) tasks: usize,
    #[arg(long)]
    pub(crate) seconds: f64,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct SearchSettings {
    /// Only these works, several divided by commas
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<SearchWork>,
    /// How long the steady load is held; a fault lasts, and has after it, a tenth of it
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..))]
    seconds: u64,
    /// How long one turn of ours or of a peer lasts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    turn_seconds: u64,
    /// How often the turns are repeated; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Requests a second of the steady load
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Events of the big catalogue
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    pub(crate) big_events: u64,
}

impl SearchSettings {
    pub(crate) fn wants(&self, work: SearchWork) -> bool {
        self.only.is_empty() || self.only.contains(&work)
    }

    /// Of the steady load.
    pub(crate) fn steady_seconds(&self) -> f64 {
        Duration::from_secs(self.seconds).as_secs_f64()
    }

    /// Of a turn.
    pub(crate) fn turn_seconds(&self) -> f64 {
        Duration::from_secs(self.turn_seconds).as_secs_f64()
    }

    /// How long a fault lasts, and how long its end is watched: past the limits of both.
    pub(crate) fn phase(&self) -> Duration {
        (Duration::from_secs(self.seconds) / 10).max(LEAST_PHASE)
    }

    pub(crate) fn rate(&self) -> f64 {
        self.rate.into()
    }
}

/// A recovery may take 5 s, and that it stays is to be seen as well.
const LEAST_PHASE: Duration = Duration::from_secs(6);

/// What can be measured of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SearchWork {
    /// An answer that the process holds
    Hit,
    /// An answer that Redis holds
    Redis,
    /// An answer that only the database has
    Miss,
    /// A constant rate while the catalogue changes
    Steady,
    /// Redis dies, comes back, freezes and thaws under load
    RedisFaults,
    /// The database goes away and comes back under load
    DatabaseFaults,
    /// Twice the load it can take
    Overload,
    /// Memory with a full cache
    Memory,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ConcertsSettings {
    /// Only on these databases
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<ConcertsWork>,
    /// Concerts of the big copy on PostgreSQL
    #[arg(long, default_value_t = 20_000_000, value_parser = clap::value_parser!(u64).range(20_000..))]
    pub(crate) concerts: u64,
    /// Concerts of the big copy on SQLite
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(20_000..))]
    pub(crate) sqlite_concerts: u64,
    /// How long one turn lasts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    turn_seconds: u64,
    /// How often the turns are repeated; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
}

impl ConcertsSettings {
    pub(crate) fn wants(&self, work: ConcertsWork) -> bool {
        self.only.is_empty() || self.only.contains(&work)
    }

    /// Of a turn.
    pub(crate) fn turn_seconds(&self) -> f64 {
        Duration::from_secs(self.turn_seconds).as_secs_f64()
    }
}

/// Where the search for concerts can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConcertsWork {
    /// PostgreSQL
    Postgres,
    /// SQLite
    Sqlite,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct PushSettings {
    /// Pushes that are timed until they are answered
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=900))]
    pub(crate) pushes: u32,
    /// Pushes that are timed until they are found
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) searched: u32,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct RatesSettings {
    /// Only these works, several divided by commas
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<RatesWork>,
    /// Prices of the small batch
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(10_000..=2_000_000))]
    pub(crate) small: u64,
    /// Prices of the big batch
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..=2_000_000))]
    pub(crate) big: u64,
    /// Requests a second of the readers
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// How long the readers are watched without batches, and as long with them
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    readers_seconds: u64,
    /// How long one turn of a query lasts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    turn_seconds: u64,
    /// How often all is repeated; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
}

impl RatesSettings {
    pub(crate) fn wants(&self, work: RatesWork) -> bool {
        self.only.is_empty() || self.only.contains(&work)
    }

    pub(crate) fn rate(&self) -> f64 {
        self.rate.into()
    }

    pub(crate) fn readers_seconds(&self) -> f64 {
        Duration::from_secs(self.readers_seconds).as_secs_f64()
    }

    /// Of a query.
    pub(crate) fn turn_seconds(&self) -> f64 {
        Duration::from_secs(self.turn_seconds).as_secs_f64()
    }
}

/// What can be measured of rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RatesWork {
    /// A batch from its first byte to the answer
    Batch,
    /// Peak memory with a big batch
    Memory,
    /// A constant rate of questions while batches come in
    Readers,
    /// A month from a place to a region
    Query,
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
