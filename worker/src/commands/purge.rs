//! `marquee-worker purge`: removes an event, or everything of a provider, for legal reasons.

use std::{
    error::Error,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::Args;
use entity::{
    DatabaseSettings, begin_write, deadline, provider,
    takedown::{self, FoundEvent, MAX_REASON_CHARACTERS},
};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    connect,
    output::{count, print_lines},
    progress_bar::ProgressBar,
};
use crate::sync::purge::{self, PurgeCounts, Readmission};

#[derive(Args, Debug)]
pub(super) struct PurgeCommand {
    #[command(flatten)]
    target: PurgeTarget,
    /// Why it is removed, such as the number of a case. It is stored and not shown to clients
    #[arg(long, value_name = "TEXT", value_parser = parse_reason, required_unless_present_any = ["dry_run", "readmit"])]
    reason: Option<String>,
    /// Show what would be removed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove everything of a provider without confirmation
    #[arg(long)]
    yes: bool,
    /// Allow syncs of a purged provider again
    #[arg(long, requires = "provider", conflicts_with_all = ["reason", "dry_run", "yes"])]
    readmit: bool,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct PurgeTarget {
    /// Slug of the provider, everything of which is removed
    #[arg(long, value_name = "SLUG")]
    provider: Option<String>,
    /// Id of the event that is removed, as in /search
    #[arg(long, value_name = "ID")]
    event: Option<Uuid>,
}

/// Why nothing was removed.
#[derive(Debug, thiserror::Error)]
enum PurgeError {
    #[error("event {0} does not exist")]
    UnknownEvent(Uuid),
    #[error("provider {0} does not exist; `marquee-worker status` lists all providers")]
    UnknownProvider(String),
    #[error("provider {0} was not purged")]
    NotPurged(String),
    #[error("the purge of {0} was interrupted; complete it with `marquee-worker purge --provider {0} --reason TEXT` first")]
    Incomplete(String),
    #[error("to remove everything of a provider without a terminal, add `--yes`; nothing was removed")]
    ConfirmationRequired,
    #[error("not confirmed; nothing was removed")]
    NotConfirmed,
}

impl PurgeCommand {
    pub(super) async fn execute(self, settings: &DatabaseSettings) -> Result<ExitCode, Box<dyn Error>> {
        let database = connect(settings).await?;
        let line = match (&self.target.provider, self.target.event) {
            (Some(slug), _) => self.execute_for_provider(&database, settings, slug).await?,
            (None, Some(id)) => self.execute_for_event(&database, id).await?,
            (None, None) => unreachable!("one of them is required"),
        };
        database.close().await?;
        print_lines([line]);
        Ok(ExitCode::SUCCESS)
    }

    async fn execute_for_event(&self, database: &DatabaseConnection, id: Uuid) -> Result<String, Box<dyn Error>> {
        let removing = async {
            let transaction = begin_write(database).await?;
            let found = takedown::lock(&transaction, id).await?;
            if let FoundEvent::Stored(event) = &found
                && let Some(reason) = self.reason.as_ref().filter(|_| !self.dry_run)
            {
                event.remove(&transaction, reason).await?;
            }
            transaction.commit().await?;
            Ok::<_, DbErr>(found)
        };
        match deadline::within(deadline::BULK, database, removing).await? {
            FoundEvent::Stored(_) if self.dry_run => Ok(format!("event {id} would be removed")),
            FoundEvent::Stored(_) => Ok(format!("event {id} removed")),
            FoundEvent::Removed => Ok(format!("event {id} was already removed")),
            FoundEvent::Unknown => Err(PurgeError::UnknownEvent(id).into()),
        }
    }

    async fn execute_for_provider(
        &self,
        database: &DatabaseConnection,
        settings: &DatabaseSettings,
        slug: &str,
    ) -> Result<String, Box<dyn Error>> {
        let finding = provider::Entity::find().filter(provider::COLUMN.slug.eq(slug)).one(database);
        let provider = deadline::within(deadline::SHORT, database, finding).await?;
        let provider = provider.ok_or_else(|| PurgeError::UnknownProvider(slug.to_owned()))?;
        if self.readmit {
            return match deadline::within(deadline::BULK, database, purge::readmit(database, provider.id)).await? {
                Readmission::Readmitted => Ok(format!("{slug}: syncs are allowed again")),
                Readmission::NotPurged => Err(PurgeError::NotPurged(slug.to_owned()).into()),
                Readmission::Incomplete => Err(PurgeError::Incomplete(slug.to_owned()).into()),
            };
        }
        let counting = purge::count(database, provider.id);
        let counts = describe(deadline::within(deadline::BULK, database, counting).await?);
        let Some(reason) = self.reason.as_ref().filter(|_| !self.dry_run) else {
            return Ok(format!("{slug}: {counts} would be removed"));
        };
        if !self.yes {
            confirm(&format!("{counts} of {slug} in {} will be removed.", settings.url))?;
        }
        let bar = ProgressBar::on_terminal();
        purge::purge(database, provider.id, reason, bar.progress()).await?;
        drop(bar);
        Ok(format!("{slug}: {counts} removed; its syncs are refused until `--readmit`"))
    }
}

fn describe(PurgeCounts { events, venues, performers }: PurgeCounts) -> String {
    format!("{}, {} and {}", count(events, "event"), count(venues, "venue"), count(performers, "performer"))
}

fn parse_reason(text: &str) -> Result<String, String> {
    let is_valid = !text.trim().is_empty() && text.chars().count() <= MAX_REASON_CHARACTERS;
    is_valid.then(|| text.to_owned()).ok_or_else(|| format!("must have 1 to {MAX_REASON_CHARACTERS} characters"))
}

/// Lets the user confirm on the terminal what will be removed.
fn confirm(what: &str) -> Result<(), Box<dyn Error>> {
    let (mut terminal, answers) = (io::stderr(), io::stdin());
    if !answers.is_terminal() || !terminal.is_terminal() {
        return Err(PurgeError::ConfirmationRequired.into());
    }
    write!(terminal, "{what} Continue? [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    let is_confirmed = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
    is_confirmed.then_some(()).ok_or_else(|| PurgeError::NotConfirmed.into())
}
