//! `marquee-worker rates load FILE`: a batch of prices that is too big for a request, by the same rules.

use std::{
    error::Error,
    fmt::Write,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand, ValueEnum};
use entity::DatabaseSettings;
use rates::{
    BatchEncoding, BatchFormat, BatchLimits, CommitError, CommitOutcome, IdempotencyKey, IdempotencyKeys, PlaceIds, ReadBatch,
    RowErrors,
};
use sea_orm::DatabaseConnection;

use super::{INTERRUPTED, connect, progress_bar::ProgressBar};
use crate::progress::{Progress, Stage};

#[derive(Args, Debug)]
pub(super) struct Rates {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Bring a batch of prices in from a file, all of it or nothing
    Load(Load),
    /// Take a batch back, all of it or nothing
    TakeBack {
        /// The batch's number, as `load` or GET /rates/batches tells it
        id: i64,
        #[command(flatten)]
        database: DatabaseSettings,
    },
}

#[derive(Args, Debug)]
struct Load {
    /// The batch: csv, json (an array) or ndjson, with .gz behind it if it is compressed; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The format, where the file's name does not say it
    #[arg(long)]
    format: Option<FormatName>,
    /// A name of your own for this batch: the same file under the same name is taken in once
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<IdempotencyKey>,
    #[command(flatten)]
    database: DatabaseSettings,
}

/// A format as its file's name ends.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    Csv,
    Json,
    #[value(alias = "jsonl")]
    Ndjson,
}

/// The name of the file does not say what it is.
#[derive(Debug, thiserror::Error)]
#[error("{} does not end in .csv, .json or .ndjson: say --format", .0.display())]
struct UnknownFormat(PathBuf);

/// There is nothing to take back.
#[derive(Debug, thiserror::Error)]
#[error("there is no batch {0}, or it was taken back before")]
struct NoSuchBatch(i64);

impl Rates {
    pub(super) async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        match self.task {
            Task::Load(load) => load.execute().await,
            Task::TakeBack { id, database } => {
                let database = connect(&database).await?;
                let batch = rates::delete_batch(&database, id).await?.ok_or(NoSuchBatch(id))?;
                database.close().await?;
                print(&format!("batch {id} taken back: {} prices\n", batch.price_count));
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Load {
    async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        let shutdown = telemetry::shutdown_signal()?;
        let (format, coding) = self.kind()?;
        let (source, bytes) = open(&self.file).map_err(|error| format!("{} cannot be read: {error}", self.file.display()))?;
        let database = connect(&self.database).await?;
        let bar = ProgressBar::on_terminal();
        bar.progress().begin(Stage::Reading, bytes);
        let source = Counted { source, progress: bar.progress().clone() };
        let loaded = tokio::select! {
            loaded = load(&database, source, (format, coding), self.idempotency_key.clone(), bar.progress()) => Some(loaded?),
            () = shutdown.cancelled() => None,
        };
        drop(bar);
        // At once: a thread may wait for the end of standard input, and the runtime for that thread.
        let Some(loaded) = loaded else { std::process::exit(INTERRUPTED.into()) };
        database.close().await?;
        let file = self.file.display().to_string();
        match loaded {
            Ok(settled) => {
                print(&summary(&file, &settled));
                Ok(ExitCode::SUCCESS)
            }
            Err(CommitError::Rows(faults)) => {
                print(&wrong_items(&file, &faults)?);
                Ok(ExitCode::FAILURE)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn kind(&self) -> Result<(BatchFormat, BatchEncoding), UnknownFormat> {
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

/// The bytes, and how many there are if that is known.
fn open(file: &Path) -> io::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if file == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(file)?;
    let bytes = file.metadata()?.len();
    Ok((Box::new(file), Some(bytes)))
}

/// Fails if the batch cannot be read; what is wrong with its items is told apart.
async fn load(
    database: &DatabaseConnection,
    source: Counted,
    (format, coding): (BatchFormat, BatchEncoding),
    key: Option<IdempotencyKey>,
    progress: &Progress,
) -> Result<Result<CommitOutcome, CommitError>, Box<dyn Error>> {
    let claim = key.and_then(|key| IdempotencyKeys::default().claim(key));
    let places = PlaceIds::load(database).await?;
    let reading =
        tokio::task::spawn_blocking(move || rates::read_batch(source, coding, format, &places, &BatchLimits::FILE)).await??;
    if let ReadBatch { outcome: Ok(draft), .. } = &reading {
        progress.begin(Stage::Writing, Some(draft.count()));
    }
    Ok(rates::commit_batch(database, claim, reading, &BatchLimits::FILE, |prices| progress.add(prices)).await)
}

/// A source that tells how much of it was read.
struct Counted {
    source: Box<dyn Read + Send>,
    progress: Progress,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.progress.add(count as u64);
        Ok(count)
    }
}

fn summary(file: &str, settled: &CommitOutcome) -> String {
    let (CommitOutcome::Committed(batch) | CommitOutcome::Repeated(batch)) = settled;
    let how = if matches!(settled, CommitOutcome::Committed(_)) { "taken in" } else { "had been taken in before" };
    format!(
        "{file}: batch {} {how}: {} prices of {} routes on {} days\n",
        batch.id, batch.price_count, batch.route_count, batch.day_count
    )
}

fn wrong_items(file: &str, faults: &RowErrors) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for fault in &faults.first {
        writeln!(text, "{file}:{}: {}", fault.line, fault.message)?;
    }
    writeln!(text, "{file}: nothing was taken in, because of {} wrong items", faults.count)?;
    Ok(text)
}

#[expect(clippy::print_stdout, reason = "the findings are what the command is for")]
fn print(text: &str) {
    print!("{text}");
}
