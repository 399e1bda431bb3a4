//! `marquee-worker lint FILE|URL...`: validates feeds, for those who write one. It needs no database and no settings.

use std::{collections::BTreeMap, error::Error, io, path::Path, process::ExitCode, sync::Arc};

use chrono_tz::Tz;
use clap::Args;

use super::{
    output::{count, describe_warnings, print_error, print_lines},
    progress_bar::ProgressBar,
};
use crate::{
    progress::ProgressCounter,
    provider::{
        category::CategoryMap,
        currency::Currency,
        document,
        feed_headers::FeedHeaders,
        feed_url::FeedUrl,
        fetch::{self, FetchOutcome, FetchRequest, Validators},
        format::{self, Conventions, FeedFormat, Locator},
        item::{ParsedFeed, RejectSubject},
        spool::{Spool, SpoolError},
    },
};

#[derive(Args, Debug)]
pub(super) struct LintCommand {
    /// Feeds: files, http or https URLs, or `-` for standard input
    #[arg(value_name = "FILE|URL", required = true)]
    feeds: Vec<String>,
    /// Format of the feeds
    #[arg(long, default_value = "event-list-xml", value_parser = parse_format)]
    format: FeedFormat,
    /// IANA time zone of dates without an offset
    #[arg(long, default_value = "UTC")]
    time_zone: Tz,
    /// ISO 4217 currency of the prices
    #[arg(long, default_value = "EUR")]
    currency: Currency,
    /// Size limit of the document in bytes, before and after decompression
    #[arg(long, value_name = "BYTES", default_value_t = fetch::default_max_body_bytes())]
    max_body_bytes: u64,
}

impl LintCommand {
    /// Succeeds only if nothing is rejected.
    pub(super) async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        let conventions =
            Conventions { time_zone: self.time_zone, currency: self.currency.clone(), category_map: CategoryMap::default() };
        let mut is_valid = true;
        for feed in &self.feeds {
            match self.lint(feed, &conventions).await {
                Ok(rejects) => is_valid &= rejects == 0,
                Err(error) => {
                    print_error(error.as_ref());
                    is_valid = false;
                }
            }
        }
        Ok(if is_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Prints the report of a feed, and returns the number of rejects.
    async fn lint(&self, feed: &str, conventions: &Conventions) -> Result<usize, Box<dyn Error>> {
        let (name, spool) = self.open(feed).await?;
        let document = spool.read(0..spool.len()).map_err(|error| format!("{name} cannot be read: {error}"))?;
        let feed =
            self.format.parse(&document, conventions).map_err(|error| format!("{name} is rejected as a whole: {error}"))?;
        print_lines(describe(&name, &feed, &spool)?);
        Ok(feed.rejects.len())
    }

    /// Opens the document, and returns its name for messages.
    async fn open(&self, feed: &str) -> Result<(String, Arc<Spool>), Box<dyn Error>> {
        if feed.starts_with("http://") || feed.starts_with("https://") {
            let url: FeedUrl = feed.parse().map_err(|error| format!("the feed {error}"))?;
            // The user and the query may be secret.
            let name = format!("{}{}", url.expose().host_str().unwrap_or_default(), url.expose().path());
            let bar = ProgressBar::on_terminal();
            let document = fetch(&url, self.max_body_bytes, bar.progress()).await?;
            return Ok((name, document));
        }
        let name = if feed == "-" { "standard input".to_owned() } else { feed.to_owned() };
        let spool = document::copy_file(Path::new(feed), self.max_body_bytes).await.map_err(|error| match error {
            SpoolError::Unreadable(error) => format!("{name} cannot be read: {error}"),
            other => format!("{name} cannot be read: {}", telemetry::with_causes(&other)),
        })?;
        Ok((name, Arc::new(spool)))
    }
}

async fn fetch(url: &FeedUrl, limit_bytes: u64, progress: &ProgressCounter) -> Result<Arc<Spool>, Box<dyn Error>> {
    // The user has chosen the address.
    let (allow_private_addresses, headers, validators) = (true, &FeedHeaders::default(), &Validators::default());
    let request = FetchRequest {
        url: url.expose(),
        headers,
        validators,
        response_timeout: fetch::default_response_timeout(),
        limit_bytes,
        allow_private_addresses,
    };
    match fetch::fetch(&fetch::build_client()?, &request, progress).await? {
        FetchOutcome::Modified(document) => Ok(document.spool),
        FetchOutcome::NotModified { .. } => {
            Err("the provider responded with 304 Not Modified to a request without a condition".into())
        }
    }
}

fn describe(file: &str, feed: &ParsedFeed, spool: &Spool) -> io::Result<Vec<String>> {
    let mut lines = Vec::with_capacity(feed.rejects.len() + 1);
    let mut locator = Locator::new(spool);
    for reject in &feed.rejects {
        let (line, column) = locator.locate(reject.span.start as u64)?;
        let subject = match &reject.subject {
            RejectSubject::BaseEvent(id) => format!("base event {}", id.as_deref().unwrap_or("?")),
            RejectSubject::Event { base_event, event } => format!("event {base_event}/{}", event.as_deref().unwrap_or("?")),
        };
        lines.push(format!("{file}:{line}:{column}: {subject} rejected: {}", reject.reason));
    }
    for warning in &feed.warnings.listed {
        let (line, column) = locator.locate(warning.position as u64)?;
        lines.push(format!("{file}:{line}:{column}: warning: {}", warning.reason));
    }
    let mut sell_modes: BTreeMap<&str, usize> = BTreeMap::new();
    for base_event in &feed.base_events {
        *sell_modes.entry(&base_event.sell_mode).or_default() += 1;
    }
    let modes: Vec<String> = sell_modes.iter().map(|(mode, count)| format!("{count} {mode}")).collect();
    let zones: usize = feed.base_events.iter().flat_map(|base_event| &base_event.events).map(|event| event.zones.len()).sum();
    let base_events = count(feed.base_events.len(), "base event");
    let modes = if modes.is_empty() { String::new() } else { format!(" ({})", modes.join(", ")) };
    let (events, zones) = (count(feed.event_count(), "event"), count(zones, "zone"));
    let rejects = count(feed.rejects.len(), "item");
    let warnings = describe_warnings(feed.warnings.count);
    lines.push(format!("{file}: {base_events}{modes}, {events} and {zones} accepted, {rejects} rejected{warnings}"));
    Ok(lines)
}

fn parse_format(name: &str) -> Result<FeedFormat, String> {
    format::find(name).ok_or_else(|| format!("must be one of: {}", format::list_names()))
}
