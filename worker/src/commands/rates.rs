//! `marquee-worker rates load FILE`: loads a batch of prices that is too large for a request, by the same rules.

use std::{
    error::Error,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Subcommand, ValueEnum};
use entity::{DatabaseSettings, deadline, rate_batch};
use rates::{
    BatchEncoding, BatchFormat, BatchLimits, CommitError, CommitOutcome, IdempotencyKey, IdempotencyKeys, PlaceIds, ReadBatch,
    RowErrors,
};
use sea_orm::{DatabaseConnection, EntityTrait};

use super::{
    INTERRUPTED, connect,
    output::{count, print_lines},
    progress_bar::ProgressBar,
};
use crate::progress::{ProgressCounter, ProgressStage};

#[derive(Args, Debug)]
pub(super) struct RatesCommand {
    #[command(subcommand)]
    action: RatesAction,
}

#[derive(Debug, Subcommand)]
enum RatesAction {
    /// Load a batch of prices from a file, all of it or nothing
    Load(LoadCommand),
    /// Delete a batch and its prices
    #[command(visible_alias = "take-back")]
    Delete {
        /// Id of the batch, as shown by `rates load` and GET /rates/batches
        id: i64,
    },
}

#[derive(Args, Debug)]
struct LoadCommand {
    /// Batch in CSV, JSON (an array) or NDJSON, optionally compressed as .gz; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Format, if the file name does not end in it
    #[arg(long)]
    format: Option<FormatName>,
    /// Name of this batch: a file is loaded once under its key
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<IdempotencyKey>,
}

/// A format by its file extension.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    Csv,
    Json,
    #[value(alias = "jsonl")]
    Ndjson,
}

/// The file name does not end in a format.
#[derive(Debug, thiserror::Error)]
#[error("the format of {} is unknown: the name must end in .csv, .json or .ndjson, or use --format", .0.display())]
struct UnknownFormat(PathBuf);

/// There is no batch to delete.
#[derive(Debug, thiserror::Error)]
#[error("batch {0} does not exist or was already deleted")]
struct BatchNotFound(i64);

impl RatesCommand {
    pub(super) async fn execute(self, database: &DatabaseSettings) -> Result<ExitCode, Box<dyn Error>> {
        match self.action {
            RatesAction::Load(load) => load.execute(database).await,
            RatesAction::Delete { id } => {
                let database = connect(database).await?;
                let finding = rate_batch::Entity::find_by_id(id).one(&database);
                let batch = deadline::within(deadline::SHORT, &database, finding).await?.ok_or(BatchNotFound(id))?;
                let limit = write_time(u64::try_from(batch.price_count).unwrap_or(u64::MAX));
                let deleting = rates::delete_batch(&database, id);
                let batch = deadline::within(limit, &database, deleting).await?.ok_or(BatchNotFound(id))?;
                database.close().await?;
                print_lines([format!("batch {id} deleted: {}", count(batch.price_count, "price"))]);
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl LoadCommand {
    async fn execute(self, database: &DatabaseSettings) -> Result<ExitCode, Box<dyn Error>> {
        let shutdown = telemetry::shutdown_signal()?;
        let (format, encoding) = self.detect_format()?;
        let (source, bytes) = open(&self.file).map_err(|error| format!("{} cannot be read: {error}", self.file.display()))?;
        let database = connect(database).await?;
        let bar = ProgressBar::on_terminal();
        bar.progress().begin(ProgressStage::Reading, bytes);
        let source = ProgressReader { source, progress: bar.progress().clone() };
        let loaded = tokio::select! {
            loaded = load(&database, source, (format, encoding), self.idempotency_key.clone(), bar.progress()) => Some(loaded?),
            () = shutdown.cancelled() => None,
        };
        drop(bar);
        // Exits immediately: a thread may be blocked on standard input, and the runtime would wait for it.
        let Some(loaded) = loaded else { std::process::exit(INTERRUPTED.into()) };
        database.close().await?;
        let file = self.file.display().to_string();
        match loaded {
            Ok(outcome) => {
                print_lines([describe(&file, &outcome)]);
                Ok(ExitCode::SUCCESS)
            }
            Err(CommitError::Rows(errors)) => {
                print_lines(describe_errors(&file, &errors));
                Ok(ExitCode::FAILURE)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn detect_format(&self) -> Result<(BatchFormat, BatchEncoding), UnknownFormat> {
        let extension = |path: &Path| path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let is_gzip = extension(&self.file).as_deref() == Some("gz");
        let bare = if is_gzip { self.file.with_extension("") } else { self.file.clone() };
        let named = extension(&bare).and_then(|extension| FormatName::from_str(&extension, false).ok());
        let format = match self.format.or(named).ok_or_else(|| UnknownFormat(self.file.clone()))? {
            FormatName::Csv => BatchFormat::Csv,
            FormatName::Json => BatchFormat::Json,
            FormatName::Ndjson => BatchFormat::Ndjson,
        };
        Ok((format, if is_gzip { BatchEncoding::Gzip } else { BatchEncoding::Identity }))
    }
}

/// Opens the file, with its size if it is known.
fn open(file: &Path) -> io::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if file == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(file)?;
    let bytes = file.metadata()?.len();
    Ok((Box::new(file), Some(bytes)))
}

/// Reads and commits the batch. The outer error is that of a batch that cannot be read.
async fn load(
    database: &DatabaseConnection,
    source: ProgressReader,
    (format, encoding): (BatchFormat, BatchEncoding),
    key: Option<IdempotencyKey>,
    progress: &ProgressCounter,
) -> Result<Result<CommitOutcome, CommitError>, Box<dyn Error>> {
    let claim = key.and_then(|key| IdempotencyKeys::default().claim(key));
    let places = deadline::within(deadline::BULK, database, PlaceIds::load(database)).await?;
    let batch =
        tokio::task::spawn_blocking(move || rates::read_batch(source, encoding, format, &places, &BatchLimits::FILE)).await??;
    let prices = if let ReadBatch { outcome: Ok(staged), .. } = &batch { staged.count() } else { 0 };
    progress.begin(ProgressStage::Writing, Some(prices));
    let commit = rates::commit_batch(database, claim, batch, &BatchLimits::FILE, |prices| progress.add(prices));
    Ok(deadline::within(write_time(prices), database, commit).await)
}

/// How long a batch may take, with the wait for another batch on the same routes.
fn write_time(prices: u64) -> Duration {
    deadline::BULK + deadline::write_time(prices)
}

/// A reader that counts what was read.
struct ProgressReader {
    source: Box<dyn Read + Send>,
    progress: ProgressCounter,
}

impl Read for ProgressReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.progress.add(count as u64);
        Ok(count)
    }
}

fn describe(file: &str, outcome: &CommitOutcome) -> String {
    let (CommitOutcome::Committed(batch) | CommitOutcome::Repeated(batch)) = outcome;
    let verb = if matches!(outcome, CommitOutcome::Committed(_)) { "loaded" } else { "was already loaded" };
    let (prices, routes) = (count(batch.price_count, "price"), count(batch.route_count, "route"));
    format!("{file}: batch {} {verb}: {prices} for {routes} on {}", batch.id, count(batch.day_count, "day"))
}

fn describe_errors(file: &str, errors: &RowErrors) -> Vec<String> {
    let lines = errors.first.iter().map(|error| format!("{file}:{}: {}", error.line, error.message));
    lines.chain([format!("{file}: nothing was loaded because of {}", count(errors.count, "error"))]).collect()
}
