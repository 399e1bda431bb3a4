//! `marquee-worker lint FILE|URL...`: validates feeds, for those who write one. It needs no database and no settings.

use std::{error::Error, path::Path, process::ExitCode, sync::Arc};

use chrono::Utc;
use chrono_tz::Tz;
use clap::Args;

use super::{
    lint_failure::LintFailure,
    lint_report::LintReport,
    output::{print_json, print_lines},
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
        fetch::{self, FetchError, FetchOutcome, FetchRequest, Validators},
        format::{self, Conventions, FeedFormat, FeedReadError, ReadMonth},
        id_from::IdFrom,
        item::FeedWarnings,
        pages::{self, NoPages, PageLimits, PagesError},
        spool::{Spool, SpoolError},
    },
};

/// The server of a file is not known. The report shows no links, so any server has the same report.
const UNKNOWN_ORIGIN: &str = "http://localhost/";

#[derive(Args, Debug)]
pub(super) struct LintCommand {
    /// Feeds: files, http or https URLs, or `-` for standard input
    #[arg(value_name = "FILE|URL", required = true)]
    feeds: Vec<String>,
    /// Format of the feeds
    #[arg(long, default_value = "event-list-xml", value_parser = parse_format)]
    format: FeedFormat,
    /// Property from which ids are read, as in the providers file
    #[arg(long, value_name = "PROPERTY")]
    id_from: Option<IdFrom>,
    /// IANA time zone of dates without an offset
    #[arg(long, default_value = "UTC")]
    time_zone: Tz,
    /// ISO 4217 currency of the prices
    #[arg(long, default_value = "EUR")]
    currency: Currency,
    /// Print a JSON object for each feed instead of text
    #[arg(long)]
    json: bool,
    /// Size limit of the document in bytes, before and after decompression
    #[arg(long, value_name = "BYTES", default_value_t = fetch::default_max_body_bytes())]
    max_body_bytes: u64,
}

impl LintCommand {
    /// Succeeds only if nothing is rejected.
    pub(super) async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        let id_from = self.id_from.as_ref().map(|id_from| self.format.accept_id_from(id_from)).transpose();
        let conventions = Conventions {
            time_zone: self.time_zone,
            currency: self.currency.clone(),
            category_map: CategoryMap::default(),
            id_from: id_from.map_err(|error| format!("`--id-from` {error}"))?.flatten(),
            origin: UNKNOWN_ORIGIN.parse()?,
            // No database is used, so its clock is not known.
            month: ReadMonth::of(Utc::now().into()),
        };
        let mut is_valid = true;
        for feed in &self.feeds {
            match self.lint(feed, &conventions).await {
                Ok(is_accepted) => is_valid &= is_accepted,
                Err(failure) => {
                    failure.print(self.json);
                    is_valid = false;
                }
            }
        }
        Ok(if is_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Prints the report of a feed, and returns whether nothing was rejected.
    async fn lint(&self, feed: &str, conventions: &Conventions) -> Result<bool, LintFailure> {
        let (name, spool, warnings) = self.open(feed).await?;
        let mut feed = self.format.parse_document(&spool, conventions).map_err(|error| match error {
            FeedReadError::Document(error) => LintFailure::of_document(&name, &error),
            FeedReadError::Spool(error) => LintFailure::of_file(&name, SpoolError::Disk(error)),
        })?;
        feed.warnings.append(warnings);
        let report = LintReport::new(&name, &feed, &spool);
        let report = report.map_err(|error| LintFailure::of_file(&name, SpoolError::Disk(error)))?;
        if self.json {
            print_json(&report.to_json());
        } else {
            print_lines(report.describe());
        }
        Ok(feed.rejects.is_empty())
    }

    /// Opens the document, and returns its name for messages, and the warnings about its pages.
    async fn open(&self, feed: &str) -> Result<(String, Arc<Spool>, FeedWarnings), LintFailure> {
        if feed.starts_with("http://") || feed.starts_with("https://") {
            let url: FeedUrl = feed.parse().map_err(LintFailure::of_url)?;
            // The user and the query may be secret.
            let name = format!("{}{}", url.expose().host_str().unwrap_or_default(), url.expose().path());
            let bar = ProgressBar::on_terminal();
            let fetched = self.fetch(&url, bar.progress()).await;
            let (document, warnings) = fetched.map_err(|error| LintFailure::of_fetch(&name, &error))?;
            return Ok((name, document, warnings));
        }
        let name = if feed == "-" { "standard input".to_owned() } else { feed.to_owned() };
        let spool = document::copy_file(Path::new(feed), self.max_body_bytes).await;
        let spool = spool.map_err(|error| LintFailure::of_file(&name, error))?;
        Ok((name, Arc::new(spool), FeedWarnings::default()))
    }

    /// Fetches a document with all its pages.
    async fn fetch(&self, url: &FeedUrl, progress: &ProgressCounter) -> Result<(Arc<Spool>, FeedWarnings), PagesError> {
        // The user has chosen the address.
        let (allow_private_addresses, headers, validators) = (true, &FeedHeaders::default(), &Validators::default());
        let request = FetchRequest {
            url: url.expose(),
            headers,
            validators,
            response_timeout: fetch::default_response_timeout(),
            limit_bytes: self.max_body_bytes,
            allow_private_addresses,
        };
        let client = fetch::build_client().map_err(|error| FetchError::Unreachable(error.into()))?;
        let limits = PageLimits::default();
        match pages::fetch(&client, &request, (self.format, limits), &NoPages::default(), progress).await? {
            FetchOutcome::Modified(document) => {
                let warnings = document.pages.map(|pages| pages.warnings.clone()).unwrap_or_default();
                Ok((document.spool, warnings))
            }
            // The request has no condition.
            FetchOutcome::NotModified { .. } => Err(FetchError::Status { status: 304, retry_after: None }.into()),
        }
    }
}

fn parse_format(name: &str) -> Result<FeedFormat, String> {
    format::find(name).ok_or_else(|| format!("must be one of: {}", format::list_names()))
}
