//! `marquee-worker sync SLUG [--from FILE]`.

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Args;
use entity::DatabaseSettings;

use super::{ProvidersSettings, connect, progress_bar::ProgressBar};
use crate::{
    provider::{
        entry::{self, read_providers},
        fetch,
    },
    sync::{self, Report, Source},
};

#[derive(Args, Debug)]
pub(super) struct Sync {
    /// The provider's slug in the file of providers
    slug: String,
    /// Take the feed from this file instead of the provider's URL; `-` is standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Take the feed even if it holds far fewer events than the copy
    #[arg(long)]
    accept_shrink: bool,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    providers: ProvidersSettings,
}

impl Sync {
    pub(super) async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        let providers = read_providers(&self.providers.providers_file)?;
        let mut entry = entry::find(&providers, &self.slug)?.clone();
        if self.accept_shrink {
            entry.max_shrink_share = 1.0;
        }
        let source = match self.from {
            Some(path) => Source::File(path),
            None => Source::Provider(fetch::client()?),
        };
        let database = connect(&self.database).await?;
        let bar = ProgressBar::on_terminal();
        let outcome = sync::sync_with(&database, &entry, &source, bar.progress()).await;
        drop(bar);
        let report = outcome?;
        print(&self.slug, &report);
        database.close().await?;
        Ok(ExitCode::SUCCESS)
    }
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn print(slug: &str, Report { run_id, state, counts, .. }: &Report) {
    println!(
        "{slug}: {} (run {run_id}): {} events fetched, {} inserted, {} updated, {} unchanged, {} left, {} items rejected",
        state.name(),
        counts.fetched,
        counts.inserted,
        counts.updated,
        counts.unchanged,
        counts.left,
        counts.rejected,
    );
}
