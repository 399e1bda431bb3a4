//! `marquee-worker lint FILE`: for providers and whoever writes a feed. It needs no database and no settings.

use std::{collections::BTreeMap, error::Error, fmt::Write, path::PathBuf, process::ExitCode};

use chrono_tz::Tz;
use clap::Args;

use crate::provider::{
    currency::Currency,
    format::{self, Conventions, Format, Locator},
    item::{Feed, Subject},
    spool::Spool,
};

#[derive(Args, Debug)]
pub(super) struct Lint {
    /// The feed
    file: PathBuf,
    /// The format it should be of
    #[arg(long, default_value = "event-list-xml", value_parser = known_format)]
    format: Format,
    /// IANA name of the zone in which its wall-clock dates are meant
    #[arg(long, default_value = "UTC")]
    time_zone: Tz,
    /// ISO 4217 code of its prices
    #[arg(long, default_value = "EUR")]
    currency: Currency,
}

impl Lint {
    /// Succeeds only for a feed without any fault.
    pub(super) fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        let file = self.file.display();
        let document = std::fs::read(&self.file).map_err(|error| format!("{file} cannot be read: {error}"))?;
        let conventions = Conventions { time_zone: self.time_zone, currency: self.currency };
        let feed =
            self.format.read(&document, &conventions).map_err(|error| format!("{file} would be refused whole: {error}"))?;
        print(&summary(&file.to_string(), &feed, &Spool::from_bytes(document))?);
        Ok(if feed.rejects.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn summary(file: &str, feed: &Feed, spool: &Spool) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    let mut locator = Locator::new(spool);
    for reject in &feed.rejects {
        let (line, column) = locator.locate(reject.span.start as u64)?;
        let subject = match &reject.subject {
            Subject::BaseEvent(id) => format!("base event {}", id.as_deref().unwrap_or("?")),
            Subject::Event { base_event, event } => format!("event {base_event}/{}", event.as_deref().unwrap_or("?")),
        };
        writeln!(text, "{file}:{line}:{column}: {subject} is rejected: {}", reject.reason)?;
    }
    let mut sell_modes: BTreeMap<&str, usize> = BTreeMap::new();
    for base_event in &feed.base_events {
        *sell_modes.entry(&base_event.sell_mode).or_default() += 1;
    }
    let modes: Vec<String> = sell_modes.iter().map(|(mode, count)| format!("{count} {mode}")).collect();
    let zones: usize = feed.base_events.iter().flat_map(|base_event| &base_event.events).map(|event| event.zones.len()).sum();
    writeln!(
        text,
        "{file}: {} base events ({}), {} events and {zones} zones would be taken, {} items rejected",
        feed.base_events.len(),
        modes.join(", "),
        feed.event_count(),
        feed.rejects.len(),
    )?;
    Ok(text)
}

#[expect(clippy::print_stdout, reason = "the findings are what the command is for")]
fn print(text: &str) {
    print!("{text}");
}

fn known_format(name: &str) -> Result<Format, String> {
    format::find(name).ok_or_else(|| format!("known are: {}", format::names()))
}
