//! The command line of `marquee-bench`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::load::LoadSettings;

/// Benchmarks the programs against baseline implementations. Run it with `make bench` or `make bench-NAME`
#[derive(Debug, Parser)]
#[command(name = "marquee-bench", version)]
pub(crate) struct BenchArguments {
    #[command(subcommand)]
    pub(crate) command: BenchCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Sync engine
    Sync(SyncSettings),
    /// Searches
    Search(SearchSettings),
    /// Concert searches on small and large catalogues
    Concerts(ConcertsSettings),
    /// Lists of events by any filters
    Find(FindSettings),
    /// Price imports and rate queries
    Rates(RatesSettings),
    /// Pushed feeds
    Push(PushSettings),
    /// Reads while many providers change
    Churn(ChurnSettings),
    /// Streams of changes, and webhooks
    Changes(ChangesSettings),
    /// Load generator
    #[command(hide = true)]
    Load(LoadSettings),
    /// Baseline: serves a constant response
    #[command(hide = true)]
    Constant(ConstantSettings),
    /// Baseline: reads one Redis key repeatedly
    #[command(hide = true)]
    RedisGet(RedisGetSettings),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ConstantSettings {
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// Length of the response body
    #[arg(long)]
    pub(crate) bytes: usize,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct RedisGetSettings {
    #[arg(long)]
    pub(crate) url: String,
    #[arg(long)]
    pub(crate) key: String,
    /// Number of concurrent tasks
    #[arg(long)]
    pub(crate) tasks: usize,
    #[arg(long)]
    pub(crate) seconds: f64,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct SearchSettings {
    /// Run only these benchmarks, comma-separated
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<SearchWork>,
    /// Duration of the steady load in seconds. A fault, and the recovery after it, take a tenth of it each
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..))]
    seconds: u64,
    /// Duration of one measurement in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    turn_seconds: u64,
    /// Number of repetitions, of which the median is reported
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Requests per second of the steady load
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Number of events in the large catalogue
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    pub(crate) big_events: u64,
}

impl SearchSettings {
    pub(crate) fn includes(&self, work: SearchWork) -> bool {
        self.only.is_empty() || self.only.contains(&work)
    }

    pub(crate) fn steady_seconds(&self) -> f64 {
        Duration::from_secs(self.seconds).as_secs_f64()
    }

    pub(crate) fn turn_seconds(&self) -> f64 {
        Duration::from_secs(self.turn_seconds).as_secs_f64()
    }

    /// The duration of a fault and of the recovery after it.
    pub(crate) fn phase(&self) -> Duration {
        (Duration::from_secs(self.seconds) / 10).max(MIN_PHASE)
    }

    pub(crate) fn rate(&self) -> f64 {
        self.rate.into()
    }
}

/// Longer than the 5 s that a recovery may take.
const MIN_PHASE: Duration = Duration::from_secs(6);

/// The benchmarks of searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SearchWork {
    /// Responses from the cache in the process
    Hit,
    /// Responses from Redis
    Redis,
    /// Responses from the database
    Miss,
    /// Constant rate while the catalogue changes
    Steady,
    /// Redis is killed, restarted, frozen and resumed under load
    RedisFaults,
    /// The database becomes unavailable and available again under load
    DatabaseFaults,
    /// Twice the maximum load
    Overload,
    /// Memory with a full cache
    Memory,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ConcertsSettings {
    /// Run only on these databases, comma-separated
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<ConcertsWork>,
    /// Number of concerts in the large catalogue on PostgreSQL
    #[arg(long, default_value_t = 20_000_000, value_parser = clap::value_parser!(u64).range(20_000..))]
    pub(crate) concerts: u64,
    /// Number of concerts in the large catalogue on SQLite
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(20_000..))]
    pub(crate) sqlite_concerts: u64,
    /// Duration of one measurement in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    turn_seconds: u64,
    /// Number of repetitions, of which the median is reported
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
}

impl ConcertsSettings {
    pub(crate) fn includes(&self, work: ConcertsWork) -> bool {
        self.only.is_empty() || self.only.contains(&work)
    }

    pub(crate) fn turn_seconds(&self) -> f64 {
        Duration::from_secs(self.turn_seconds).as_secs_f64()
    }
}

/// The databases of the concert benchmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConcertsWork {
    /// PostgreSQL
    Postgres,
    /// SQLite
    Sqlite,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct FindSettings {
    /// Run only these benchmarks, comma-separated
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<FindWork>,
    /// Number of events in the large catalogue
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(20_000..=2_000_000))]
    pub(crate) events: u64,
    /// Number of events in the small catalogue
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(20_000..=2_000_000))]
    pub(crate) small_events: u64,
    /// Number of base events in the catalogue for words; each has four events at different venues
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u64).range(5_000..=500_000))]
    pub(crate) base_events: u64,
    /// Duration of one measurement in seconds
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    turn_seconds: u64,
    /// Number of repetitions, of which the median is reported
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
}

impl FindSettings {
    pub(crate) fn includes(&self, work: FindWork) -> bool {
        self.only.is_empty() || self.only.contains(&work)
    }

    pub(crate) fn turn_seconds(&self) -> f64 {
        Duration::from_secs(self.turn_seconds).as_secs_f64()
    }
}

/// The benchmarks of lists of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FindWork {
    /// Responses from the cache in the process
    Cached,
    /// Filters, pairs and orders without a cache
    Filters,
    /// Two words without a cache
    Words,
    /// Calendars, facets and the memory of an export
    Groups,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct PushSettings {
    /// Number of pushes that are timed until the response
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=900))]
    pub(crate) pushes: u32,
    /// Number of pushes that are timed until a search returns them
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) searched: u32,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ChurnSettings {
    /// Duration of the measurement in seconds
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u64).range(10..))]
    seconds: u64,
    /// Number of providers, each of which is polled once a minute
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) providers: u64,
    /// Number of events of each provider
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(10..))]
    pub(crate) events: u64,
    /// Percentage of the base events that change in a minute. A change of a base event affects about 1.3 of its 2.5 events
    #[arg(long, default_value_t = 2.0)]
    pub(crate) churn: f64,
    /// Requests per second
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Number of distinct requests, with a Zipf distribution
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=12_000))]
    pub(crate) keys: u32,
    /// Folder of another build of marquee-api, marquee-worker and marquee-migrate, which is measured first, as the baseline
    #[arg(long, value_name = "DIR")]
    pub(crate) programs: Option<PathBuf>,
}

impl ChurnSettings {
    pub(crate) fn seconds(&self) -> f64 {
        Duration::from_secs(self.seconds).as_secs_f64()
    }

    pub(crate) fn rate(&self) -> f64 {
        self.rate.into()
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ChangesSettings {
    /// Number of single changes that are timed
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) changes: u64,
    /// Number of streams that are open at the same time
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=2_000))]
    pub(crate) streams: u64,
    /// Changes per second while they are open
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) rate: u64,
    /// How long changes are made
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) seconds: u64,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct RatesSettings {
    /// Run only these benchmarks, comma-separated
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<RatesWork>,
    /// Number of prices in the small batch
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(10_000..=2_000_000))]
    pub(crate) small: u64,
    /// Number of prices in the large batch
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..=2_000_000))]
    pub(crate) big: u64,
    /// Requests per second of the readers
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Duration of the reads without imports, and of the reads during imports, in seconds
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    readers_seconds: u64,
    /// Duration of one measurement of a query in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    turn_seconds: u64,
    /// Number of repetitions, of which the median is reported
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
}

impl RatesSettings {
    pub(crate) fn includes(&self, work: RatesWork) -> bool {
        self.only.is_empty() || self.only.contains(&work)
    }

    pub(crate) fn rate(&self) -> f64 {
        self.rate.into()
    }

    pub(crate) fn readers_seconds(&self) -> f64 {
        Duration::from_secs(self.readers_seconds).as_secs_f64()
    }

    pub(crate) fn turn_seconds(&self) -> f64 {
        Duration::from_secs(self.turn_seconds).as_secs_f64()
    }
}

/// The benchmarks of rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RatesWork {
    /// Import of a batch, from its first byte to the response
    Batch,
    /// Peak memory with a large batch
    Memory,
    /// Queries at a constant rate during imports
    Readers,
    /// Query of a month between a place and a region
    Query,
}

#[derive(Args, Debug)]
pub(crate) struct SyncSettings {
    /// Run only these benchmarks, comma-separated
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<SyncWork>,
    /// Size of the feed in MiB
    #[arg(long, default_value_t = 50, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) feed_mib: u64,
    /// Size of the feed of the memory benchmark in MiB
    #[arg(long, default_value_t = 1024, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) big_mib: u64,
    /// Number of repetitions, of which the median is reported
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Instead of the benchmarks, sync a changing provider every second for a minute, and report its ledger
    #[arg(long)]
    pub(crate) ledger: bool,
}

impl SyncSettings {
    pub(crate) fn includes(&self, work: SyncWork) -> bool {
        self.only.is_empty() || self.only.contains(&work)
    }
}

/// The benchmarks of syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SyncWork {
    /// Response 304
    NotModified,
    /// The same body with another ETag
    SameBody,
    /// Another body with the same content
    SameContent,
    /// 1 % of the base events changed
    Changed,
    /// First load into an empty database
    FirstLoad,
    /// Peak memory with a large feed
    Memory,
    /// Many providers and workers
    Many,
    /// Reading of JSON-LD, compared with XML
    Formats,
}

impl SyncWork {
    /// Those that use the same feed.
    pub(crate) const WITH_FEED: [Self; 5] =
        [Self::NotModified, Self::SameBody, Self::SameContent, Self::Changed, Self::FirstLoad];
}
